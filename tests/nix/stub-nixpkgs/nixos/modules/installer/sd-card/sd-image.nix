# What another module takes the place of: two of them would be an error.
{ lib, ... }:
{
  options.sdImage.storePaths = lib.mkOption { type = lib.types.listOf lib.types.package; };
}
