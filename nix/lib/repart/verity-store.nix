# A store that a kernel image vouches for (image.repart.verityStore): the root hash of the store's partition is in the command
# line of a UKI, which lies in the ESP of the same disk. Planning knows the root hash, so that one run makes all of it.
{ lib, values }:
let
  # The UKI's name in a specification.
  uki = "store";
  made = import ../uki.nix { inherit lib; };
in
{
  # What image.repart.verityStore says:
  ukiPath,
  partitionIds,
  # What its file is called, in the output `uki`.
  ukiFile,
  # boot.uki.settings.
  settings,
  # The command line that usrhash= is added to.
  cmdline,
  # More keys of [uki.NAME].
  keys ? { },
}:
let
  bad = option: problem: throw "${option}: ${problem}";
in
{
  # The partitions with the UKI in the ESP.
  partitions =
    partitions:
    let
      missing = lib.filter (name: !(partitions ? ${partitionIds.${name}})) [
        "esp"
        "store"
        "store-verity"
      ];
      name = lib.head missing;
      path = values.place (bad "image.repart.verityStore.ukiPath") "ukiPath" ukiPath;
      inherit (partitionIds) esp;
    in
    if missing != [ ] then
      bad "image.repart.verityStore.partitionIds.${name}" "${partitionIds.${name}}: there is no such partition"
    else
      partitions
      // {
        ${esp} = partitions.${esp} // {
          contents = partitions.${esp}.contents or { } // {
            ${path}.source = "{uki.${uki}}";
          };
        };
      };

  # More arguments of mkDiskImage, by what the tree of the store is called.
  build = tree: {
    uki.${uki} =
      made {
        inherit cmdline keys settings;
        hashes = " usrhash={verity.${tree}.roothash}";
        more = "kiln.repart.uki";
      }
      // {
        file = keys.file or ukiFile;
      };
    only = [
      "disk"
      "uki.${uki}"
    ];
    outputs = [
      "out"
      "uki"
    ];
    finish = ''
      mkdir -p "$uki"
      mv "$out/"${lib.escapeShellArg ukiFile} "$uki/"
    '';
  };
}
