{
  description = "As much of nixpkgs as Kiln's flake needs, for tests that have no network";

  outputs =
    { self }:
    {
      lib = import ./lib.nix;
      legacyPackages.${builtins.currentSystem} = import ./. { };
    };
}
