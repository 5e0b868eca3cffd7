# What nixos/modules/installer/netboot/netboot.nix has (03a5cc69, and options of a748cedf): its initrd is made elsewhere, and
# its tree for kexec and its script for iPXE are made here.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (config.system.build) kernel netbootRamdisk toplevel;
  parameters = "init=${toplevel}/init ${toString config.boot.kernelParams}";
in
{
  options.netboot = {
    squashfsCompression = mkOption {
      type = types.str;
      default = "zstd -Xcompression-level 19";
    };
    storeContents = mkOption { };
  };

  config = {
    boot.loader.grub.enable = false;
    fileSystems."/" = lib.mkImageMediaOverride {
      fsType = "tmpfs";
      options = [ "mode=0755" ];
    };
    netboot.storeContents = [ toplevel ];
    system.build = {
      # Whatever takes their place: these are never built.
      squashfsStore = pkgs.runCommand "squashfs.img" { } "exit 1";
      netbootRamdisk = pkgs.runCommand "initrd" { } "exit 1";
      netbootIpxeScript = pkgs.runCommand "netboot.ipxe" { } ''
        mkdir "$out"
        printf '%s\n' '#!ipxe' 'kernel bzImage initrd=initrd ${parameters}' 'initrd initrd' boot > "$out/netboot.ipxe"
      '';
      kexecScript = pkgs.writeShellScript "kexec-boot" ''kexec --command-line "${parameters}"'';
      kexecTree = pkgs.linkFarm "kexec-tree" [
        {
          name = "initrd.gz";
          path = "${netbootRamdisk}/initrd";
        }
        {
          name = "bzImage";
          path = "${kernel}/${config.system.boot.loader.kernelFile}";
        }
        {
          name = "kexec-boot";
          path = config.system.build.kexecScript;
        }
      ];
    };
  };
}
