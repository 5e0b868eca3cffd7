# An image of a NixOS system by Kiln: fills system.build.image, image.extension and image.filePath, as nixpkgs' own image
# modules do, so it is one of them: image.modules.kiln = { imports = [ kiln.nixosModules.image ]; kiln.layout = "efi"; }.
{
  config,
  lib,
  modulesPath,
  options,
  pkgs,
  ...
}:
let
  inherit (lib)
    literalExpression
    mkDefault
    mkIf
    mkOption
    types
    ;
  cfg = config.kiln;
  media = import ./media.nix { inherit lib; };
  names = import ./names.nix { inherit config lib; };
  layouts = import ./layouts.nix { inherit config lib pkgs; };
  isSd = cfg.layout == "sd-card";
  isEfi = cfg.layout == "efi";
  isAppliance = cfg.layout == "appliance";

  # Lists are replaced as a whole.
  specification = lib.recursiveUpdate layouts.${cfg.layout} cfg.specification;
  disk = specification.disk or { };
  compress = if disk ? compress then disk.compress else cfg.compress;
  name = names {
    inherit compress;
    file = disk.file or null;
    folder = "";
  };

  bills = import ./sbom.nix { inherit config lib; };

  mount = part: media.mount { inherit specification part; };
  mountOfRoot = mount "root";
  # Labels of partitions that systemd-repart makes at the first boot.
  made = lib.mapAttrsToList (_: partition: toString (partition.Label or partition.Type or "")) (
    config.systemd.repart.partitions or { }
  );
  # systemd-repart grows partitions itself, and NixOS refuses both at once.
  repart =
    (config.systemd.repart.enable or false) || (config.boot.initrd.systemd.repart.enable or false);

  wrong = import ./checks.nix { inherit lib; } {
    inherit specification;
    wayOut = "change their offsets in kiln.loaders or kiln.specification.disk.region";
  };
  ofAppliance = import ./appliance-checks.nix {
    inherit
      config
      lib
      options
      specification
      ;
    layout = import ./appliance-layout.nix { inherit config lib pkgs; };
  };
  checks = name.assertions ++ wrong ++ lib.optionals isAppliance ofAppliance ++ [
    {
      assertion = cfg.layout != "custom" || disk.region or [ ] != [ ];
      message =
        "kiln.layout is \"custom\", which has no partitions, and kiln.specification.disk.region has none either: say "
        + "kiln.layout = \"sd-card\" (a card for boards with U-Boot), kiln.layout = \"efi\" (a disk for machines with UEFI), "
        + "kiln.layout = \"appliance\" (one that updates itself), or regions";
    }
    {
      assertion = !(disk ? compress && cfg.compress != null) || disk.compress == cfg.compress;
      message = "kiln.compress and kiln.specification.disk.compress contradict each other: say one of them";
    }
  ];
  failed = builtins.filter (check: !check.assertion) checks;
  checked =
    value:
    if failed == [ ] then
      value
    else
      throw (lib.concatMapStrings (check: "\n- ${check.message}") failed);
in
{
  imports = [
    "${modulesPath}/image/file-options.nix"
    ./appliance.nix
    ./kiln.nix
    ./options.nix
  ];

  options.fileSystems = (media.optional { inherit made specification; }).fileSystems;
  options.swapDevices = (media.optional { inherit made specification; }).swapDevices;
  options.kiln = {
    layout = mkOption {
      type = types.enum [
        "appliance"
        "custom"
        "efi"
        "sd-card"
      ];
      default = "custom";
      description = ''
        What the image is like before `specification` says more. `sd-card`: an MBR, a FAT named FIRMWARE, and a root named
        NIXOS_SD with a boot menu for U-Boot. `efi`: a GPT, an EFI system partition with systemd-boot as NixOS installs it,
        and a root named nixos. `appliance`: a GPT, an EFI system partition with systemd-boot and a unified kernel image, and the
        store under dm-verity, which is updated as a whole (`kiln.appliance`). `custom`: nothing; `specification.disk.region` has
        to say what is on the disk.
      '';
    };
    closure = mkOption {
      type = types.listOf types.package;
      default = [ config.system.build.toplevel ];
      defaultText = literalExpression "[ config.system.build.toplevel ]";
      description = "The store paths whose closure is in the image.";
    };
    compress = mkOption {
      type = types.nullOr (
        types.enum [
          "gzip"
          "xz"
          "zstd"
        ]
      );
      default = null;
      description = "How the image is compressed while it is written.";
    };
  };

  config = lib.mkMerge [
    {
      image.extension = mkDefault name.extension;
      image.fileName = mkIf (name.fileName != null) (mkDefault name.fileName);
      image.filePath = mkDefault config.image.fileName;
      system.build.image = checked (
        cfg.lib.mkDiskImage (
          {
            name = config.image.baseName;
            inherit (cfg) closure;
          }
          // bills specification
          // {
            disk =
              removeAttrs disk [ "compress" ]
              // {
                inherit (name) file;
              }
              // lib.optionalAttrs (compress != null) { inherit compress; };
            passthru = specification.passthru or { } // {
              inherit config;
              inherit (config.image) filePath;
            };
          }
        )
      );
    }
    (mkIf (isSd || isEfi || isAppliance) {
      # An image has one boot loader, whatever the machine has that its configuration was written for.
      boot.loader.grub.enable = media.override false;
      warnings = media.warnings {
        inherit made specification;
        inherit (config) fileSystems swapDevices;
      };
    })
    (mkIf (isSd || isEfi) {
      fileSystems."/" = media.override mountOfRoot;
      # NixOS concludes it from the mount, unless somebody mounts another root over it.
      boot.initrd.supportedFilesystems = lib.optional (mountOfRoot.fsType == "btrfs") "btrfs";
      boot.growPartition = mkDefault (!repart);
    })
    (mkIf (isSd || isEfi || isAppliance) (
      # What hardware-configuration.nix says of encrypted disks that the image has not.
      lib.optionalAttrs (options.boot.initrd or { } ? luks) {
        boot.initrd.luks.devices = media.override { };
      }
    ))
    (mkIf isSd {
      fileSystems."/boot/firmware" = media.override (
        media.mount {
          inherit specification;
          part = "firmware";
          preferred = "label";
        }
        // {
          options = [
            "nofail"
            "noauto"
          ];
        }
      );
      boot.loader.systemd-boot.enable = media.override false;
      boot.loader.generic-extlinux-compatible.enable = mkDefault true;
    })
    (mkIf isSd (import ./board.nix { inherit lib options pkgs; }))
    (mkIf (isEfi || isAppliance) {
      fileSystems.${config.boot.loader.efi.efiSysMountPoint} = media.override (mount "esp");
    })
    (mkIf isEfi {
      boot.loader.systemd-boot.enable = media.override true;
      boot.loader.systemd-boot.xbootldrMountPoint = media.override null;
      boot.loader.generic-extlinux-compatible.enable = media.override false;
    })
  ];
}
