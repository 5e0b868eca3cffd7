# The attributes of a partition, from Flags and the three keys for single bits, which go before it.
{ lib, values }:
let
  inherit (builtins) elemAt match;
  characters = lib.stringToCharacters;
  hexadecimal = "0123456789abcdef";

  # systemd knows by a type whether a bit means something.
  isMounted = type: match "(root|usr)-.*|home|srv|var|tmp|xbootldr" type != null && !isVerity type;
  isHashes = type: match "(root|usr)-.*-verity" type != null;
  isVerity = type: match "(root|usr)-.*-verity(-sig)?" type != null;
  means = {
    NoAuto = type: isMounted type || isHashes type || type == "swap";
    ReadOnly = type: isMounted type || isVerity type;
    GrowFileSystem = isMounted;
  };

  # Sixteen hexadecimal digits of a value of Flags.
  digitsOf =
    bad: text:
    let
      hex = match "0[xX]([0-9a-fA-F]{1,16})" text;
      binary = match "0[bB]([01]{1,64})" text;
      decimal = match "[0-9]{1,18}" text;
      fill = count: digits: lib.concatStrings (lib.genList (_: "0") (count - lib.stringLength digits)) + digits;
      nibble =
        bits: lib.foldl' (sum: bit: sum * 2 + (if bit == "1" then 1 else 0)) 0 (characters bits);
      toHex =
        number:
        if number < 16 then
          builtins.substring number 1 hexadecimal
        else
          toHex (number / 16) + builtins.substring (number - number / 16 * 16) 1 hexadecimal;
    in
    if hex != null then
      fill 16 (lib.toLower (lib.head hex))
    else if binary != null then
      lib.concatStrings (
        lib.genList (
          index: toHex (nibble (builtins.substring (4 * index) 4 (fill 64 (lib.head binary))))
        ) 16
      )
    else if decimal != null then
      fill 16 (toHex (values.number text))
    else
      bad "Flags = ${text}: must be 0x and up to 16 hexadecimal digits, 0b and up to 64 binary ones, or a decimal number of up to 18";

  # Bits 63 to 60 and 59 to 56 are the first two digits: the same without what has a key of its own.
  without =
    keys: digits:
    let
      clear =
        weights: digit:
        let
          number = lib.findFirst (index: elemAt (characters hexadecimal) index == digit) 0 (
            lib.genList (index: index) 16
          );
          kept = lib.foldl' (
            number: weight: if number / weight - number / weight / 2 * 2 == 1 then number - weight else number
          ) number weights;
        in
        builtins.substring kept 1 hexadecimal;
      first = lib.optional (lib.elem "NoAuto" keys) 8 ++ lib.optional (lib.elem "ReadOnly" keys) 1;
      second = lib.optional (lib.elem "GrowFileSystem" keys) 8;
    in
    clear first (builtins.substring 0 1 digits)
    + clear second (builtins.substring 1 1 digits)
    + builtins.substring 2 14 digits;
in
# `config` is repartConfig, `type` a name of repart.d(5) or a GUID; `where` is for warnings. `usual` has what is true when
# nobody says anything: isReadOnly, isNoAuto.
bad: where: config: type: usual:
let
  said =
    key: otherwise:
    if !(config ? ${key}) then
      (if means.${key} type then otherwise else null)
    else if means.${key} type then
      values.boolean bad key config.${key}
    else if values.boolean bad key config.${key} then
      # As systemd-repart does.
      lib.warn "${where}: ${key} means nothing for the type ${type}; say it with Flags if you mean it" null
    else
      null;
  readOnly = said "ReadOnly" (if isVerity type || usual.isReadOnly then true else null);
  bits = {
    NoAuto = said "NoAuto" (if usual.isNoAuto then true else null);
    ReadOnly = readOnly;
    GrowFileSystem = said "GrowFileSystem" (if readOnly != true then true else null);
  };
  names = {
    NoAuto = "no-auto";
    ReadOnly = "read-only";
    GrowFileSystem = "growfs";
  };
  decided = lib.filter (key: bits.${key} != null) (lib.attrNames bits);
  flags = without decided (digitsOf bad (values.text (config.Flags or "0")));
in
map (key: names.${key}) (lib.filter (key: bits.${key}) decided)
++ lib.optional (flags != "0000000000000000") "0x${flags}"
