# A variant of a configuration for a virtual machine or a cloud: nixpkgs' own module of that name, whose image Kiln makes. File names,
# sizes, and what the guest runs are those of nixpkgs.
name:
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:
let
  guests = import ./guests.nix { inherit lib; };
  media = import ./media.nix { inherit lib; };
  guest =
    guests.${name}
      or (throw "kiln: there is no guest ${name}; there are ${toString (builtins.attrNames guests)}");
  given = guest.arguments {
    inherit config modulesPath pkgs;
    inherit (config.kiln) buildPkgs;
  };
  arguments = removeAttrs given [ "kind" ];
  isEfi = builtins.elem (given.partitionTableType or "legacy") [
    "efi"
    "efixbootldr"
  ];
  images = config.kiln.lib;
in
{
  # Imported twice, it is there once.
  key = "kiln#guest-${name}";
  imports = [
    "${modulesPath}/${guest.path}"
    ./kiln.nix
  ];

  config = lib.mkMerge [
    (guest.settings or { })
    {
      image.extension = lib.mkIf (guest ? extension) (lib.mkForce guest.extension);
      # nixpkgs' own definition stands beside this one, and is never asked for.
      system.build.image = lib.mkForce (
        import ../drop-ins/make-disk-image.nix (
          {
            inherit
              config
              images
              lib
              pkgs
              ;
            inherit (config.kiln) buildPkgs;
            inherit (config.image) baseName fileName;
            hydra.${given.kind} = config.image.fileName;
          }
          // arguments
        )
      );
    }
    # An image has one boot loader, and on a disk with an EFI system partition that is this one.
    (lib.mkIf isEfi {
      boot.loader.grub.enable = media.override false;
      boot.loader.systemd-boot.enable = media.override true;
    })
  ];
}
