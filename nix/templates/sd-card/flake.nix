# An SD card of a NixOS system: nix build .#image
{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    kiln.url = "github:OWNER/kiln";
    kiln.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { nixpkgs, kiln, ... }:
    let
      # The board, and the system of the machine that makes its image, which builds or fetches the board's.
      board =
        buildSystem:
        nixpkgs.lib.nixosSystem {
          system = "aarch64-linux";
          modules = [
            kiln.nixosModules.image
            (
              { pkgs, ... }:
              {
                system.stateVersion = "25.11";
                kiln.buildSystem = buildSystem;
                kiln.layout = "sd-card";
                kiln.compress = "zstd";
                # Files of the FAT, for a Raspberry Pi.
                kiln.firmware."/u-boot-rpi4.bin" = "${pkgs.ubootRaspberryPi4_64bit}/u-boot.bin";
                # Everything else that a specification can say.
                kiln.specification.fs.root.free = "256MiB";
              }
            )
          ];
        };
    in
    {
      packages = nixpkgs.lib.genAttrs [ "aarch64-linux" "x86_64-linux" ] (buildSystem: {
        image = (board buildSystem).config.system.build.image;
      });
    };
}
