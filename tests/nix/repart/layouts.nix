# Layouts as appliances in the wild define them: each has an image, or an error that names the key.
{
  lib,
  # Partitions, and more arguments of fromRepart: an image.
  make,
  # A folder with loader.conf, which stands for what is in an ESP, and a store path that stands for a system.
  folder,
  system,
  # A file that stands for a loader.
  loader,
}:
let
  esp = size: {
    contents."/EFI/BOOT/BOOTX64.EFI".source = "${folder}/loader.conf";
    repartConfig = {
      Type = "esp";
      Format = "vfat";
      SizeMinBytes = size;
    };
  };
  store = config: {
    storePaths = [ system ];
    repartConfig = config;
  };
  only = repartConfig: { inherit repartConfig; };
  fixed = size: {
    SizeMinBytes = size;
    SizeMaxBytes = size;
  };
  image =
    arguments: finalPartitions:
    make (
      {
        version = "7";
        inherit finalPartitions;
      }
      // arguments
    );
  # A store in /usr with hashes, as image.repart.verityStore has it.
  verityStore = format: more: {
    "00-esp" = esp "64M";
    "10-store-verity" = only (
      {
        Type = "usr-verity";
        Verity = "hash";
        VerityMatchKey = "store";
        Label = "store-verity";
        Minimize = "best";
      }
      // more.verity or { }
    );
    "20-store" = store (
      {
        Type = "usr";
        Verity = "data";
        Format = format;
        VerityMatchKey = "store";
        Label = "store";
        Minimize = "best";
      }
      // more.store or { }
    );
  };
  # A root that everything of it is in.
  root = more: {
    "00-esp" = esp "64M";
    "10-root" = store (
      {
        Type = "root";
        Label = "root";
        Format = "squashfs";
        Minimize = "best";
        Verity = "data";
        VerityMatchKey = "root";
        MakeDirectories = "/bin /boot /dev /etc /home /nix /proc /root /run /sys /tmp /usr /var";
      }
      // more
    );
    "20-root-verity" = only {
      Type = "root-verity";
      Label = "root-verity";
      Verity = "hash";
      VerityMatchKey = "root";
      Minimize = "best";
    };
  };
in
{
  # nixpkgs' appliance: an ESP, and a root that is as small as it can be.
  appliance = image { } {
    esp = esp "64M";
    root = store {
      Type = "root";
      Format = "ext4";
      Label = "root";
      Minimize = "guess";
    };
  };
  verityStore = image { mkfsOptions.erofs = [ "-zlz4hc,level=9 -C65536" ]; } (verityStore "erofs" { });
  verityRoot = image { } (root { });
  # Slots of fixed sizes; the second ones are empty, and called so.
  slots = image { split = true; } {
    "10-esp" = esp "64M";
    "20-store-verity" = only (
      {
        Type = "usr-verity";
        Label = "verity_%A";
        Verity = "hash";
        VerityMatchKey = "store";
        VerityDataBlockSizeBytes = 4096;
        VerityHashBlockSizeBytes = 4096;
        ReadOnly = "yes";
        SplitName = "verity_%U";
        Minimize = "best";
        Weight = 0;
      }
      // fixed "2M"
    );
    "30-store" =
      store (
        {
          Type = "usr";
          Label = "store_%A";
          Format = "squashfs";
          Verity = "data";
          VerityMatchKey = "store";
          ReadOnly = "yes";
          SplitName = "store_%U";
        }
        // fixed "64M"
      )
      // {
        nixStorePrefix = "/";
      };
    "40-store-verity" = only (
      {
        Type = "usr-verity";
        Label = "_empty";
        SplitName = "-";
      }
      // fixed "2M"
    );
    "50-store" = only (
      {
        Type = "usr";
        Label = "_empty";
        ReadOnly = 1;
        SplitName = "-";
      }
      // fixed "64M"
    );
    "60-data" = only {
      Type = "linux-generic";
      Format = "ext4";
      Label = "data";
      SizeMinBytes = "128M";
      FactoryReset = true;
      MountPoint = "/var/lib/data";
      SplitName = "-";
    };
  };
  # A partition with room behind it, for a larger one later.
  padded = image { split = true; } {
    "10-boot" = esp "64M";
    "20-usr-a" = store {
      Type = "usr";
      Format = "squashfs";
      Minimize = true;
      Verity = "data";
      VerityMatchKey = "usr";
      SplitName = "usr";
      PaddingMinBytes = "512M";
      PaddingMaxBytes = "512M";
    };
    "20-usr-hash-a" = only {
      Type = "usr-verity";
      Minimize = true;
      Verity = "hash";
      VerityMatchKey = "usr";
      SplitName = "usr-hash";
      PaddingMinBytes = "64M";
      PaddingMaxBytes = "64M";
    };
  };
  # A board whose loader is a partition, and a disk of its size.
  board = image { imageSize = "1G"; } {
    "00-uboot" = only {
      Type = "linux-generic";
      Label = "uboot";
      CopyBlocks = "${loader}";
      SizeMinBytes = "15M";
      SizeMaxBytes = "15M";
    };
    "10-esp" = esp "128M";
    "20-root" = store {
      Type = "root";
      Format = "ext4";
      Label = "nixos";
      SizeMinBytes = "256M";
      GrowFileSystem = true;
    };
  };
  # Subvolumes, swap, and a home that a first boot enlarges.
  desktop = image { } {
    "10-esp" = esp "128M";
    "20-root" = {
      storePaths = [ system ];
      nixStorePrefix = "/@nix/store";
      repartConfig = {
        Type = "root";
        Format = "btrfs";
        Subvolumes = "/@ /@nix /@home";
        DefaultSubvolume = "/@";
        Compression = "zstd";
        MakeDirectories = "/@ /@nix /@home";
        Minimize = "guess";
      };
    };
    "30-swap" = only {
      Type = "swap";
      SizeMinBytes = "64M";
      SizeMaxBytes = "1G";
      Priority = 1;
      Weight = 333;
    };
    "40-home" = only { Type = "home"; };
  };
  # Two partitions that are called the same, of one release.
  release = image { sectorSize = 4096; mkfsOptions.vfat = [ "-S 4096" ]; } {
    "00-ESP" = {
      repartConfig = {
        Type = "esp";
        Label = "ESP";
        Format = "vfat";
        CopyFiles = "${folder}:/";
      }
      // fixed "300M";
    };
    "10-os" = only {
      Type = "root";
      Label = "os_7";
      Format = "squashfs";
      Minimize = "best";
      CopyFiles = "${folder}:/";
      VerityMatchKey = "os";
      Verity = "data";
    };
    "11-os-verity" = only {
      Type = "root-verity";
      Label = "os_7";
      Minimize = "best";
      VerityMatchKey = "os";
      Verity = "hash";
    };
  };

  # What cannot be followed.
  nullUuid = image { } (root { UUID = "null"; });
  encrypted = image { } {
    "10-esp" = esp "64M";
    "20-home" = only {
      Type = "home";
      Format = "btrfs";
      Encrypt = "tpm2";
      EncryptedVolume = "home";
    };
  };
  f2fs = image { } {
    "10-boot" = esp "64M";
    "20-data" = only {
      Type = "linux-generic";
      Format = "f2fs";
      Label = "data";
      SizeMinBytes = "64M";
    };
  };
  fragments = image { mkfsOptions.erofs = [ "-Efragments,ztailpacking" ]; } (verityStore "erofs" { });
  smallBlocks = image { } (verityStore "squashfs" { verity.VerityHashBlockSizeBytes = 1024; });
  unsigned = image { } (
    verityStore "squashfs" { }
    // {
      "30-sig" = only {
        Type = "usr-verity-sig";
        Verity = "signature";
        VerityMatchKey = "store";
      };
    }
  );
}
