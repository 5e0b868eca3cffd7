# An image of a system whose disk is said to disko: beside disko's own module, from the same disko.devices. The system mounts
# what disko's module says, which is what lies in the image. No virtual machine runs, and disko's scripts do not either.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) literalExpression mkOption types;
  cfg = config.kiln.disko;
  extlinux = import ./extlinux.nix { inherit config lib; };
  grub = import ./grub.nix { inherit config lib; };
  boot = import ./systemd-boot.nix { inherit config lib pkgs; };
  loaders = config.boot.loader;
  efi = lib.mapAttrs' (path: lib.nameValuePair (loaders.efi.efiSysMountPoint + path));
  devices =
    config.disko.devices
      or (throw "kiln.disko: there are no disko.devices; import disko.nixosModules.disko beside this module");

  made = config.kiln.lib.fromDisko (
    {
      name = config.image.baseName;
      inherit devices;
      inherit (cfg) disk imageSize keys;
      inherit (config.kiln) closure;
      toplevel = config.system.build.toplevel;
    }
    // lib.optionalAttrs loaders.systemd-boot.enable {
      files = efi boot.files;
      text = efi boot.text;
    }
    // lib.optionalAttrs loaders.generic-extlinux-compatible.enable { inherit extlinux; }
    // lib.optionalAttrs loaders.grub.enable {
      grub = grub.menu;
      grubFiles = "${pkgs.grub2}/lib/grub/i386-pc";
    }
  );

  # What the system mounts of the disk, and what of that is something else.
  others = lib.filterAttrs (
    at: mount:
    let
      said = config.fileSystems.${at} or null;
    in
    said == null
    || said.device != mount.device
    || said.fsType != mount.fsType
    || !(builtins.all (option: builtins.elem option said.options) mount.options)
  ) made.passthru.fileSystems;
in
{
  imports = [ ./image.nix ];

  options.kiln.disko = {
    disk = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "main";
      description = "Which of `disko.devices.disk` the image is of; the only one when null.";
    };
    imageSize = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "auto";
      description = ''
        The size of the image in place of the disk's own `imageSize`. With `auto` a partition of `size = "100%"` is as small as
        possible.
      '';
    };
    keys = mkOption {
      type = types.attrsOf (types.attrsOf types.anything);
      default = { };
      example = literalExpression ''{ root.free = "1GiB"; }'';
      description = "Keys of Kiln's specification for the file systems of the disk's partitions, by the partitions' names.";
    };
  };

  config = {
    # As disko calls its images; over what image.nix says, and under what users say.
    image.extension = lib.mkOverride 999 "raw";
    kiln.specification = {
      inherit (made) fs;
      disk = removeAttrs made.disk [ "file" ];
    };
    assertions = [
      {
        assertion = others == { };
        message =
          "the image is what disko.devices says, and the system would mount something else: fileSystems of "
          + "${toString (builtins.attrNames others)}; leave them to disko (disko.enableConfig), or say the same";
      }
    ];
  };
}
