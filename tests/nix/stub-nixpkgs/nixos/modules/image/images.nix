# Images of a configuration, each with a module of its own on top: image.modules and system.build.images as
# nixos/modules/image/images.nix of nixpkgs has them. A configuration is extended by each module; the image is what that calls
# system.build.image, with passthru.config and passthru.filePath, and an error of these words where it calls nothing so.
{
  config,
  extendModules,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  variants = lib.mapAttrs (_: module: extendModules { modules = [ module ]; }) config.image.modules;
  made =
    name: variant:
    lib.recursiveUpdate
      (variant.config.system.build.image
        or (throw "Module for `system.build.images.${name}` misses required `system.build.image` option.")
      )
      {
        passthru = {
          inherit (variant) config;
          inherit (variant.config.image) filePath;
        };
      };
in
{
  options = {
    system.build.images = mkOption {
      type = types.lazyAttrsOf types.raw;
      readOnly = true;
    };
    image.modules = mkOption { type = types.attrsOf types.deferredModule; };
  };

  config = {
    # NixOS has two dozen.
    image.modules.raw = {
      imports = [ ./file-options.nix ];
      image.extension = "raw";
      system.build.image = pkgs.runCommand "raw-image" { } ''mkdir "$out"'';
    };
    system.build.images = lib.warnIf (
      config.system.build ? image
    ) "system.build.image is defined by the configuration itself" (lib.mapAttrs made variants);
  };
}
