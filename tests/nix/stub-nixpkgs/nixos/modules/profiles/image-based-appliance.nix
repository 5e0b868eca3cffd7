# What nixos/modules/profiles/image-based-appliance.nix (136283b5) says, without the minimal profile.
{ lib, ... }:
{
  nix.enable = false;
  system.switch.enable = false;
  users.mutableUsers = false;
  boot.initrd.systemd.enable = lib.mkDefault true;
  networking.useNetworkd = lib.mkDefault true;
}
