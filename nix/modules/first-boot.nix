# What a card's first boot does, which knows by the registration that it is the first: the root becomes as large as the
# card, Nix learns of the store, and the system gets its profile. What fails is told, and the boot goes on.
{
  config,
  lib,
  pkgs,
}:
let
  cfg = config.sdImage;
  utilLinux = "${pkgs.util-linux}/bin";
  nix = "${config.nix.package.out or config.nix.package}/bin";
  registration = lib.escapeShellArg cfg.nixPathRegistrationFile;
  kind = config.fileSystems."/".fsType;
  growFileSystem =
    if kind == "btrfs" then
      "${pkgs.btrfs-progs}/bin/btrfs filesystem resize max /"
    else
      ''${pkgs.e2fsprogs}/bin/resize2fs "$root"'';
in
''
  if [ -f ${registration} ]; then
    ${lib.optionalString cfg.expandOnBoot ''
      root=$(readlink -f "$(${utilLinux}/findmnt -n -o SOURCE --nofsroot /)")
      number=$(cat "/sys/class/block/''${root##*/}/partition")
      disk=/dev/$(${utilLinux}/lsblk -n -d -o PKNAME "$root")
      echo "the root grows to the size of $disk"
      echo ', +' | ${utilLinux}/sfdisk --no-reread --partno "$number" "$disk" &&
        ${utilLinux}/partx --update --nr "$number" "$disk" &&
        ${growFileSystem} || echo "the root stays as large as it is"
    ''}
    if ${nix}/nix-store --load-db < ${registration}; then
      # nixos-rebuild wants a profile of the system, and this file.
      mkdir -p /etc
      : >> /etc/NIXOS
      ${nix}/nix-env --profile /nix/var/nix/profiles/system --set /run/current-system
      rm -f ${registration}
    fi
  fi
''
