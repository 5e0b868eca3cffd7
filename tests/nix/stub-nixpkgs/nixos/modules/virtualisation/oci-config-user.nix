# What a guest finds in /etc/nixos.
{ modulesPath, ... }:
{
  imports = [ "${modulesPath}/virtualisation/oci-common.nix" ];
}
