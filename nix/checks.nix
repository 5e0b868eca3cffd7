# What `nix flake check` builds: kiln, and one image of each kind, of a closure that is always there.
{
  pkgs,
  kiln ? (import ./lib { inherit pkgs; }).kiln,
}:
let
  images = import ./lib { inherit pkgs kiln; };
  closure = [ pkgs.coreutils ];
  loader = pkgs.runCommand "loader" { } ''printf 'a boot loader' > "$out"'';
in
{
  inherit kiln;

  squashfs = images.mkSquashfs {
    name = "check-squashfs";
    inherit closure;
    level = 3;
    symlinks."/init" = "{toplevel}/bin/true";
  };

  ext4 = images.mkExt4Fs {
    name = "check-ext4";
    inherit closure;
    database = true;
    registration = "/nix-path-registration";
  };

  btrfs = images.mkBtrfs {
    name = "check-btrfs";
    inherit closure;
    compression = "zstd";
    subvolumes."/nix" = { };
    registration = "/nix-path-registration";
  };

  erofs = images.mkErofs {
    name = "check-erofs";
    inherit closure;
    compression = "lz4";
    symlinks."/init" = "{toplevel}/bin/true";
  };

  fat = images.mkFat {
    name = "check-fat";
    label = "CHECK";
    bits = 16;
    text."/hello.txt" = "hello\n";
  };

  boot-script = images.mkBootScript {
    source = ../demo/boot.cmd;
    substitute = {
      buildId = "check";
      systemClosure = "/nix/store";
    };
  };

  disk = images.mkDiskImage {
    name = "check-disk";
    inherit closure;
    fs = {
      boot = {
        format = "fat";
        label = "BOOT";
        size = "16MiB";
        files."/loader" = "${loader}";
      };
      root = {
        format = "ext4";
        closure = true;
      };
    };
    disk.region = [
      {
        name = "loader";
        raw = "${loader}";
        offset = "64s";
      }
      {
        name = "boot";
        type = "xbootldr";
        content = "fs.boot";
      }
      {
        name = "root";
        type = "linux";
        content = "fs.root";
      }
    ];
  };
}
