# A store whose root hash is in a UKI, with the names, types and defaults that NixOS has; its images are made elsewhere.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkDefault mkOption types;
  cfg = config.image.repart.verityStore;
  architecture = if pkgs.stdenv.hostPlatform.linuxArch == "x86_64" then "x86-64" else "arm64";
  id =
    default:
    mkOption {
      type = types.str;
      inherit default;
    };
in
{
  options.image.repart.verityStore = {
    enable = mkOption {
      type = types.bool;
      default = false;
    };
    ukiPath = mkOption {
      type = types.path;
      default = "/EFI/Linux/${config.system.boot.loader.ukiFile}";
    };
    partitionIds = {
      esp = id "00-esp";
      store-verity = id "10-store-verity";
      store = id "20-store";
    };
  };

  config = lib.mkIf cfg.enable {
    boot.initrd.systemd.dmVerity.enable = true;
    image.repart.partitions = {
      ${cfg.partitionIds.store-verity}.repartConfig = {
        Type = mkDefault "usr-${architecture}-verity";
        Verity = "hash";
        VerityMatchKey = mkDefault "store";
        Label = mkDefault "store-verity";
      };
      ${cfg.partitionIds.store} = {
        storePaths = [ config.system.build.toplevel ];
        repartConfig = {
          Type = mkDefault "usr-${architecture}";
          Verity = "data";
          Format = mkDefault "erofs";
          VerityMatchKey = mkDefault "store";
          Label = mkDefault "store";
        };
      };
    };
    system.build = {
      # Whatever takes their place: the image is asked for other versions of itself.
      intermediateImage = (config.system.build.image.override { compression.enable = false; }).overrideAttrs (
        _: previous: { pname = "${previous.pname}-intermediate"; }
      );
      finalImage = (config.system.build.image.override { createEmpty = false; }).overrideAttrs (
        _: previous: { preBuild = throw "nixpkgs' own image is not needed"; }
      );
      uki = lib.mkOverride 99 (throw "nixpkgs' own UKI with usrhash= is not needed");
    };
  };
}
