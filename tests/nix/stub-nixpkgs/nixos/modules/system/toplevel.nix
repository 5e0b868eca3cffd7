# The system as a store path, once all assertions hold.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  failed = map (entry: entry.message) (lib.filter (entry: !entry.assertion) config.assertions);
  checked =
    value:
    if failed != [ ] then
      throw "\nFailed assertions:\n${lib.concatMapStringsSep "\n" (message: "- ${message}") failed}"
    else
      # It has an fstab and installs a boot loader, so what these are made of is looked at.
      builtins.deepSeq [
        (lib.attrValues config.fileSystems)
        config.system.build.installBootLoader
        config.system.boot.loader.id
      ] (lib.foldr lib.warn value config.warnings);
  inherit (config.boot.kernelPackages) kernel;
  inherit (pkgs.stdenv.hostPlatform) system;
  inherit (config.system.boot.loader) ukiFile;
  tree = config.hardware.deviceTree;
  inherit (config.system.boot.loader) kernelFile initrdFile;
in
{
  options = {
    assertions = mkOption {
      type = types.listOf types.unspecified;
      default = [ ];
      internal = true;
    };
    warnings = mkOption {
      type = types.listOf types.str;
      default = [ ];
      internal = true;
    };
    system.boot.loader = {
      id = mkOption {
        type = types.str;
        default = "";
      };
      kernelFile = mkOption {
        type = types.str;
        default = pkgs.stdenv.hostPlatform.linux-kernel.target;
      };
      initrdFile = mkOption {
        type = types.str;
        default = "initrd";
      };
    };
    # Tests put a system of their own here, whose assertions then count too. NixOS has no such option.
    stub.toplevel = mkOption {
      type = types.raw;
      default = pkgs.runCommand "nixos-system-${config.system.name}-${config.system.nixos.label}" { } ''
        mkdir "$out"
        printf '%s' '${config.system.nixos.version}' > "$out/nixos-version"
        printf '%s' '${toString config.boot.kernelParams}' > "$out/kernel-params"
        ln -s ${kernel}/${kernelFile} "$out/kernel"
        ln -s ${config.system.build.initialRamdisk}/${initrdFile} "$out/initrd"
        ${lib.optionalString tree.enable "ln -s ${tree.package} $out/dtbs"}
        ln -s ${pkgs.coreutils}/bin/true "$out/init"
      '';
    };
  };

  config.system = {
    build = {
      toplevel = checked config.stub.toplevel;
      installBootLoader = lib.mkDefault "no boot loader";
      inherit kernel;
      etc = pkgs.runCommand "etc" { } ''
        mkdir -p "$out/etc"
        printf '%s\n' ID=nixos 'IMAGE_ID=${toString config.system.image.id}' \
          'IMAGE_VERSION=${toString config.system.image.version}' > "$out/etc/os-release"
      '';
      initialRamdisk = pkgs.runCommand "initrd-linux" { } ''
        mkdir "$out"
        printf 'initrd of %s\n' '${system}' > "$out/${initrdFile}"
      '';
      uki = pkgs.runCommand ukiFile { } ''
        mkdir "$out"
        printf 'unified kernel of %s\n' '${system}' > "$out/${ukiFile}"
      '';
    };
  };
}
