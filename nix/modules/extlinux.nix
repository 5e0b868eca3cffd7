# What NixOS' options say of a boot menu for U-Boot, as keys of `extlinux` in the specification: what nixpkgs'
# generic-extlinux-compatible hands to its builder as -t, -g, -n and -r.
{ config, lib }:
let
  loader = config.boot.loader;
  extlinux = loader.generic-extlinux-compatible;
  deviceTree = config.hardware.deviceTree or { };
  timeout = loader.timeout or 5;
  name = deviceTree.name or null;
in
{
  timeout = if timeout == null then -1 else timeout;
  # What hardware.deviceTree.filter leaves is in the system's dtbs, where the menu finds it.
  limit = extlinux.configurationLimit or 20;
}
// (
  if !(extlinux.useGenerationDeviceTree or true) then
    { device-trees = false; }
  else
    lib.optionalAttrs (name != null) { dtb-name = name; }
)
