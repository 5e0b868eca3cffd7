# make-disk-image.nix: called with each argument of the original, what that changes, what is refused, and images of each table.
{
  pkgs ? import ./stub-nixpkgs { },
}:
let
  inherit (pkgs) lib;
  make = import ../../nix/drop-ins/make-disk-image.nix;
  configuration =
    settings:
    (import ./stub-nixpkgs/nixos/lib/eval-config.nix {
      inherit pkgs;
      modules = [
        {
          fileSystems."/" = {
            device = "/dev/disk/by-label/nixos";
            fsType = "ext4";
          };
          users.users.service = {
            uid = 990;
          };
          users.users.someone = { };
          users.groups.service.gid = 991;
        }
        settings
      ];
    }).config;
  uefi = configuration {
    boot.loader.systemd-boot.enable = true;
    boot.loader.timeout = 3;
  };
  bios = configuration {
    boot.loader.grub.device = "/dev/vda";
    boot.loader.timeout = 3;
  };

  usual = {
    inherit pkgs lib;
    config = uefi;
    partitionTableType = "efi";
  };
  call = arguments: make (usual // arguments);
  specified =
    arguments:
    let
      made = call arguments;
    in
    {
      inherit (made) name;
      inherit (made.passthru) filePath;
      inherit (made.specification) fs disk;
      closure = builtins.length made.exportReferencesGraph.closure;
      inherit (made) products;
    };

  # Paths of what changes, with what they are then.
  flat =
    path: value:
    if lib.isAttrs value && value != { } then
      lib.concatMap (key: flat (path ++ [ key ]) value.${key}) (builtins.attrNames value)
    else
      [
        {
          name = lib.concatStringsSep " " path;
          inherit value;
        }
      ];
  changes =
    arguments:
    let
      before = lib.listToAttrs (flat [ ] (specified { }));
      after = lib.listToAttrs (flat [ ] (specified arguments));
      names = builtins.attrNames (before // after);
    in
    lib.genAttrs (builtins.filter (name: before.${name} or null != after.${name} or null) names) (
      name: after.${name} or null
    );

  folder = pkgs.runCommand "folder" { } ''
    mkdir -p "$out/sub"
    printf 'one\n' > "$out/one.conf"
    printf 'two\n' > "$out/two.conf"
    printf 'deep\n' > "$out/sub/deep"
    printf '#!/bin/sh\n' > "$out/run"
    chmod +x "$out/run"
    ln -s one.conf "$out/link"
  '';
  file = builtins.toFile "file" "a file\n";
  contents = [
    {
      source = file;
      target = "/etc/plain";
    }
    {
      source = file;
      target = "etc/secret";
      mode = "600";
      user = "service";
      group = "service";
    }
    {
      source = folder;
      target = "/srv/folder";
      mode = "0750";
      user = "root";
      group = "991";
    }
    {
      source = "${folder}/*.conf";
      target = "/srv/patterns";
      mode = "640";
    }
    {
      source = "${folder}/r*";
      target = "/srv/patterns";
    }
  ];
  refused = arguments: (call arguments).drvPath;
in
{
  # As tests/e2e/nix_disk_image.rs holds them against the original's.
  defaults = {
    arguments = builtins.functionArgs make;
    efi = specified { };
    bios = removeAttrs (specified {
      config = bios;
      partitionTableType = "legacy";
    }) [ "closure" ];
  };
  changes = lib.mapAttrs (_: changes) {
    diskSize = {
      diskSize = 2048;
    };
    diskSize-text = {
      diskSize = "2048";
    };
    additionalSpace = {
      additionalSpace = "2G";
    };
    bootSize = {
      bootSize = "512M";
    };
    contents = {
      contents = [ (lib.head contents) ];
    };
    installBootLoader = {
      installBootLoader = false;
    };
    touchEFIVars = {
      touchEFIVars = true;
    };
    OVMF = {
      OVMF = throw "OVMF is not asked for";
    };
    efiFirmware = {
      efiFirmware = throw "the firmware is not asked for";
    };
    efiVariables = {
      efiVariables = throw "the variables are not asked for";
    };
    label = {
      label = "root";
    };
    configFile = {
      configFile = file;
    };
    postVM = {
      postVM = "";
    };
    memSize = {
      memSize = 4096;
    };
    onlyNixStore = {
      onlyNixStore = true;
      installBootLoader = false;
      copyChannel = false;
    };
    name = {
      name = "server";
    };
    baseName = {
      baseName = "server";
    };
    format-qcow2 = {
      format = "qcow2";
    };
    format-qcow2-compressed = {
      format = "qcow2-compressed";
    };
    format-vdi = {
      format = "vdi";
    };
    format-vpc = {
      format = "vpc";
    };
    deterministic = {
      deterministic = false;
    };
    rootGPUID = {
      rootGPUID = "14E19A7B-0AE0-484D-9D54-43BD6FDC20C7";
    };
    rootFSUID = {
      rootFSUID = "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7";
    };
    copyChannel = {
      copyChannel = false;
    };
    additionalPaths = {
      additionalPaths = [ folder ];
    };
    efixbootldr = {
      partitionTableType = "efixbootldr";
    };
    legacy = {
      partitionTableType = "legacy";
      config = bios;
    };
    "legacy+gpt" = {
      partitionTableType = "legacy+gpt";
      config = bios;
    };
    hybrid = {
      partitionTableType = "hybrid";
      config = bios;
    };
    none = {
      partitionTableType = "none";
      config = bios;
    };
    fsType = {
      partitionTableType = "none";
      fsType = "btrfs";
      installBootLoader = false;
    };
  };

  images = {
    efi = call {
      additionalSpace = "32M";
      bootSize = "64M";
      inherit contents;
      configFile = file;
      touchEFIVars = true;
      additionalPaths = [ folder ];
    };
    none = call {
      partitionTableType = "none";
      config = bios;
      installBootLoader = false;
      copyChannel = false;
      diskSize = 128;
    };
    store = call {
      onlyNixStore = true;
      partitionTableType = "none";
      installBootLoader = false;
      copyChannel = false;
      additionalSpace = "4M";
    };
  };

  # For a BIOS, and for both.
  grub = lib.genAttrs [ "legacy" "legacy+gpt" "hybrid" ] (
    partitionTableType:
    call {
      inherit partitionTableType;
      config = bios;
      additionalSpace = "16M";
      bootSize = "64M";
      copyChannel = false;
    }
  );
  compressed = call {
    additionalSpace = "16M";
    bootSize = "64M";
    copyChannel = false;
    format = "qcow2-compressed";
  };

  refused = lib.mapAttrs (_: refused) {
    table = {
      partitionTableType = "gpt";
    };
    format = {
      format = "qed";
    };
    post-vm = {
      postVM = "qemu-img convert …";
    };
    fs-type = {
      fsType = "xfs";
    };
    fs-type-table = {
      fsType = "btrfs";
    };
    fs-id = {
      rootFSUID = null;
    };
    variables = {
      touchEFIVars = true;
      partitionTableType = "legacy";
      config = bios;
    };
    only-store = {
      onlyNixStore = true;
    };
    size = {
      diskSize = "2G";
    };
    space = {
      additionalSpace = "512MiB";
    };
    boot-size = {
      bootSize = "8M";
    };
    small = {
      diskSize = 256;
    };
    no-bios = {
      pkgs = pkgs.pkgsCross.aarch64-multiplatform;
      config = bios;
      partitionTableType = "legacy";
    };
    grub-efi = {
      config = bios;
    };
    user = {
      contents = [
        {
          source = file;
          target = "/x";
          user = "root";
        }
      ];
    };
    unknown-user = {
      contents = [
        {
          source = file;
          target = "/x";
          user = "someone";
          group = "root";
        }
      ];
    };
    mode = {
      contents = [
        {
          source = file;
          target = "/x";
          mode = "u+x";
        }
      ];
    };
    twice = {
      contents = [
        {
          source = file;
          target = "/x";
        }
        {
          source = folder;
          target = "x";
        }
      ];
    };
  };
}
