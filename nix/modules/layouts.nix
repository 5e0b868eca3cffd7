# What an image of each layout is like before kiln.specification says more, and what the system has to be told of it.
{
  config,
  lib,
  pkgs,
}:
let
  cfg = config.kiln;
  extlinux = import ./extlinux.nix { inherit config lib; };
  boot = import ./systemd-boot.nix { inherit config lib pkgs; };
  root = import ./root.nix { inherit config lib; } cfg.rootFormat;

  # What lets the first boot do without nix-store --load-db.
  registered = {
    closure = true;
    database = true;
    symlinks = {
      "/nix/var/nix/profiles/system" = "system-1-link";
      "/nix/var/nix/profiles/system-1-link" = "{toplevel}";
    };
    text."/etc/NIXOS" = "";
  };
in
{
  custom = { };

  appliance = (import ./appliance-layout.nix { inherit config lib pkgs; }).specification;

  # As nixpkgs' sdImage: an MBR, a FAT for the board's firmware, and a root with a boot menu for U-Boot.
  sd-card = {
    fs.firmware = {
      format = "fat";
      label = "FIRMWARE";
      id = "2178-694E";
      size = "30MiB";
      files = cfg.firmware;
    };
    fs.root =
      registered
      // root
      // {
        label = "NIXOS_SD";
      }
      // lib.optionalAttrs config.boot.loader.generic-extlinux-compatible.enable { inherit extlinux; };
    disk = {
      table = "mbr";
      signature = "0x2178694e";
      region = cfg.loaders ++ [
        {
          name = "firmware";
          type = "0x0b";
          offset = "8MiB";
          content = "fs.firmware";
        }
        {
          name = "root";
          type = "0x83";
          bootable = true;
          content = "fs.root";
        }
      ];
    };
  };

  # A GPT, an EFI system partition with systemd-boot as NixOS installs it, and a root.
  efi = {
    fs.esp = {
      format = "fat";
      label = "ESP";
      bits = 32;
      size = "512MiB";
      # Another generation's kernel and initial file system, a promise.
      free = "64MiB";
      files = boot.files // cfg.firmware;
      inherit (boot) text;
    };
    fs.root =
      registered
      // root
      // {
        label = "nixos";
      };
    disk.region = cfg.loaders ++ [
      {
        name = "ESP";
        type = "esp";
        content = "fs.esp";
      }
      {
        name = "nixos";
        type = "linux";
        content = "fs.root";
      }
    ];
  };
}
