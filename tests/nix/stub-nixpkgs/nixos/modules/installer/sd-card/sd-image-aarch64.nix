# What NixOS says of all boards of an architecture, on top of sd-image.nix.
{ config, ... }:
{
  imports = [ ./sd-image.nix ];

  boot.loader.grub.enable = false;
  boot.loader.generic-extlinux-compatible.enable = true;
  sdImage.populateFirmwareCommands = "echo arm_64bit=1 > firmware/config.txt";
  sdImage.populateRootCommands = ''
    mkdir -p ./files/boot
    ${config.boot.loader.generic-extlinux-compatible.populateCmd} -c ${config.system.build.toplevel} -d ./files/boot
  '';
}
