# A configuration's image or system, as nix-build '<nixpkgs/nixos>' -A … -I nixos-config=… has it.
{
  configuration ? import <nixos-config>,
  system ? builtins.currentSystem,
}:
import ./lib/eval-config.nix {
  inherit system;
  modules = [ configuration ];
}
