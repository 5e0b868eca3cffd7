# A store that a kernel image vouches for (image.repart.verityStore): the root hash of the store's partition is in the command
# line of a UKI, which lies in the ESP of the same disk. So it is made between planning and writing: Kiln says the root hash,
# ukify makes the UKI, and Kiln makes the disk, in one derivation. The store is compressed once: its segments are kept between.
{ lib, values }:
{
  # What image.repart.verityStore says, and what makes the UKI:
  ukiPath,
  partitionIds,
  # What its file is called, in the output `uki`.
  ukiFile,
  # What ukify is told: a file, and a command line that usrhash= is added to.
  ukiConfig,
  cmdline,
  # A package with bin/ukify or lib/systemd/ukify.
  ukify,
}:
let
  bad = option: problem: throw "image.repart.verityStore.${option}: ${problem}";
  # Where both runs find it: relative paths of a specification start where it is built.
  uki = "uki.efi";
  quoted = lib.escapeShellArg;
in
{
  # The partitions with the UKI in the ESP.
  partitions =
    partitions:
    let
      check =
        name: id:
        if partitions ? ${id} then id else bad "partitionIds.${name}" "${id}: there is no such partition";
      esp = check "esp" partitionIds.esp;
    in
    builtins.seq (check "store" partitionIds.store) (
      builtins.seq (check "store-verity" partitionIds.store-verity) (
        partitions
        // {
          ${esp} = partitions.${esp} // {
            contents = partitions.${esp}.contents or { } // {
              ${values.place (bad "ukiPath") "ukiPath" ukiPath}.source = uki;
            };
          };
        }
      )
    );

  # More arguments of mkDiskImage, by what the tree of the store is called.
  build = tree: {
    outputs = [
      "out"
      "uki"
    ];
    nativeBuildInputs = [ ukify ];
    flags = [
      "--cache"
      "kiln-segments"
    ];
    prepare = ''
      # The root hash follows from the store alone, so nobody reads this one.
      : > ${uki}
      planned=$(kiln build kiln.json --out planned --cache kiln-segments --only verity.${tree} --json --jobs "''${NIX_BUILD_CORES:-0}")
      if ! [[ $planned =~ \"id\":\ *\"([0-9a-f]{64})\" ]]; then
        echo "kiln has said no root hash: $planned" >&2
        exit 1
      fi
      printf '%s' "''${BASH_REMATCH[1]}" > usrhash
      PATH=$PATH:${ukify}/lib/systemd
      ukify build --config=${ukiConfig} --cmdline=${quoted cmdline}" usrhash=''${BASH_REMATCH[1]}" --output=${uki}
    '';
    finish = ''
      list=$(< "$out/repart-output.json")
      if ! [[ $list == *\"roothash\":\ \""$(< usrhash)"\"* ]]; then
        echo "the store of the disk is not the one that the UKI vouches for" >&2
        exit 1
      fi
      mkdir -p "$uki"
      cp ${uki} "$uki/"${quoted ukiFile}
    '';
  };
}
