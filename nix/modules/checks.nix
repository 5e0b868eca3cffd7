# What evaluation knows to be wrong in a specification: Kiln would say so only when all else is built. Each is an assertion.
{ lib }:
{
  specification,
  # How to move what is in the way.
  wayOut,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    elem
    filter
    head
    ;
  disk = specification.disk or { };
  fs = specification.fs or { };
  sector = disk.sector-size or 512;

  inherit (import ./amounts.nix { inherit sector; }) bytes;

  part = region: lib.removePrefix "fs." (region.content or "");
  extents = filter (extent: extent.start != null) (
    map (region: {
      name = region.name or "a region";
      start = bytes (region.offset or null);
      len =
        let
          size = bytes (region.size or fs.${part region}.size or null);
        in
        if size == null then 1 else size;
    }) (disk.region or [ ])
  );
  overlap = one: other: one.start < other.start + other.len && other.start < one.start + one.len;
  # Each pair once.
  pairs =
    list:
    if list == [ ] then
      [ ]
    else
      map (other: {
        one = head list;
        inherit other;
      }) (builtins.tail list)
      ++ pairs (builtins.tail list);

  keys = import ./keys.nix;
  # Of Kiln's functions in Nix.
  ours = [
    "closureCheck"
    "finish"
    "flags"
    "hydra"
    "meta"
    "nativeBuildInputs"
    "only"
    "outputs"
    "passthru"
    "prepare"
    "segments"
    "toplevel"
  ];
  formats = filter (name: fs.${name} ? format) (attrNames fs);
  quoted = names: lib.concatStringsSep ", " names;

  # What a set at a place has beside these keys.
  unknown =
    place: known: set:
    map (name: {
      assertion = elem name known;
      message = "${place}.${name}: there is no such key; there are ${quoted known}";
    }) (if builtins.isAttrs set then attrNames set else [ ]);
in
unknown "kiln.specification" (keys.specification ++ ours) specification
++ concatMap (name: unknown "kiln.specification.fs.${name}" keys.fs fs.${name}) (attrNames fs)
++ unknown "kiln.specification.disk" keys.disk disk
++ concatMap (region: unknown "the region ${region.name or "without a name"}" keys.region region) (
  disk.region or [ ]
)
++ map (name: {
  assertion = elem name formats;
  message = "kiln.specification.fs.${name} has no format, and is none of ${quoted formats}, which are there already";
}) (attrNames fs)
++ concatMap (
  { one, other }:
  [
    {
      assertion = !(overlap one other);
      message = "the regions ${one.name} (from byte ${toString one.start}) and ${other.name} (from byte ${toString other.start}) overlap: ${wayOut}";
    }
  ]
) (pairs extents)
