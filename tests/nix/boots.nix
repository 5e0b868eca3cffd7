# Images that boot, of configurations whose systems are the demo's: a card of an arm64 board, made on this machine out of a
# binary cache, and a disk for UEFI. KILN_TEST has where programs of both lie.
#
# The demo has no NixOS in it. So the system here is the demo's with an init that does what NixOS' configuration says:
# what it mounts, and boot.postBootCommands. All of that comes out of `config`, as the first root is told where the root is.
let
  inputs = builtins.fromJSON (builtins.readFile (builtins.getEnv "KILN_TEST"));
  lib = import ./stub-nixpkgs/lib.nix;
  modules = import ../../nix/modules;
  here = import ./stub-nixpkgs { };

  # A path of a store or of a cache, and files below one.
  stored =
    path:
    builtins.appendContext path {
      ${lib.concatStringsSep "/" (lib.take 4 (lib.splitString "/" path))} = {
        path = true;
      };
    };
  demoOf = system: lib.mapAttrs (_: stored) inputs.systems.${system};
  package = name: outPath: {
    type = "derivation";
    inherit name outPath;
  };

  # Programs of packages in the folder where NixOS has them.
  programs =
    name: packages:
    here.runCommand name { } ''
      mkdir -p "$out/bin"
      for program in ${lib.concatMapStringsSep " " (package: "${package}/{,s}bin/*") packages}; do
        [ ! -e "$program" ] || ln -sf "$program" "$out/bin/"
      done
    '';

  # Where the kernel's command line and mount find a device.
  tag =
    device:
    lib.replaceStrings [ "/dev/disk/by-label/" "/dev/disk/by-uuid/" ] [ "LABEL=" "UUID=" ] device;

  init = demo: extra: ''
    #!${demo.busybox}/bin/busybox sh
    export PATH=${demo.toplevel}/sw/bin USER=root HOME=/root
    busybox() { ${demo.busybox}/bin/busybox "$@"; }
    busybox mkdir -p /proc /sys /dev /run /boot
    busybox mount -t proc proc /proc
    busybox mount -t sysfs sys /sys
    busybox mount -t devtmpfs dev /dev
    busybox mount -t tmpfs run /run
    system=''${0%/init}
    busybox ln -s "$system" /run/current-system
    echo "SYSTEM $system"
    while read -r device at type options rest; do
      case $at,$options in /,* | *noauto*) continue ;; esac
      if device=$(busybox findfs "$device" 2> /dev/null); then
        busybox mkdir -p "$at"
        busybox mount -t "$type" "$device" "$at" && echo "MOUNTED $at $type"
      else
        case $options in
          *nofail*) echo "PASSED OVER $at" ;;
          *) echo "CHECK FAIL no device for $at"; busybox poweroff -f ;;
        esac
      fi
    done < "$system/fstab"
    size() { busybox df -k / | busybox tail -n 1 | busybox awk '{ print $2 }'; }
    echo "BEFORE $(size) KiB"
    ${demo.bash}/bin/bash "$system/post-boot"
    echo "AFTER $(size) KiB"
    echo "PROFILE $(busybox readlink -f /nix/var/nix/profiles/system)"
    [ ! -e /nix-path-registration ] || echo "REGISTRATION is there"
    [ ! -e /etc/NIXOS ] || echo "NIXOS is there"
    ${extra}
    echo BOOT-DONE
    busybox sync
    busybox mount -o remount,ro /
    busybox poweroff -f
  '';

  toplevel =
    config: demo: extra:
    here.runCommand "nixos-system-booted-25.11" { } ''
      mkdir "$out"
      ln -s ${demo.kernel} "$out/kernel"
      ln -s ${demo.initrd} "$out/initrd"
      ${lib.optionalString (demo ? dtbs) ''ln -s ${demo.dtbs} "$out/dtbs"''}
      printf '25.11.20261121.abc' > "$out/nixos-version"
      printf '%s' '${toString (config.boot.kernelParams ++ demoParams.${demo.system} ++ [ "root=${tag config.fileSystems."/".device}" ])}' \
        > "$out/kernel-params"
      cat > "$out/post-boot" << 'END'
      ${config.boot.postBootCommands}
      END
      cat > "$out/fstab" << 'END'
      ${lib.concatStringsSep "\n" (
        lib.mapAttrsToList (
          at: fs: "${tag fs.device} ${at} ${fs.fsType} ${lib.concatStringsSep "," fs.options} 0 0"
        ) config.fileSystems
      )}
      END
      cat > "$out/init" << 'END'
      ${init demo extra}
      END
      chmod 755 "$out/init"
    '';
  demoParams = {
    aarch64-linux = [ "console=ttyAMA0" "panic=-1" ];
    x86_64-linux = [ "console=ttyS0" "panic=-1" ];
  };

  evaluate =
    system: extra: settings:
    let
      demo = demoOf system // {
        inherit system;
      };
    in
    (import ./stub-nixpkgs/nixos/lib/eval-config.nix {
      inherit system;
      modules = settings ++ [
        (
          { config, ... }:
          {
            image.baseName = "board";
            boot.loader.grub.enable = false;
            nixpkgs.overlays = [
              (_: _: {
                nix = package "nix" demo.nix;
                # The demo has no btrfs-progs, and systemd's own program for the one thing that is asked of them here.
                btrfs-progs = here.runCommand "btrfs-progs" { } ''
                  mkdir -p "$out/bin"
                  cat > "$out/bin/btrfs" << 'END'
                  #!${demo.bash}/bin/bash
                  [ "$*" = "filesystem resize max /" ] || exit 1
                  systemctl=$(${demo.busybox}/bin/busybox readlink -f ${demo.toplevel}/sw/bin/systemctl)
                  exec "''${systemctl%/bin/systemctl}/lib/systemd/systemd-growfs" /
                  END
                  chmod 755 "$out/bin/btrfs"
                '';
                # Debian has programs in sbin, too, and parts of util-linux in another package.
                e2fsprogs = programs "e2fsprogs" [ demo.e2fsprogs ];
                util-linux = programs "util-linux" [
                  demo.fdisk
                  demo.util-linux
                ];
                linuxPackages.kernel = builtins.dirOf demo.kernel;
              })
            ];
            system.boot.loader.kernelFile = baseNameOf demo.kernel;
            system.build.initialRamdisk = lib.mkForce (builtins.dirOf demo.initrd);
            stub.toplevel = toplevel config demo extra;
          }
        )
      ];
    }).config;

  # Of the machine that the configuration was used on before.
  hardware = {
    fileSystems."/" = {
      device = "/dev/disk/by-uuid/11111111-2222-3333-4444-555555555555";
      fsType = "btrfs";
      options = [ "subvol=root" ];
    };
    fileSystems."/boot" = {
      device = "/dev/disk/by-uuid/AAAA-BBBB";
      fsType = "vfat";
    };
  };

  # Mounts the root with the options that stage 1 of the demo passes over, and looks at what there is.
  subvolumes = ''
    busybox mount -o "remount,$(busybox sed -n 's/.* \/ btrfs .*\(compress=[^, ]*\).*/\1/p' "$system/fstab")" /
    echo "ROOT $(busybox grep ' / ' /proc/mounts)"
    echo "DEVICES $(busybox stat -c %d / /nix /home | busybox sort -u | busybox wc -l)"
    busybox dd if=/dev/zero of=/home/large bs=1M count=64 2> /dev/null && busybox sync && echo "WRITTEN"
  '';

  # What NixOS' installer of systemd-boot writes for a second generation: an entry, and the default.
  switch = ''
    case $(busybox cat /proc/cmdline) in
      *board.generation=2*) echo "GENERATION 2" ;;
      *)
        echo "GENERATION 1"
        cd /boot/loader
        busybox sed -e 's/Generation 1/Generation 2/' -e 's/^options .*/& board.generation=2/' \
          entries/nixos-generation-1.conf > entries/nixos-generation-2.tmp
        busybox mv entries/nixos-generation-2.tmp entries/nixos-generation-2.conf
        busybox sed 's/^default .*/default nixos-generation-2.conf/' loader.conf > loader.tmp
        busybox mv loader.tmp loader.conf
        cd /
        ;;
    esac
    busybox umount /boot
  '';
in
rec {
  card-config = evaluate "aarch64-linux" "" [
    modules.sd-image
    hardware
    {
      kiln.buildSystem = builtins.currentSystem;
      boot.loader.generic-extlinux-compatible.enable = true;
      boot.loader.timeout = 1;
      sdImage.compressImage = false;
      sdImage.populateFirmwareCommands = "echo arm_64bit=1 > firmware/config.txt";
    }
  ];
  card = card-config.system.build.sdImage;

  # Debian's U-Boot for this machine reads no btrfs, so that the kernel is in the FAT.
  btrfs-card =
    (evaluate "aarch64-linux" subvolumes [
      modules.sd-image
      (
        { config, ... }:
        {
          kiln.buildSystem = builtins.currentSystem;
          kiln.rootFormat = "btrfs";
          kiln.btrfs.level = 3;
          kiln.btrfs.subvolumes = {
            "/home" = { };
            "/nix" = { };
          };
          sdImage.compressImage = false;
          sdImage.firmwareSize = 128;
          kiln.firmware = {
            "/Image" = (demoOf "aarch64-linux").kernel;
            "/initrd" = "${builtins.path { path = "${inputs.folder}/initrd"; name = "initrd"; }}";
            "/boot.scr" = "{script.boot}";
          };
          kiln.specification = {
            script.boot = {
              arch = "arm64";
              source = "${builtins.toFile "boot.cmd" ''
                setenv bootargs "console=ttyAMA0 panic=-1 root=@root@ rootfstype=@type@ rw init=@system@/init"
                load ''${devtype} ''${devnum}:''${distro_bootpart} ''${kernel_addr_r} /Image
                load ''${devtype} ''${devnum}:''${distro_bootpart} ''${ramdisk_addr_r} /initrd
                setenv initrd_size ''${filesize}
                booti ''${kernel_addr_r} ''${ramdisk_addr_r}:''${initrd_size} ''${fdtcontroladdr}
              ''}";
              substitute = {
                root = tag config.fileSystems."/".device;
                type = config.fileSystems."/".fsType;
                system = "${config.system.build.toplevel}";
              };
            };
            disk.region = [
              {
                name = "firmware";
                type = "0x0b";
                offset = "8MiB";
                bootable = true;
                content = "fs.firmware";
              }
              {
                name = "root";
                type = "0x83";
                content = "fs.root";
              }
            ];
          };
        }
      )
    ]).system.build.sdImage;

  efi =
    (evaluate "x86_64-linux" switch [
      modules.image
      hardware
      {
        kiln.layout = "efi";
        boot.loader.timeout = 1;
        # Small clusters, so that FAT32 can be small.
        kiln.specification.fs.esp = {
          size = "128MiB";
          cluster-size = "512B";
        };
        systemd.package = here.runCommand "systemd" { } ''
          mkdir -p "$out/lib/systemd/boot/efi"
          cp ${builtins.path { path = inputs.systemd-boot; name = "systemd-bootx64.efi"; }} "$out/lib/systemd/boot/efi/systemd-bootx64.efi"
        '';
      }
    ]).system.build.image;

  # Variants for virtual machines, on nixpkgs' guests: one for UEFI, and one for a BIOS.
  variant =
    name: settings:
    (evaluate "x86_64-linux" "" [
      modules.variants
      {
        # For its name, which evaluate says of all.
        imports = [ ./stub-nixpkgs/nixos/modules/image/file-options.nix ];
        boot.loader.timeout = lib.mkDefault 1;
        image.modules.${name} = settings;
      }
    ]).system.build.images.${name};
  variant-efi = variant "kiln-qemu-efi" {
    systemd.package = here.runCommand "systemd" { } ''
      mkdir -p "$out/lib/systemd/boot/efi"
      cp ${builtins.path { path = inputs.systemd-boot; name = "systemd-bootx64.efi"; }} "$out/lib/systemd/boot/efi/systemd-bootx64.efi"
    '';
  };
  variant-bios = variant "kiln-kubevirt" { boot.loader.grub.enable = lib.mkForce true; };
}
