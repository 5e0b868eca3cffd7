# Verity, VerityMatchKey and the sizes of blocks: which partitions belong together, as sections [verity.NAME].
{ lib, values }:
let
  inherit (values) isNo size text;
  inherit (builtins) filter head length;
  modes = [
    "data"
    "hash"
    "signature"
  ];
  blockSize = 4096;
  blockKeys = [
    "VerityDataBlockSizeBytes"
    "VerityHashBlockSizeBytes"
  ];
in
rec {
  # Those of the partition that has a signature, as systemd-repart has it.
  signatureSize = 16384;

  # "data", "hash", "signature", or null.
  modeOf =
    bad: config:
    let
      said = text (config.Verity or "off");
    in
    if lib.elem said modes then
      said
    else if isNo said then
      null
    else
      bad "Verity = ${said}: must be off, data, hash or signature";

  # Refuses a definition that contradicts itself; `found` has its mode, format, and whether it has contents.
  checked =
    bad: config: found: result:
    let
      inherit (found) format isFull mode;
      follows = mode == "hash" || mode == "signature";
      other = filter (key: config ? ${key} && size bad key config.${key} != blockSize) blockKeys;
      without = filter (key: config ? ${key}) [
        "SizeMinBytes"
        "SizeMaxBytes"
      ];
    in
    if mode == null && config ? VerityMatchKey then
      bad "VerityMatchKey is for Verity = data, hash and signature; say Verity too, or leave it out"
    else if other != [ ] then
      bad "${head other} = ${text config.${head other}}: Kiln's hash trees have blocks of ${toString blockSize} bytes; say that, or leave it out"
    else if mode == null then
      result
    else if !(config ? VerityMatchKey) then
      bad "Verity = ${mode}: VerityMatchKey is missing, by which data, hash and signature find each other"
    else if follows && (config ? CopyBlocks || format != null || isFull) then
      bad "Verity = ${mode} excludes Format, CopyBlocks, CopyFiles and other contents: what is in it follows from the data"
    else if mode == "signature" && without != [ ] then
      bad "Verity = signature excludes ${head without}: it has ${toString signatureSize} bytes"
    else if mode == "data" && config ? CopyBlocks then
      bad "Verity = data excludes CopyBlocks: Kiln hashes the file systems that it makes; say Format and CopyFiles"
    else if mode == "data" && (format == null || format == "swap") then
      bad "Verity = data: there is no file system to hash; say Format"
    else
      result;

  # The bytes of a tree with its superblock, over so many of data.
  treeSize =
    bytes:
    let
      perBlock = blockSize / 32;
      above =
        blocks: if blocks <= 1 then 0 else (blocks + perBlock - 1) / perBlock + above ((blocks + perBlock - 1) / perBlock);
    in
    blockSize * (1 + above ((bytes + blockSize - 1) / blockSize));

  # What belongs together: [{ key; data; hash; signature; }], the last null when there is none. `bad` gets a partition's id.
  groups =
    bad: partitions:
    let
      of = mode: key: filter (partition: partition.verity == mode && partition.verityKey == key) partitions;
      keys = lib.unique (
        map (partition: partition.verityKey) (filter (partition: partition.verity != null) partitions)
      );
      # The only one of a kind, or null.
      only =
        mode: key:
        let
          found = of mode key;
        in
        if length found > 1 then
          bad (lib.elemAt found 1).id "VerityMatchKey = ${key}: ${(head found).id} is Verity = ${mode} too, and each key has one"
        else if found == [ ] then
          null
        else
          head found;
      group =
        key:
        let
          data = only "data" key;
          hash = only "hash" key;
          signature = only "signature" key;
          one = lib.findFirst (partition: partition != null) null [ data hash signature ];
          missing = if data == null then "data" else "hash";
          # Of a type that says whose hashes or signature these are.
          fits =
            ending: partition:
            let
              base = builtins.match "((root|usr)-.*)-verity${ending}" partition.type;
            in
            base == null || head base == data.type;
          misfits = filter (pair: pair.partition != null && !(fits pair.ending pair.partition)) [
            {
              partition = hash;
              ending = "";
            }
            {
              partition = signature;
              ending = "-sig";
            }
          ];
          misfit = head misfits;
        in
        if data == null || hash == null then
          bad one.id "Verity = ${one.verity}: no partition has Verity = ${missing} and VerityMatchKey = ${key}; define it, or leave Verity out"
        else if misfits != [ ] then
          bad misfit.partition.id "Type = ${misfit.partition.type}: ${data.id}, whose VerityMatchKey it has, is of type ${data.type}; say ${data.type}-verity${misfit.ending}"
        else
          {
            inherit
              data
              hash
              key
              signature
              ;
          };
    in
    map group keys;
}
