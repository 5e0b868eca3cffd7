# What can be built of a configuration. Two definitions of one name are an error.
{ lib, ... }:
{
  options.system.build = lib.mkOption {
    default = { };
    type = lib.types.submoduleWith {
      modules = [
        { freeformType = lib.types.lazyAttrsOf (lib.types.uniq lib.types.unspecified); }
      ];
    };
  };
}
