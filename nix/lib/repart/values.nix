# What values of repart.d(5) mean. `bad` says what is wrong with one, and where.
{ lib }:
let
  inherit (builtins)
    isBool
    isList
    match
    ;
  grain = 4096;
  isYes = value: lib.elem (lib.toLower (text value)) [ "1" "yes" "y" "true" "t" "on" ];
  isNo = value: lib.elem (lib.toLower (text value)) [ "" "0" "no" "n" "false" "f" "off" ];
  # As a definition has it.
  text = value: if isBool value then (if value then "yes" else "no") else toString value;
in
rec {
  inherit grain isNo text;

  roundUp = bytes: (bytes + grain - 1) / grain * grain;
  roundDown = bytes: bytes / grain * grain;

  # A key that is said once or several times.
  each = value: if isList value then value else [ value ];
  # A definition without what is empty, and of keys that are said several times what is said last.
  last =
    config:
    let
      repeated = [
        "CopyFiles"
        "ExcludeFiles"
        "ExcludeFilesTarget"
        "MakeDirectories"
        "MakeSymlinks"
        "MountPoint"
        "Subvolumes"
      ];
      one = key: value: if isList value && !lib.elem key repeated then lib.last value else value;
      isSaid = value: value != "" && value != [ ];
    in
    lib.mapAttrs one (lib.filterAttrs (_: isSaid) config);

  # A key of words with blanks between them.
  words =
    value:
    lib.concatMap (
      one: map (withContextOf one) (lib.filter (word: word != "") (lib.splitString " " one))
    ) (each value);

  boolean =
    bad: key: value:
    if isYes value then
      true
    else if isNo value then
      false
    else
      bad "${key} = ${text value}: must be yes or no";

  # Bytes: 512M has units of 1024.
  size =
    bad: key: value:
    let
      parts = match "([0-9]+)([KMGTP]?|B)" (text value);
      factor = lib.findFirst (unit: unit.name == lib.last parts) null [
        { name = ""; bytes = 1; }
        { name = "B"; bytes = 1; }
        { name = "K"; bytes = 1024; }
        { name = "M"; bytes = 1048576; }
        { name = "G"; bytes = 1073741824; }
        { name = "T"; bytes = 1099511627776; }
        { name = "P"; bytes = 1125899906842624; }
      ];
    in
    if parts == null then
      bad "${key} = ${text value}: must be a whole number of bytes, or with one of K, M, G, T and P (powers of 1024) behind it"
    else
      number (lib.head parts) * factor.bytes;

  # Decimal digits, which may begin with zeros.
  number =
    digits:
    let
      short = match "0*([0-9]+)" digits;
    in
    builtins.fromJSON (lib.head short);

  # A number from 0 to the most.
  count =
    bad: key: most: value:
    let
      found = if match "[0-9]{1,7}" (text value) == null then -1 else number (text value);
    in
    if found < 0 || found > most then
      bad "${key} = ${text value}: must be a number from 0 to ${toString most}"
    else
      found;

  # %A and its like, as far as `known` has them; the others depend on the machine that runs systemd-repart.
  expand =
    bad: key: known: value:
    let
      parts = builtins.split "%(.?)" value;
      meaning =
        letter:
        known.${letter}
          or (bad "${key} = ${value}: %${letter} is not known when an image is made; say its value in Nix. Known are ${
            lib.concatMapStringsSep ", " (known: "%${known}") (lib.attrNames known)
          }");
    in
    withContextOf value (
      lib.concatStrings (map (part: if isList part then meaning (lib.head part) else part) parts)
    );

  # A text out of parts of another, which depends on the store paths that the other depends on: builtins.split forgets them.
  withContextOf = whole: part: builtins.substring 0 0 whole + part;

  # An absolute path without what means nothing in it. A name in an image depends on no store path.
  place =
    bad: key: path:
    let
      names = lib.filter (name: name != "" && name != ".") (lib.splitString "/" path);
    in
    if lib.hasPrefix "/" path && !lib.elem ".." names then
      builtins.unsafeDiscardStringContext ("/" + lib.concatStringsSep "/" names)
    else
      bad "${key}: ${path} is no absolute path without ..";
}
