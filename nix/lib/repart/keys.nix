# The keys of repartConfig: those that are followed, those that change nothing in an image that is made from nothing, and
# those that are refused, with the way out.
{ lib, values }:
let
  followed = [
    "Compression"
    "CompressionLevel"
    "CopyBlocks"
    "CopyFiles"
    "DefaultSubvolume"
    "ExcludeFiles"
    "ExcludeFilesTarget"
    "FileSystemSectorSize"
    "Flags"
    "Format"
    "GrowFileSystem"
    "Label"
    "MakeDirectories"
    "MakeSymlinks"
    "Minimize"
    "NoAuto"
    "PaddingMaxBytes"
    "PaddingMinBytes"
    "PaddingWeight"
    "ReadOnly"
    "SizeMaxBytes"
    "SizeMinBytes"
    "SplitName"
    "Subvolumes"
    "Type"
    "UUID"
    "Verity"
    "VerityDataBlockSizeBytes"
    "VerityHashBlockSizeBytes"
    "VerityMatchKey"
    "VolumeLabel"
    "Weight"
  ];
  # What speaks of disks that are there already, of files that another option makes, or of the first boot.
  idle = [
    "CryptTab"
    "Discard"
    "EncryptedVolume"
    "FSTab"
    "FactoryReset"
    "MountPoint"
    "Priority"
    "VolumeName"
  ];
  atFirstBoot = "an image would hold its key or a random salt; encrypt on the first boot, with systemd.repart";
  refused = {
    BlockDeviceReplace = "an image replaces no device; leave it out";
    AddValidateFS = "Kiln adds no such attributes to file systems; leave it out";
    Encrypt = atFirstBoot;
    EncryptKDF = atFirstBoot;
    Integrity = atFirstBoot;
    IntegrityAlgorithm = atFirstBoot;
    KeyFile = atFirstBoot;
    SupplementFor = "an image has all partitions that are defined; leave one of the two out";
    TPM2PCRs = atFirstBoot;
  };
  isOff = value: value == [ ] || (!builtins.isList value && values.isNo value);
  problem =
    key: value:
    if lib.elem key followed || lib.elem key idle || (refused ? ${key} && isOff value) then
      [ ]
    else if refused ? ${key} then
      [ "${key}: not supported: ${refused.${key}}" ]
    else
      [ "${key}: not supported: no key of repart.d that Kiln knows" ];
in
# Refuses a definition with keys that cannot be followed.
bad: config: result:
let
  problems = lib.concatLists (lib.mapAttrsToList problem config);
in
if problems != [ ] then bad (lib.concatStringsSep "; " problems) else result
