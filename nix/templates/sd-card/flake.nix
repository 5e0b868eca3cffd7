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
      # The board; this machine may be another one, as long as it can build or fetch the system.
      board = nixpkgs.lib.nixosSystem {
        system = "aarch64-linux";
        modules = [
          kiln.nixosModules.image
          (
            { pkgs, ... }:
            {
              system.stateVersion = "25.11";
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
      packages.x86_64-linux.image = board.config.system.build.image;
      packages.aarch64-linux.image = board.config.system.build.image;
    };
}
