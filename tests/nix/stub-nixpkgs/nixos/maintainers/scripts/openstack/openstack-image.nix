# OpenStack.
{ lib, pkgs, ... }:
{
  imports = [
    (import ../../../modules/virtualisation/guest.nix {
      build = "openstackImage";
      tag = "openstack";
      extension = "qcow2";
      efi = config: config.openstack.efi;
    })
  ];
  options.openstack.efi = lib.mkOption {
    type = lib.types.bool;
    default = pkgs.stdenv.hostPlatform.isAarch64;
  };
  config.boot.kernelParams = [ "console=tty1" ];
  config.boot.loader.timeout = 1;
}
