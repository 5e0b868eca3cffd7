# What NixOS' options say of GRUB for a BIOS: its menu, as keys of `grub` of a file system, and whether a disk gets its core image.
{ config, lib }:
let
  loaders = config.boot.loader;
  cfg = loaders.grub;
  timeout = loaders.timeout or 5;
  default = toString (cfg.default or "0");
  text = option: cfg.${option} or "";
in
{
  # Where grub-install would go.
  devices = lib.filter (device: device != "" && device != "nodev") (
    lib.unique ([ (cfg.device or "") ] ++ cfg.devices or [ ])
  );
  menu = {
    timeout = if timeout == null then -1 else timeout;
    limit = cfg.configurationLimit or 100;
  }
  // lib.optionalAttrs (text "extraConfig" != "") { extra-config = cfg.extraConfig; }
  // lib.optionalAttrs (text "extraEntries" != "") { extra-entries = cfg.extraEntries; }
  // lib.optionalAttrs (cfg.copyKernels or false) { copy-kernels = true; }
  // lib.optionalAttrs (default != "0") {
    default =
      if builtins.match "[0-9]+" default == null then
        throw "boot.loader.grub.default = \"${default}\": Kiln's menu takes a number"
      else
        lib.toInt default;
  };
}
