# The options that an image's file has on NixOS.
{ lib, config, ... }:
{
  options.image = {
    baseName = lib.mkOption { type = lib.types.str; };
    extension = lib.mkOption { type = lib.types.str; };
    fileName = lib.mkOption {
      type = lib.types.str;
      default = "${config.image.baseName}.${config.image.extension}";
    };
    filePath = lib.mkOption {
      type = lib.types.str;
      default = config.image.fileName;
    };
  };
}
