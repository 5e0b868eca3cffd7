# What is refused, whatever is asked of it: definitions of one partition, then arguments of fromRepart.
{
  lib,
  # fromRepart's arguments for one partition with this repartConfig, its specification, and an image.
  alone,
  of,
  make,
}:
lib.mapAttrs (_: config: of config) {
  encrypt.Encrypt = "tpm2";
  subvolumes.Subvolumes = "/home";
  xfs.Format = "xfs";
  typo.SizeMinByte = "1M";
  type.Type = "roof";
  size.SizeMinBytes = "1MiB";
  sizes = {
    SizeMinBytes = "2M";
    SizeMaxBytes = "1M";
  };
  paddings = {
    PaddingMinBytes = "2M";
    PaddingMaxBytes = "1M";
  };
  flags.Flags = "yes";
  weight.Weight = 1000001;
  paddingWeight.PaddingWeight = "-1";
  boolean.ReadOnly = "maybe";
  specifier.Label = "%H";
  longLabel.Label = "a label of more characters than thirty-six";
  uuid.UUID = "one";
  minimize.Minimize = true;
  copyOptions.CopyFiles = "/a:/b:noatime";
  fsverity.CopyFiles = "/a:/b:fsverity=copy";
  copyRelative.CopyFiles = "a:/b";
  copyDots.CopyFiles = "/a:/b/../c";
  link.MakeSymlinks = "/a";
  swapFiles = {
    Format = "swap";
    CopyFiles = "/a";
  };
  emptyErofs.Format = "erofs";
  emptySquashfs.Format = "squashfs";
  blocksAndFormat = {
    CopyBlocks = "/a";
    Format = "ext4";
  };
  blocksAuto.CopyBlocks = "auto";
  excludeTwo = {
    CopyFiles = [
      "/a:/"
      "/b:/"
    ];
    ExcludeFiles = "/a/x";
  };
  excludeElsewhere = {
    CopyFiles = "/a:/";
    ExcludeFiles = "/ab/x";
  };
  compression = {
    CopyFiles = "/a";
    Compression = "zstd";
  };
}
// lib.mapAttrs (_: arguments: (make (alone { } // arguments)).specification) {
  seed.seed = null;
  random.seed = "random";
  badSeed.seed = "rock64";
  sectorSize.sectorSize = 2048;
  imageSize.imageSize = "1.5G";
  tooSmall.imageSize = "8M";
  algorithm.compression = {
    enable = true;
    algorithm = "lz4";
  };
  noKeys.keys."20-root".free = "1MiB";
  none.finalPartitions = { };
  unknownSizes = {
    imageSize = "1G";
    finalPartitions."10-x".repartConfig = {
      Type = "home";
      CopyFiles = "/a";
      Minimize = "guess";
    };
  };
  splitName = {
    split = true;
    finalPartitions."10-x".repartConfig = {
      Type = "home";
      SplitName = "a/b";
    };
  };
  mkfs = {
    mkfsOptions.ext4 = [ "-O quota" ];
    finalPartitions."10-x".repartConfig = {
      Type = "home";
      Format = "ext4";
    };
  };
}
