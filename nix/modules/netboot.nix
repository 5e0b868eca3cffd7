# nixpkgs' netboot, whose initrd with the store is made by Kiln: beside its installer/netboot/netboot.nix, and whatever imports
# that. Its scripts and its tree for kexec find the initrd where they did.
{ config, lib, ... }:
let
  inherit (lib) literalExpression mkOption types;
  cfg = config.netboot;
  inherit (config.system.boot.loader) initrdFile kernelFile;
  closure = lib.toList cfg.storeContents;
  # As mksquashfs is told, unless keys say it.
  compression =
    if config.kiln.netboot.store ? compression || !(cfg ? squashfsCompression) then
      { }
    else
      import ../drop-ins/compressor.nix {
        inherit lib;
        what = "netboot.squashfsCompression";
      } cfg.squashfsCompression;
in
{
  imports = [ ./kiln.nix ];

  options.kiln.netboot.store = mkOption {
    type = types.attrsOf types.anything;
    default = { };
    example = literalExpression ''{ compression = "zstd"; level = 19; }'';
    description = ''
      Keys of Kiln's `[fs.NAME]` for the squashfs with the store, over what `netboot.squashfsCompression` says.
    '';
  };

  config.system.build.netbootRamdisk = lib.mkForce (
    config.kiln.lib.mkNetboot {
      name = "initrd";
      inherit closure;
      inherit (config.system.build) toplevel;
      store = compression // config.kiln.netboot.store;
      netboot = {
        kernel = "${config.system.build.kernel}/${kernelFile}";
        initrd = "${config.system.build.initialRamdisk}/${initrdFile}";
        # Braces are values of Kiln's.
        cmdline = lib.replaceStrings [ "{" "}" ] [ "{{" "}}" ] (
          "init=${config.system.build.toplevel}/init ${toString config.boot.kernelParams}"
        );
      };
    }
  );
}
