# Variants for virtual machines and clouds, on nixpkgs' own modules of the guests, as system.build.images has them.
{
  pkgs ? import ./stub-nixpkgs { },
}:
let
  inherit (pkgs) lib;
  configuration =
    settings:
    (import ./stub-nixpkgs/nixos/lib/eval-config.nix {
      inherit pkgs;
      modules = [
        ../../nix/modules/variants.nix
        { boot.loader.timeout = lib.mkDefault 3; }
        settings
      ];
    }).config;
  inherit (configuration { }) system;
  all = lib.filterAttrs (
    name: _:
    !(builtins.elem name [
      "kiln-efi"
      "kiln-sd"
      "kiln-sd-image"
      "raw"
    ])
  ) system.build.images;
  # Variants with settings of their own, as image.modules merges them.
  special =
    variant: settings: (configuration { image.modules.${variant} = settings; }).system.build.images.${variant};

  told = image: {
    inherit (image) name;
    inherit (image.passthru) filePath;
    inherit (image) products;
    inherit (image.specification) disk;
    formats = lib.mapAttrs (_: fs: fs.format) image.specification.fs;
    free = image.specification.fs.root.free or null;
    loader = image.passthru.config.system.boot.loader.id;
    inherit (image.passthru.config.boot) kernelParams;
    root = image.passthru.config.fileSystems."/".device;
  };
in
{
  names = builtins.attrNames all;
  told = lib.mapAttrs (_: told) all;
  special = lib.mapAttrs (_: told) {
    azure-v2 = special "kiln-azure" { virtualisation.azureImage.vmGeneration = "v2"; };
    amazon-efi = special "kiln-amazon" {
      ec2.efi = true;
      amazonImage.format = "raw";
    };
    vmware-stream = special "kiln-vmware" { vmware.vmSubformat = "streamOptimized"; };
    proxmox-hybrid = special "kiln-proxmox" { proxmox.partitionTableType = "hybrid"; };
    raw-size = special "kiln-raw-efi" { virtualisation.diskSize = 2048; };
  };
  refused = lib.mapAttrs (_: image: image.drvPath) {
    unknown = system.build.images.kiln-amazn;
    unknown-guest =
      (configuration { image.modules.mine.imports = [ (import ../../nix/modules/guest.nix "amazn") ]; })
      .system.build.images.mine;
    zfs = special "kiln-amazon" { ec2.zfs.enable = true; };
    bzip2 = special "kiln-digital-ocean" {
      virtualisation.digitalOceanImage.compressionMethod = "bzip2";
    };
    flat = special "kiln-vmware" { vmware.vmSubformat = "monolithicFlat"; };
    extra-disk = special "kiln-virtualbox" { virtualbox.extraDisk.size = 1; };
    commands = special "kiln-virtualbox" { virtualbox.postExportCommands = "cot …"; };
  };
  images = all;
}
