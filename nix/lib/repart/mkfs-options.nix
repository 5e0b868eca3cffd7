# Options of mkfs programs (image.repart.mkfsOptions) as keys of [fs.NAME]. An option that Kiln does not know is an error.
{
  lib,
  btrfs,
  compression,
}:
let
  # What each format's program is told, as far as Kiln has a word for it: option = key and value.
  known = {
    squashfs = {
      "-comp" = compression: {
        compression =
          {
            gzip = "gzip";
            xz = "xz";
            zstd = "zstd";
          }
          .${compression} or null;
      };
      "-Xcompression-level" = level: { level = builtins.fromJSON level; };
      "-b" = size: { block-size = bytes size; };
    };
    vfat = {
      "-F" = bits: { bits = builtins.fromJSON bits; };
      "-S" = size: { sector-size = builtins.fromJSON size; };
      "-i" = id: { inherit id; };
      "-n" = label: { inherit label; };
    };
    ext4 = {
      "-L" = label: { inherit label; };
      "-U" = uuid: { inherit uuid; };
      # No ext4 of Kiln's keeps blocks for root.
      "-m" = share: if share == "0" then { } else { share = null; };
    };
    btrfs = {
      "-L" = label: { inherit label; };
      "-U" = uuid: { inherit uuid; };
      "-m" = metadata: { metadata = if lib.elem metadata [ "dup" "single" ] then metadata else null; };
      "--compress" = compressor: btrfs.compressor compressor;
      # What every btrfs of Kiln has.
      "-d" = data: if data == "single" then { } else { data = null; };
      "-n" = size: if lib.elem size [ "16384" "16k" "16K" ] then { } else { size = null; };
      "-s" = size: if lib.elem size [ "4096" "4k" "4K" ] then { } else { size = null; };
      "--csum" = kind: if kind == "crc32c" then { } else { kind = null; };
    };
    erofs = {
      "-C" = size: { cluster-size = bytes size; };
      "-L" = label: { inherit label; };
      "-U" = uuid: { inherit uuid; };
      "-z" =
        said:
        let
          found = builtins.match "([a-z0-9]+)(,(level=)?([0-9]+))?" said;
        in
        if found == null then
          { compression = null; }
        else
          compression.told "erofs" (lib.head found) (lib.elemAt found 3);
      # What every erofs of Kiln has.
      "-b" = size: if size == "4096" then { } else { size = null; };
    };
    swap = {
      "-L" = label: { inherit label; };
      "-U" = uuid: { inherit uuid; };
    };
  };
  bytes =
    text:
    let
      parts = builtins.match "([0-9]+)([KM]?)" text;
    in
    if parts == null then null else lib.head parts + (if lib.last parts == "" then "B" else lib.last parts + "iB");

  # Those that say what is so anyway.
  idle.erofs = [
    "--all-root"
    "--quiet"
  ];
  # mkfs.erofs has the values of short options in the same word.
  apart =
    format: word:
    let
      parts = builtins.match "(-[bCLUz])(.+)" word;
    in
    if format == "erofs" && parts != null then parts else [ word ];

  read =
    format: words:
    let
      option = lib.head words;
      followed = lib.tail words;
      keys = known.${format}.${option} (lib.head followed);
      bad = throw "image.repart.mkfsOptions.${format}: ${toString words}: not supported: known are ${
        toString (lib.attrNames (known.${format} or { }))
      }, each with a value; other settings are keys of [fs.NAME]: `keys` of fromRepart, kiln.repart.keys of the module";
    in
    if words == [ ] then
      { }
    else if lib.elem option (idle.${format} or [ ]) then
      read format followed
    else if !(known ? ${format}) || !(known.${format} ? ${option}) || followed == [ ] then
      bad
    else if lib.elem null (lib.attrValues keys) then
      bad
    else
      keys // read format (lib.tail followed);
in
# The keys that options of a format's program stand for.
mkfsOptions: format:
read format (
  lib.concatMap (apart format) (
    lib.filter (word: word != "") (
      lib.concatMap (lib.splitString " ") (mkfsOptions.${format} or [ ])
    )
  )
)
