# A configuration as nix-build '<nixpkgs/nixos>' -I nixos-config=… takes it.
{ config, ... }:
{
  imports = [ ../../nix/modules/sd-image.nix ];
  boot.loader.grub.enable = false;
  boot.loader.generic-extlinux-compatible.enable = true;
  sdImage.populateFirmwareCommands = "echo arm_64bit=1 > firmware/config.txt";
  sdImage.populateRootCommands = ''
    mkdir -p ./files/boot
    ${config.boot.loader.generic-extlinux-compatible.populateCmd} -c ${config.system.build.toplevel} -d ./files/boot
  '';
}
