# Definitions that systemd-repart and Kiln make the same disks of.
{ lib, compared }:
{
  # What both make: no file systems, which systemd-repart 252 makes only as root.
  tables = {
    usual = compared {
      "10-esp" = {
        Type = "esp";
        SizeMinBytes = "100M";
      };
      "20-root".Type = "root";
      "30-root" = {
        Type = "root";
        Flags = "0x0005000000000000";
        SplitName = "b";
      };
      "40-home" = {
        Type = "home";
        Label = "a%%b";
        SizeMinBytes = 12345678;
        SizeMaxBytes = "200M";
        SplitName = "%t-%T-%U-%n";
      };
      "50-swap" = {
        Type = "swap";
        NoAuto = true;
        PaddingMinBytes = 1050000;
        SplitName = "-";
      };
      "60-usr" = {
        Type = "usr-verity";
        UUID = "8F2D6E5A-95A8-4B0C-8F4E-0D6B1FD8FB0E";
      };
      "70-generic" = {
        Type = "linux-generic";
        SizeMinBytes = 4096;
      };
      "80-srv" = {
        Type = "3b8f8425-20e0-4f3b-907f-1a25a76f98e8";
        ReadOnly = "yes";
        Flags = "0b1000000000000000000000000000000000000000000000000000000000000";
        GrowFileSystem = "no";
      };
      "90-xbootldr" = {
        Type = "xbootldr";
        NoAuto = "on";
        Flags = "72057594037927936";
        PaddingMinBytes = "1M";
      };
      "95-var".Type = "var";
      "96-var" = {
        Type = "var";
        SplitName = "var-%a";
        PaddingMinBytes = "8K";
        PaddingMaxBytes = "1M";
      };
    } { split = true; };
    weighed = compared {
      "1" = {
        Type = "esp";
        SizeMinBytes = "100M";
        SizeMaxBytes = "100M";
      };
      "2" = {
        Type = "home";
        Weight = 500;
        PaddingWeight = 100;
      };
      "3" = {
        Type = "srv";
        SizeMaxBytes = "300M";
        PaddingMinBytes = 10000;
      };
      "4" = {
        Type = "var";
        Weight = 3000;
        SizeMaxBytes = "200001K";
        PaddingMaxBytes = "5M";
        PaddingWeight = 10;
      };
    } { imageSize = "1500M"; };
    limited = compared {
      "1" = {
        Type = "home";
        SizeMaxBytes = "20M";
      };
      "2" = {
        Type = "srv";
        SizeMaxBytes = "30M";
        Weight = 0;
      };
      "3" = {
        Type = "var";
        SizeMinBytes = "70M";
        Weight = 1;
      };
    } { imageSize = "200000001"; };
    thirds = compared (lib.genAttrs [ "1" "2" "3" ] (_: { Type = "tmp"; })) { imageSize = "1G"; };
    nothing = compared {
      "1" = {
        Type = "home";
        SizeMaxBytes = "20M";
      };
      "2" = {
        Type = "srv";
        SizeMaxBytes = "30M";
      };
    } { imageSize = "100M"; };
  };
  # Swap areas and file systems without files, which systemd-repart 252 makes with loop devices.
  formatted = compared {
    "10-boot" = {
      Type = "xbootldr";
      Format = "vfat";
      Label = "my Boot+x.y;";
      SizeMinBytes = "100M";
    };
    "20-root" = {
      Type = "root";
      Format = "ext4";
      Label = "a label of many letters";
      SizeMinBytes = "64M";
    };
    "30-swap" = {
      Type = "swap";
      Format = "swap";
      Label = "a swap area of many letters";
    };
    "40-swap" = {
      Type = "swap";
      Format = "swap";
      UUID = "8f2d6e5a-95a8-4b0c-8f4e-0d6b1fd8fb0e";
      SizeMinBytes = "1M";
      SplitName = "other-swap";
    };
  } { split = true; };

  # A file system with files, whose sources the test makes in the place of /SOURCES.
  filled = compared {
    "10-root" = {
      Type = "root";
      CopyFiles = [
        "/SOURCES/one:/etc"
        "/SOURCES/two/:/etc//more/"
        "/SOURCES/three:/etc"
        "/SOURCES/one/file:/a%%b/c"
      ];
      MakeDirectories = "/var/lib /etc";
      SizeMinBytes = "32M";
    };
  } { split = true; };
}
