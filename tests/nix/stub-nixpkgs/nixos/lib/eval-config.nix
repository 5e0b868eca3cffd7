# The configuration that modules make, on top of those that every NixOS has.
{
  lib ? import ../../lib.nix,
  # Where it is given, the configuration need not say nixpkgs.hostPlatform.
  system ? null,
  pkgs ? null,
  modules,
  specialArgs ? { },
}:
let
  modulesPath = toString ../modules;
  evaluated = lib.evalModules {
    specialArgs = {
      inherit modulesPath;
    }
    // specialArgs;
    modules =
      import ../modules/module-list.nix
      ++ lib.optional (system != null) { nixpkgs.system = lib.mkDefault system; }
      ++ lib.optional (pkgs != null) { nixpkgs.pkgs = lib.mkDefault pkgs; }
      ++ modules;
  };
in
evaluated
// {
  inherit lib;
  inherit (evaluated._module.args) pkgs;
}
