# What an image's file is called.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (config) image;
  text = more: lib.mkOption ({ type = lib.types.str; } // more);
in
{
  options.image = {
    baseName = text {
      default = "nixos-image-${config.system.nixos.label}-${pkgs.stdenv.hostPlatform.system}";
    };
    extension = text { };
    fileName = text { default = "${image.baseName}.${image.extension}"; };
    # Below $out.
    filePath = text { default = image.fileName; };
  };
}
