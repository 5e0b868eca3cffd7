{
  boot.loader.grub.enable = false;
  boot.initrd.supportedFilesystems = [ "squashfs" ];
  fileSystems."/" = {
    device = "/dev/disk/by-partlabel/rootfs-a";
    fsType = "squashfs";
  };
  system.stateVersion = "25.11";
}
