# An appliance that updates itself, for machines with UEFI: nix build .#image for the factory, .#release for the web server.
{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    kiln.url = "github:OWNER/kiln";
    kiln.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { nixpkgs, kiln, ... }:
    let
      # The machine, and the system of the one that makes its image, which builds or fetches the machine's.
      appliance =
        buildSystem:
        nixpkgs.lib.nixosSystem {
          system = "x86_64-linux";
          modules = [
            kiln.nixosModules.image
            ./configuration.nix
            { kiln.buildSystem = buildSystem; }
          ];
        };
    in
    {
      packages = nixpkgs.lib.genAttrs [ "aarch64-linux" "x86_64-linux" ] (
        buildSystem:
        let
          inherit ((appliance buildSystem).config.system) build;
        in
        {
          inherit (build) image uki;
          release = build.kilnRelease;
          default = build.image;
        }
      );
    };
}
