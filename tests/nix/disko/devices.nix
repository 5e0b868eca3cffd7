# Devices as disko's examples have them, under their names, and some that have more of disko in them.
let
  gpt = partitions: {
    disk.main = {
      type = "disk";
      device = "/dev/vda";
      content = {
        type = "gpt";
        inherit partitions;
      };
    };
  };
  fileSystem = format: mountpoint: {
    type = "filesystem";
    inherit format mountpoint;
  };
  esp = {
    size = "64M";
    type = "EF00";
    content = fileSystem "vfat" "/boot" // {
      mountOptions = [ "umask=0077" ];
    };
  };
  whole = content: {
    size = "100%";
    inherit content;
  };

  devices = {
    simple-efi = gpt {
      ESP = esp;
      root = whole (fileSystem "ext4" "/");
    };
    gpt-bios-compat = gpt {
      boot = {
        size = "1M";
        type = "EF02";
      };
      root = whole (fileSystem "ext4" "/");
    };
    hybrid = gpt {
      boot = {
        size = "1M";
        type = "EF02";
      };
      ESP = esp;
      root = whole (fileSystem "ext4" "/");
    };
    # Its name of a subvolume is not where that is mounted.
    btrfs-subvolumes = gpt {
      ESP = {
        priority = 1;
        name = "ESP";
        start = "1M";
        end = "128M";
        type = "EF00";
        content = fileSystem "vfat" "/boot" // {
          mountOptions = [ "umask=0077" ];
        };
      };
      root = whole {
        type = "btrfs";
        extraArgs = [ "-f" ];
        subvolumes = {
          "/rootfs".mountpoint = "/";
          "/home" = {
            mountOptions = [ "compress=zstd" ];
            mountpoint = "/home";
          };
          "/home/user" = { };
          "/nix" = {
            mountOptions = [
              "compress=zstd:3"
              "noatime"
            ];
            mountpoint = "/nix";
          };
          "/test" = { };
        };
      };
    };
    btrfs-only-root-subvolume = gpt {
      ESP = esp;
      root = whole {
        type = "btrfs";
        extraArgs = [
          "-f"
          "-L"
          "system"
        ];
        mountpoint = "/";
        mountOptions = [
          "compress=zstd"
          "noatime"
        ];
      };
    };
    negative-size = gpt {
      nix = {
        end = "-10M";
        content = fileSystem "ext4" "/";
      };
    };
    gpt-unformatted = gpt {
      ESP = esp;
      empty.size = "1G";
      root = whole (fileSystem "ext4" "/");
    };
    gpt-name-with-whitespace = gpt {
      ESP = esp;
      "name with spaces" = {
        size = "100M";
        content = fileSystem "ext4" "/name with spaces";
      };
      root = whole (fileSystem "ext4" "/");
    };
    swap = gpt {
      ESP = esp;
      root = {
        end = "-1G";
        content = fileSystem "ext4" "/";
      };
      plainSwap = whole {
        type = "swap";
        extraArgs = [
          "-L"
          "swap"
        ];
        discardPolicy = "both";
        resumeDevice = true;
      };
      encryptedSwap = {
        size = "10M";
        content = {
          type = "swap";
          randomEncryption = true;
          priority = 100;
        };
      };
    };
    tmpfs-on-root =
      gpt {
        boot = {
          size = "1M";
          type = "EF02";
        };
        ESP = esp;
        nix = whole (fileSystem "ext4" "/nix");
      }
      // {
        nodev."/" = {
          fsType = "tmpfs";
          mountOptions = [
            "size=2G"
            "defaults"
            "mode=755"
          ];
        };
      };
    long-device-name = gpt {
      "a-partition-with-a-name-that-is-long" = whole (fileSystem "ext4" "/");
    };
    # What the module of disko adds to what is said.
    evaluated = {
      disk.main = {
        _create = "…";
        destroy = true;
        device = "/dev/vda";
        imageName = "main";
        imageSize = "1G";
        name = "main";
        postCreateHook = "";
        type = "disk";
        content = {
          _parent = { };
          device = "/dev/vda";
          efiGptPartitionFirst = true;
          type = "gpt";
          partitions.root = {
            _index = 1;
            alignment = 0;
            attributes = [
              2
              59
            ];
            device = "/dev/disk/by-partuuid/809b3a2b-828a-4730-95e1-75b6343e415a";
            end = "-0";
            hybrid = null;
            label = "disk-main-root";
            name = "root";
            new-option = null;
            priority = 9001;
            size = "100%";
            start = "0";
            type = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709";
            uuid = "809b3a2b-828a-4730-95e1-75b6343e415a";
            content = {
              _create = "…";
              device = "/dev/disk/by-partuuid/809b3a2b-828a-4730-95e1-75b6343e415a";
              extraArgs = [
                "-L"
                "nixos"
                "-U"
                "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7"
              ];
              format = "ext4";
              mountOptions = [ "defaults" ];
              mountpoint = "/";
              preMountHook = "";
              type = "filesystem";
            };
          };
        };
      };
      lvm_vg = { };
      mdadm = { };
      nodev = { };
      zpool = { };
    };
    sectors = gpt {
      first = {
        start = "34s";
        end = "2047s";
        type = "EF02";
      };
      root = {
        start = "2049s";
        end = "40001s";
      };
    };
    places = gpt {
      second = {
        size = "1500K";
        type = "8302";
      };
      third = {
        start = "8M";
        size = "1G";
        content = fileSystem "ext4" "/";
      };
      odd = {
        start = "1100500K";
        end = "1200001K";
        priority = 1500;
      };
      fourth = {
        start = "+1M";
        size = "1M";
        priority = 2000;
      };
      last = {
        start = "-3M";
        size = "1M";
        priority = 3000;
        content.type = "swap";
      };
    };
  };
in
{
  inherit
    devices
    fileSystem
    gpt
    whole
    ;
}
