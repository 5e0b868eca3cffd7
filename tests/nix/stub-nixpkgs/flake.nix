{
  description = "As much of nixpkgs as Kiln's flake needs, for tests that have no network";

  outputs =
    { self }:
    let
      lib = import ./lib.nix;
    in
    {
      lib = lib // {
        nixosSystem = arguments: import ./nixos/lib/eval-config.nix ({ inherit lib; } // arguments);
      };
      legacyPackages = lib.genAttrs [ "aarch64-linux" "x86_64-linux" ] (
        system: import ./. { inherit system; }
      );
    };
}
