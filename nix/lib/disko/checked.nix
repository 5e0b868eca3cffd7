# The keys of disko that are known. Another one is an error, unless it is as good as not said: newer options at their defaults.
{ lib }:
let
  inherit (builtins) attrNames elem filter;
  hooks = [
    "postCreateHook"
    "postMountHook"
    "postUnmountHook"
    "preCreateHook"
    "preMountHook"
    "preUnmountHook"
  ];
  mounted = [
    "device"
    "extraArgs"
    "mountOptions"
    "mountpoint"
    "type"
  ];
  isUnsaid = value: elem value [ null "" [ ] { } false ];
in
{
  disk = [
    "content"
    "destroy"
    "device"
    "imageName"
    "imageSize"
    "name"
    "type"
  ];
  gpt = [
    "device"
    "efiGptPartitionFirst"
    "partitions"
    "type"
  ];
  partition = [
    "alignment"
    "attributes"
    "content"
    "device"
    "end"
    "hybrid"
    "label"
    "name"
    "priority"
    "size"
    "start"
    "type"
    "uuid"
  ];
  filesystem = mounted ++ [ "format" ];
  btrfs = mounted ++ [
    "subvolumes"
    "swap"
  ];
  subvolume = mounted ++ [
    "name"
    "swap"
  ];
  swap = [
    "device"
    "discardPolicy"
    "extraArgs"
    "mountOptions"
    "priority"
    "randomEncryption"
    "resumeDevice"
    "type"
  ];
  nodev = [
    "device"
    "fsType"
    "mountOptions"
    "mountpoint"
    "type"
  ];

  keys =
    bad: known: set:
    let
      said = filter (name: !(lib.hasPrefix "_" name) && !(isUnsaid set.${name})) (attrNames set);
      ran = filter (name: elem name hooks) said;
      unknown = filter (name: !(elem name (known ++ hooks))) said;
    in
    if ran != [ ] then
      bad "${lib.head ran}: commands run on a disk, and there is none while an image is made: run them on the device, or leave them out"
    else if unknown != [ ] then
      bad "${lib.head unknown}: Kiln does not know what to do with it; there are ${toString known}"
    else
      set;
}
