# What the tests' own lib says of modules, types and texts, to be compared with what nixpkgs' lib says of the same:
#
#   nix-instantiate --eval --strict --json tests/nix/conformance --arg lib 'import <nixpkgs/lib>'
#
# has to give tests/nix/conformance/nixpkgs.json, which a test holds against the lib in stub-nixpkgs. Errors are compared by the
# fact that there is one.
{ lib }:
let
  cases = import ./cases.nix { inherit lib; };
in
{
  definitions = import ./definitions.nix { inherit lib cases; };
  modules = import ./modules.nix { inherit lib cases; };
  texts = import ./texts.nix { inherit lib; };
  values = import ./values.nix { inherit lib cases; };
}
