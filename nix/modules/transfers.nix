# What systemd.sysupdate.transfers fetch, beside what a release has. Each is an assertion: a transfer that finds nothing would
# be told by no device, and two that find the same would overwrite each other.
{ lib }:
{
  # systemd.sysupdate.transfers.
  transfers,
  id,
  version,
  # Types of partitions by the names of regions.
  parts,
  # How data and trees are compressed: "", ".xz" …
  ending,
  tries,
}:
let
  inherit (builtins)
    attrNames
    filter
    length
    match
    ;
  option = "systemd.sysupdate.transfers";
  uuid = "0123456789abcdef0123456789abcdef";
  words =
    value:
    filter (word: word != "") (
      lib.concatMap (line: lib.splitString " " (lib.replaceStrings [ "\n" "\t" ] [ " " " " ] line)) (
        map toString (lib.toList value)
      )
    );

  # A pattern of sysupdate.d(5) as a regular expression.
  special = [
    "."
    "+"
    "*"
    "?"
    "("
    ")"
    "["
    "]"
    "{"
    "}"
    "|"
    "^"
    "$"
    "\\"
  ];
  wildcards = {
    "@v" = "([-A-Za-z0-9.,_+~^]+)";
    "@u" = "[-0-9a-f]{32,36}";
    "@l" = "[0-9]+";
    "@d" = "[0-9]+";
    "@h" = "[0-9a-f]{64}";
  };
  others = [
    "@f"
    "@a"
    "@g"
    "@r"
    "@t"
    "@m"
    "@s"
  ];
  specifiers = {
    "%%" = "%";
    "%A" = version;
    "%M" = id;
  };
  expression =
    pattern:
    let
      from = special ++ attrNames wildcards ++ others ++ attrNames specifiers;
      to =
        map (character: "\\" + character) special
        ++ builtins.attrValues wildcards
        ++ map (_: "[0-9a-zA-Z]+") others
        ++ map (lib.escape special) (builtins.attrValues specifiers);
    in
    lib.replaceStrings from to pattern;
  # Whether a pattern is that of a name, and takes the version out of it.
  takes =
    name: pattern:
    let
      found = match (expression pattern) name;
    in
    found != null && lib.hasInfix "@v" pattern && builtins.head found == version;
  takesAny = name: patterns: lib.any (takes name) (words patterns);

  source = transfer: transfer.Source.MatchPattern or [ ];
  target = transfer: transfer.Target or { };
  fetching = name: filter (key: takesAny name (source transfers.${key})) (attrNames transfers);

  # What a release has: names of files, and what their targets are.
  files = lib.mapAttrsToList (region: type: {
    name = "${id}_${version}_${uuid}.${region}.raw${ending}";
    shown = "${id}_@v_@u.${region}.raw${ending}";
    label = "${id}_${version}";
    inherit type;
  }) parts
  ++ [
    {
      name = "${id}_${version}.efi";
      shown = "${id}_@v.efi";
      label = "${id}_${version}${lib.optionalString (tries > 0) "+${toString tries}-0"}.efi";
      type = null;
    }
  ];

  short = type: lib.head (lib.splitString "-" type) + lib.optionalString (lib.hasSuffix "-verity" type) "-verity";
  check =
    {
      name,
      shown,
      label,
      type,
    }:
    let
      found = fetching name;
      key = lib.head found;
      to = target transfers.${key};
      kind = if type == null then "regular-file" else "partition";
      of = "${option}.${key}.Target";
    in
    if found == [ ] then
      [
        {
          assertion = false;
          message = "${option}: none of them fetches ${shown}, which each release has: a Source with this MatchPattern is missing; leave them all out to get those of Kiln";
        }
      ]
    else
      [
        {
          assertion = length found == 1;
          message = "${option}: ${lib.concatStringsSep " and " found} both fetch ${shown}";
        }
        {
          assertion = to.Type or "" == kind;
          message = "${of}.Type is ${to.Type or "not said"}: ${shown} goes into a ${kind}";
        }
        {
          assertion = takesAny label (to.MatchPattern or [ ]);
          message = "${of}.MatchPattern is ${toString (words (to.MatchPattern or [ ]))}: it does not match ${label}, as the image of version ${version} has it";
        }
        {
          assertion = type == null || lib.elem (to.MatchPartitionType or "") [ type (short type) ];
          message = "${of}.MatchPartitionType is ${to.MatchPartitionType or "not said"}: the partition is a ${toString type}";
        }
      ];
in
lib.concatMap check files
