# An appliance that updates itself: kiln.layout = "appliance". Its options, and what the system has to know of the disk. It is
# fed by nixpkgs' own options: system.image, boot.uki, systemd.sysupdate and systemd.repart.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  inherit (lib)
    literalExpression
    mkDefault
    mkOption
    types
    ;
  cfg = config.kiln.appliance;
  media = import ./media.nix { inherit lib; };
  layout = import ./appliance-layout.nix { inherit config lib pkgs; };
  # Options that older versions of nixpkgs do not have.
  systemd = options.boot.initrd.systemd or { };
  file =
    description:
    mkOption {
      type = types.nullOr types.path;
      default = null;
      inherit description;
    };
  amount =
    default: description:
    mkOption {
      type = types.str;
      inherit default description;
    };
in
{
  options.kiln.appliance = {
    espSize = amount "512MiB" ''
      The size of the EFI system partition. It has room for systemd-boot and at least three unified kernel images: two that
      are installed, and one that is being written.
    '';
    storeSize = amount "2GiB" ''
      The size of each of the two partitions for the store. What grows beyond it cannot be installed on devices that are out
      there, so it leaves room for years.
    '';
    varSize = amount "1GiB" ''
      The least that /var has. The first boot makes it, and it gets what the disk has left.
    '';
    url = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://updates.example.org/appliance";
      description = ''
        Where devices look for releases: a folder that a web server has. The system gets the transfer files for it, unless
        `systemd.sysupdate.transfers` has its own, which are then compared with the release.
      '';
    };
    keyring = file ''
      The public key that signs releases, as a binary OpenPGP key ring: `/etc/systemd/import-pubring.gpg`. Without it, devices
      take releases from anybody.
    '';
    signatures = {
      uki = file ''
        The signature of the unified kernel image for Secure Boot, made elsewhere: a CMS in DER. Without it, the image is not
        signed.
      '';
      systemd-boot = file ''
        The signature of systemd-boot, made elsewhere, likewise.
      '';
      release = file ''
        The signature of the release's SHA256SUMS, made elsewhere: OpenPGP, detached, which gpg makes. Without it, the release has
        none, and it can be laid beside SHA256SUMS later.
      '';
    };
    enrollment = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = literalExpression "{ PK = ./PK.auth; KEK = ./KEK.auth; db = ./db.auth; }";
      description = ''
        Updates of the firmware's variables, which were signed elsewhere: systemd-boot hands them to a firmware that has no
        owner yet.
      '';
    };
    uki = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = literalExpression ''{ microcode = "''${pkgs.microcode-amd}/amd-ucode.img"; }'';
      description = "Keys of Kiln's `[uki.NAME]` for the unified kernel image, beside what `boot.uki.settings` say.";
    };
    release = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = literalExpression ''{ best-before = "2027-01-31"; }'';
      description = "Keys of Kiln's `[release]`, over those of the layout.";
    };
  };

  config = lib.mkIf (config.kiln.layout == "appliance") (
    lib.mkMerge [
      {
        image.baseName = mkDefault "${layout.id}_${layout.version}";
        boot.uki.tries = mkDefault 3;
        boot.initrd.systemd.enable = mkDefault true;
        boot.initrd.systemd.repart.enable = mkDefault true;
        boot.initrd.supportedFilesystems = [
          "erofs"
          "ext4"
        ];
        # Whatever is wrong with a version, it ends in another attempt, which boot counting needs.
        boot.kernelParams = [
          "panic=10"
          "systemd.verity_usr_options=panic-on-corruption"
        ];
        # The store is written by updates only, and there is nothing to install a boot loader for.
        boot.loader.systemd-boot.enable = media.override false;
        boot.loader.generic-extlinux-compatible.enable = media.override false;
        nix.enable = mkDefault false;
        # /usr has it already.
        system.activationScripts.usrbinenv = media.override "";
        systemd.repart.partitions = lib.mapAttrs (_: lib.mapAttrs (_: mkDefault)) layout.partitions;
        systemd.sysupdate.enable = mkDefault (cfg.url != null);
        warnings = lib.optional (cfg.url != null && cfg.keyring == null) (
          "kiln.appliance.keyring is not set: devices take releases from whoever answers at ${cfg.url}; "
          + "say the public key that signs them before the first device has this image"
        );
        environment.etc = lib.mkIf (cfg.keyring != null) {
          "systemd/import-pubring.gpg".source = cfg.keyring;
        };
        fileSystems = {
          "/" = media.override {
            fsType = "tmpfs";
            device = "tmpfs";
            options = [ "mode=0755" ];
          };
          # systemd mounts /usr, since the command line has its root hash.
          "/nix/store" = media.override {
            device = "/usr/nix/store";
            fsType = "none";
            options = [
              "bind"
              "ro"
            ];
          };
          "/var" = media.override {
            device = "/dev/disk/by-partlabel/var";
            fsType = "ext4";
            neededForBoot = true;
          };
        };
        system.build = {
          uki = lib.mkForce config.system.build.image.uki;
          kilnRelease = config.system.build.image.release;
        };
      }
      (lib.optionalAttrs (systemd ? dmVerity) { boot.initrd.systemd.dmVerity.enable = mkDefault true; })
      # What makes /var.
      (lib.optionalAttrs (systemd ? initrdBin) { boot.initrd.systemd.initrdBin = [ pkgs.e2fsprogs ]; })
    ]
  );
}
