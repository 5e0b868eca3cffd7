# Ids as systemd-repart derives them from a seed, so that partitions and file systems have the same ones: HMAC-SHA256 with an
# id as its key, the first half of it, marked as a UUID of version 4.
{ lib }:
let
  hmac = import ./hmac-sha256.nix;
  types = import ./types.nix;
  characters = lib.stringToCharacters;
  digits = lib.listToAttrs (
    lib.imap0 (number: digit: lib.nameValuePair digit number) (characters "0123456789abcdef")
  );
  pattern = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

  # A UUID in lower case with its dashes, or null when a text is none.
  uuid =
    text:
    let
      lower = lib.toLower text;
      part = from: count: builtins.substring from count lower;
    in
    if builtins.match pattern lower != null then
      lower
    else if builtins.match "[0-9a-f]{32}" lower != null then
      lib.concatStringsSep "-" [
        (part 0 8)
        (part 8 4)
        (part 12 4)
        (part 16 4)
        (part 20 12)
      ]
    else
      null;

  bytesOf =
    id:
    let
      all = map (digit: digits.${digit}) (characters (lib.replaceStrings [ "-" ] [ "" ] id));
    in
    builtins.genList (
      index: builtins.elemAt all (2 * index) * 16 + builtins.elemAt all (2 * index + 1)
    ) 16;

  digit = number: builtins.substring number 1 "0123456789abcdef";
  hex = bytes: lib.concatStrings (map (byte: digit (byte / 16) + digit (byte - byte / 16 * 16)) bytes);
  text =
    bytes:
    let
      join = from: count: hex (lib.sublist from count bytes);
    in
    lib.concatStringsSep "-" [
      (join 0 4)
      (join 4 2)
      (join 6 2)
      (join 8 2)
      (join 10 6)
    ];

  # The low bits of a byte, below a mark.
  marked = byte: limit: mark: byte - byte / limit * limit + mark;
  version4 =
    bytes:
    lib.imap0 (
      index: byte:
      if index == 6 then
        marked byte 16 64
      else if index == 8 then
        marked byte 64 128
      else
        byte
    ) (lib.take 16 bytes);
  derived = key: message: text (version4 (hmac (bytesOf key) message));

  # The characters of a text that is written here, as bytes.
  ascii = lib.listToAttrs (
    lib.imap0 (index: character: lib.nameValuePair character (97 + index)) (
      characters "abcdefghijklmnopqrstuvwxyz"
    )
    ++ [ (lib.nameValuePair "-" 45) ]
  );
  asciiOf = name: map (character: ascii.${character}) (characters name);
  named = key: name: derived key (asciiOf name);
in
{
  inherit uuid;

  # The GUID of a type: a name of repart.d(5), or a GUID.
  typeGuid = type: types.${type} or (uuid type);
  # The name of a type by its GUID, or the GUID.
  typeName =
    guid:
    let
      found = lib.filter (name: types.${name} == guid) (lib.attrNames types);
    in
    if found == [ ] then guid else lib.head found;

  # The disk's GUID.
  disk = seed: named seed "disk-uuid";
  # That of the partition with a type before which there are `earlier` of the same.
  partition =
    seed: type: earlier:
    derived seed (
      bytesOf type
      ++ lib.optionals (earlier > 0) ([ earlier ] ++ builtins.genList (_: 0) 7)
    );
  # That of the file system in a partition. A partition whose GUID follows from what is in it has none yet: null.
  fileSystem =
    partition:
    named (if partition == null then "00000000-0000-0000-0000-000000000000" else partition) "file-system-uuid";
  # What every hash begins with.
  veritySalt = seed: hex (hmac (bytesOf seed) (asciiOf "verity-salt"));
}
