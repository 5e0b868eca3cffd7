# Images of virtual machines and clouds: for each, nixpkgs' own module of the guest, and what that hands to make-disk-image.nix and
# does to its result, as arguments of Kiln's. Options that are not in every nixpkgs have their defaults here.
{ lib }:
let
  virtualisation = path: "virtualisation/${path}.nix";
  size = config: config.virtualisation.diskSize or "auto";
  bad = problem: throw "kiln: ${problem}";

  # As nixpkgs' modules leave it in /etc/nixos/configuration.nix.
  imported = { buildPkgs, ... }: text: buildPkgs.writeText "configuration.nix" text;
  userConfiguration =
    { modulesPath, ... }:
    name:
    builtins.path {
      name = "${name}.nix";
      path = "${modulesPath}/virtualisation/${name}.nix";
    };

  qcow2 =
    { config, ... }:
    {
      outputs = [
        {
          format = "qcow2";
          file = config.image.fileName;
        }
      ];
      kind = "qcow2-image";
    };
  disk =
    { config, ... }@given:
    {
      diskSize = size config;
      partitionTableType = if config.image.efiSupport then "efi" else "legacy";
    }
    // (if config.image.format == "qcow2" then qcow2 given else { kind = "raw-image"; });
  diskModule = format: efiSupport: {
    path = virtualisation "disk-image";
    settings.image = {
      format = lib.mkDefault format;
      efiSupport = lib.mkDefault efiSupport;
    };
    arguments = disk;
  };
in
{
  raw = diskModule "raw" false;
  raw-efi = diskModule "raw" true;
  qemu = diskModule "qcow2" false;
  qemu-efi = diskModule "qcow2" true;

  amazon = {
    path = "../maintainers/scripts/ec2/amazon-image.nix";
    arguments =
      {
        config,
        pkgs,
        ...
      }@given:
      let
        cfg = config.amazonImage;
        efi = config.ec2.efi or false;
        formats = {
          vpc = "vhd";
          raw = "raw";
          qcow2 = "qcow2";
        };
        file = config.image.fileName;
        # The disk's bytes: a raw image's own, and what the headers of the others say.
        bytes =
          {
            vpc = "od -An -t u8 --endian=big -j 48 -N 8";
            qcow2 = "od -An -t u8 --endian=big -j 24 -N 8";
            raw = "stat -c %s";
          }
          .${cfg.format};
        info = {
          label = config.system.nixos.version;
          boot_mode = if efi then "uefi" else "legacy-bios";
          system = pkgs.stdenv.hostPlatform.system;
          logical_bytes = "@bytes@";
          file = "@file@";
          disks.root = {
            logical_bytes = "@bytes@";
            file = "@file@";
          };
        }
        // lib.optionalAttrs (cfg ? registerImage) { inherit (cfg) registerImage; };
      in
      {
        name = config.image.baseName;
        diskSize = config.virtualisation.diskSize or cfg.sizeMB or 4096;
        contents = cfg.contents or [ ];
        partitionTableType = if efi then "efi" else "legacy+gpt";
        configFile = imported given ''
          { modulesPath, ... }: {
            imports = [ "''${modulesPath}/virtualisation/amazon-image.nix" ];
            ${lib.optionalString efi "ec2.efi = true;"}
          }
        '';
        outputs =
          if config.ec2.zfs.enable or false then
            bad "kiln-amazon: ec2.zfs.enable: Kiln makes no ZFS; leave it out"
          else if cfg.format == "raw" then
            null
          else
            [
              {
                format = formats.${cfg.format};
                inherit file;
              }
            ];
        kind = cfg.format;
        # What tools that register images read.
        finish = ''
          bytes=$(${bytes} "$out/${file}")
          info=${lib.escapeShellArg (builtins.toJSON info)}
          info=''${info//@bytes@/''${bytes//[[:space:]]/}}
          mkdir -p "$out/nix-support"
          printf '%s\n' "''${info//@file@/$out/${file}}" > "$out/nix-support/image-info.json"
        '';
      };
  };

  azure = {
    path = virtualisation "azure-image";
    arguments =
      { config, ... }@given:
      let
        cfg = config.virtualisation.azureImage;
      in
      {
        name = "azure-image";
        diskSize = size config;
        bootSize = "${toString (cfg.bootSize or 256)}M";
        partitionTableType = if cfg.vmGeneration or "v1" == "v2" then "efi" else "legacy";
        contents = cfg.contents or [ ];
        label = cfg.label or "nixos";
        configFile = userConfiguration given "azure-config-user";
        outputs = [
          {
            format = "vhd-fixed";
            file = config.image.fileName;
          }
        ];
        kind = "vhd";
      };
  };

  google-compute = {
    path = virtualisation "google-compute-image";
    arguments =
      { config, ... }@given:
      let
        cfg = config.virtualisation.googleComputeImage;
      in
      {
        name = "google-compute-image";
        diskSize = size config;
        partitionTableType = if cfg.efi or false then "efi" else "legacy";
        configFile =
          if cfg.configFile or null == null then
            imported given ''
              { ... }:
              {
                imports = [
                  <nixpkgs/nixos/modules/virtualisation/google-compute-image.nix>
                ];
              }
            ''
          else
            cfg.configFile;
        outputs = [
          {
            format = "gce";
            file = lib.removeSuffix ".gz" config.image.fileName;
            compress = "gzip";
            compress-level = cfg.compressionLevel or 6;
          }
        ];
        kind = "gce";
      };
  };

  openstack = {
    path = "../maintainers/scripts/openstack/openstack-image.nix";
    arguments =
      { config, ... }@given:
      {
        diskSize = size config;
        additionalSpace = "1024M";
        partitionTableType = if config.openstack.efi or false then "efi" else "legacy";
        configFile = imported given ''
          {
            imports = [ <nixpkgs/nixos/modules/virtualisation/openstack-config.nix> ];
          }
        '';
      }
      // qcow2 given;
  };

  digital-ocean = {
    path = virtualisation "digital-ocean-image";
    arguments =
      { config, ... }:
      let
        cfg = config.virtualisation.digitalOceanImage;
        own = config.virtualisation.digitalOcean or { };
      in
      {
        name = "digital-ocean-image";
        diskSize = size config;
        configFile = if cfg.configFile or null == null then own.defaultConfigFile or null else cfg.configFile;
        outputs =
          if cfg.compressionMethod or "gzip" != "gzip" then
            bad "kiln-digital-ocean: virtualisation.digitalOceanImage.compressionMethod = \"${cfg.compressionMethod}\": Kiln compresses with gzip; say that"
          else
            [
              {
                format = "qcow2";
                file = lib.removeSuffix ".gz" config.image.fileName;
                compress = "gzip";
              }
            ];
        kind = "qcow2-image";
      };
  };

  # A bare file system, which the host's own GRUB reads the menu of.
  linode = {
    path = virtualisation "linode-image";
    arguments =
      { config, ... }@given:
      let
        cfg = config.virtualisation.linodeImage;
      in
      {
        name = "linode-image";
        diskSize = size config;
        partitionTableType = "none";
        configFile =
          if cfg.configFile or null == null then
            imported given ''
              _: {
                imports = [
                  <nixpkgs/nixos/modules/virtualisation/linode-image.nix>
                ];
              }
            ''
          else
            cfg.configFile;
        diskKeys = {
          file = lib.removeSuffix ".gz" config.image.fileName;
          compress = "gzip";
          compress-level = cfg.compressionLevel or 6;
        };
        kind = "raw-image";
      };
  };

  hyperv = {
    path = virtualisation "hyperv-image";
    arguments =
      { config, ... }:
      {
        name = config.hyperv.vmDerivationName;
        diskSize = size config;
        partitionTableType = "efi";
        outputs = [
          {
            format = "vhdx";
            file = config.image.fileName;
          }
        ];
        kind = "vhdx";
      };
  };

  virtualbox = {
    path = virtualisation "virtualbox-image";
    arguments =
      { config, ... }:
      let
        cfg = config.virtualbox;
      in
      {
        name = cfg.vmDerivationName;
        diskSize = config.virtualisation.diskSize or cfg.baseImageSize or "auto";
        additionalSpace = "${toString (cfg.baseImageFreeSpace or (30 * 1024))}M";
        outputs =
          if cfg.extraDisk or null != null then
            bad "kiln-virtualbox: virtualbox.extraDisk: Kiln's machine has one disk; leave it out"
          else if cfg.exportParams or [ ] != [ ] then
            bad "kiln-virtualbox: virtualbox.exportParams: VBoxManage does not run; leave them out"
          else if cfg.postExportCommands or "" != "" then
            bad "kiln-virtualbox: virtualbox.postExportCommands: they are for VBoxManage's output, which there is none of; leave them out"
          else
            [
              {
                format = "ova";
                file = config.image.fileName;
                memory = "${toString (cfg.memorySize or 1536)}MiB";
              }
            ];
        kind = "ova";
      };
  };

  vmware = {
    path = virtualisation "vmware-image";
    arguments =
      { config, ... }:
      let
        cfg = config.vmware;
        subformats = {
          monolithicSparse = "vmdk";
          streamOptimized = "vmdk-stream";
        };
        subformat = cfg.vmSubformat or "monolithicSparse";
      in
      {
        name = cfg.vmDerivationName;
        diskSize = config.virtualisation.diskSize or cfg.baseImageSize or 2048;
        partitionTableType = "efi";
        outputs = [
          {
            format =
              subformats.${subformat}
                or (bad "kiln-vmware: vmware.vmSubformat = \"${subformat}\": Kiln makes ${toString (builtins.attrNames subformats)}");
            file = config.image.fileName;
          }
        ];
        kind = "vmdk";
      };
  };

  # `qm importdisk` takes a qcow2; a backup that is restored (vma) is a format of Proxmox' own.
  proxmox = {
    path = virtualisation "proxmox-image";
    extension = "qcow2";
    arguments =
      { config, ... }@given:
      let
        cfg = config.proxmox;
        said = cfg.qemuConf.diskSize or "auto";
      in
      {
        name = "proxmox-${cfg.filenameSuffix}";
        diskSize = config.virtualisation.diskSize or said;
        additionalSpace = cfg.qemuConf.additionalSpace or "512M";
        bootSize = cfg.qemuConf.bootSize or "256M";
        inherit (cfg) partitionTableType;
      }
      // qcow2 given;
  };

  kubevirt = {
    path = virtualisation "kubevirt";
    arguments = { config, ... }@given: { diskSize = size config; } // qcow2 given;
  };

  # Oracle's cloud.
  oci = {
    path = virtualisation "oci-image";
    arguments =
      { config, ... }@given:
      {
        name = "oci-image";
        diskSize = size config;
        partitionTableType = if config.oci.efi or false then "efi" else "legacy";
        configFile = userConfiguration given "oci-config-user";
      }
      // qcow2 given;
  };
}
