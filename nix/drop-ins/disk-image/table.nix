# The partitions of each partitionTableType, by the original's names, numbers and ids.
{
  lib,
  partitionTableType,
  rootGPUID,
  sizes,
  bootSize,
  size,
  # Says what is wrong with an argument.
  bad,
  badSize,
}:
let
  inherit (sizes) mebibyte;
  bytes = number: "${toString number}B";
  first = "1C06F03B-704E-4657-B9CD-681A087A2FDC";
  second = "970C694F-AFD0-4B99-B750-CDB7A329AB6F";
  espStart = 8 * mebibyte;
  xbootldrStart = 100 * mebibyte;

  # Partitions before the root, and where that begins.
  esp = end: {
    name = "ESP";
    type = "esp";
    guid = first;
    content = "fs.esp";
    number = 1;
    offset = bytes espStart;
    size = bytes (end - espStart);
  };
  layouts = {
    none = {
      before = [ ];
      start = 0;
    };
    legacy = {
      before = [ ];
      start = mebibyte;
    };
    "legacy+gpt" = {
      before = [
        {
          name = "no-fs";
          type = "bios-boot";
          guid = first;
          number = 1;
          offset = bytes mebibyte;
          size = bytes mebibyte;
        }
      ];
      start = 2 * mebibyte;
    };
    efi = {
      before = [ (esp bootSize) ];
      start = bootSize;
    };
    efixbootldr = {
      before = [
        (esp xbootldrStart)
        {
          name = "BOOT";
          type = "xbootldr";
          guid = second;
          content = "fs.boot";
          number = 2;
          offset = bytes xbootldrStart;
          size = bytes (bootSize - xbootldrStart);
        }
      ];
      start = bootSize;
    };
    hybrid = {
      before = [
        {
          name = "no-fs";
          type = "bios-boot";
          guid = second;
          number = 2;
          offset = "34s";
          size = "2014s";
        }
        (esp bootSize)
      ];
      start = bootSize;
    };
  };
  layout = layouts.${partitionTableType};
  isGpt = !(builtins.elem partitionTableType [
    "legacy"
    "none"
  ]);
  # A GPT ends with its copy.
  end = if isGpt then size - mebibyte else size;
  least = if partitionTableType == "efixbootldr" then xbootldrStart else espStart;
  # A FAT32 has 65525 clusters or more.
  fat =
    label: size:
    {
      format = "fat";
      inherit label;
      size = bytes size;
    }
    // lib.optionalAttrs (size >= 40 * mebibyte) { bits = 32; };
  checked =
    value:
    if layout.start == bootSize && (bootSize <= least || lib.mod bootSize mebibyte != 0) then
      bad "bootSize is ${toString bootSize} bytes, where the root begins: it has to be a whole number of MiB, and more than ${toString (least / mebibyte)}"
    else if size != null && end - layout.start < mebibyte then
      badSize "the root begins at byte ${toString layout.start}"
    else
      value;
in
{
  # Bytes of the root, or null where they follow from what is in it.
  rootSize = checked (if size == null then null else end - layout.start);
  fs =
    lib.optionalAttrs (lib.any (region: region.content or "" == "fs.esp") layout.before) {
      esp = fat "ESP" ((if partitionTableType == "efixbootldr" then xbootldrStart else bootSize) - espStart);
    }
    // lib.optionalAttrs (partitionTableType == "efixbootldr") {
      boot = fat "BOOT" (bootSize - xbootldrStart);
    };
  disk = {
    table =
      if partitionTableType == "none" then
        "none"
      else if isGpt then
        "gpt"
      else
        "mbr";
    region = layout.before ++ [
      (
        {
          name = if partitionTableType == "efixbootldr" then "ROOT" else "primary";
          content = "fs.root";
          offset = bytes layout.start;
        }
        // lib.optionalAttrs (partitionTableType != "none") { type = "linux"; }
        // lib.optionalAttrs isGpt {
          guid = rootGPUID;
          number = lib.length layout.before + 1;
        }
      )
    ];
  }
  // lib.optionalAttrs (size != null) { size = bytes size; };
}
