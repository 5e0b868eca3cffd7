# The partitions of a disk, in the order in which disko makes them: each with its number, its place, and what is in it.
{ lib, sizes }:
let
  inherit (builtins) attrNames match;
  types = import ./types.nix { inherit lib; };
  lowerContent = import ./content.nix { inherit lib; };
  checked = import ./checked.nix { inherit lib; };

  # As udev writes a name in a link, in disko's way: ASCII alone has names.
  linked =
    label:
    lib.concatMapStrings (
      character:
      if match "[0-9A-Za-z#+.:=@_/-]" character != null then character else codes.${character} or character
    ) (lib.stringToCharacters label);
  codes = {
    " " = "\\x20";
    "!" = "\\x21";
    "\"" = "\\x22";
    "$" = "\\x24";
    "%" = "\\x25";
    "&" = "\\x26";
    "'" = "\\x27";
    "(" = "\\x28";
    ")" = "\\x29";
    "*" = "\\x2A";
    "," = "\\x2C";
    ";" = "\\x3B";
    "<" = "\\x3C";
    ">" = "\\x3E";
    "?" = "\\x3F";
    "[" = "\\x5B";
    "\\" = "\\x5C";
    "]" = "\\x5D";
    "^" = "\\x5E";
    "`" = "\\x60";
    "{" = "\\x7B";
    "|" = "\\x7C";
    "}" = "\\x7D";
    "~" = "\\x7E";
  };

  # The least that a FAT32 needs, with sectors of 512 bytes and some room.
  leastOfFat32 = 64 * sizes.mebibyte;
in
{
  bad,
  prefix,
  total,
}:
partitions:
let
  priority =
    partition:
    partition.priority or (
      if partition.size or "" == "100%" then
        9001
      else if partition.type or "" == "EF02" then
        100
      else
        1000
    );
  ordered = lib.sort (one: other: priority partitions.${one} < priority partitions.${other}) (
    attrNames partitions
  );

  one =
    done: id:
    let
      wrong = bad id;
      given = partitions.${id};
      partition = checked.keys wrong checked.partition given;
      content = partition.content or null;
      number = lib.length done + 1;
      isSwap = content.type or "" == "swap";
      uuid = partition.uuid or null;
      said = "${prefix}-${partition.name or id}";
      label =
        partition.label or (
          if lib.stringLength said > 36 then
            builtins.substring 0 36 (builtins.hashString "sha256" said)
          else
            said
        );
      device =
        partition.device or (
          if uuid != null then "/dev/disk/by-partuuid/${uuid}" else "/dev/disk/by-partlabel/${linked label}"
        );
      type = types.type wrong (partition.type or (if isSwap then "8200" else "8300"));
      size = partition.size or "0";
      text = {
        start = partition.start or "0";
        end = partition.end or (if size == "100%" then "-0" else "+${size}");
      };
      exact = partition.alignment or 0 == 1 || lib.hasSuffix "s" text.start || lib.hasSuffix "s" text.end;
      previous = if done == [ ] then { end = 0; } else lib.last done;
      extent = sizes.extent {
        bad = wrong;
        cursor = previous.end;
        inherit total exact;
        inherit (text) start end;
      };
      inherit (extent) begin end;
      lowered = lowerContent (problem: bad "${id}.content" problem) device content;
    in
    if partition.hybrid or null != null then
      wrong "hybrid: not lowered; say disk.table = \"hybrid\" and mbr-type in mkDiskImage"
    else if begin == null && previous.end == null && done != [ ] then
      wrong "it follows a partition whose size is not known: say another imageSize than \"auto\""
    else if begin != null && end != null && end <= begin then
      wrong "it ends at byte ${toString end}, and begins at byte ${toString begin}: imageSize is too small for it"
    else if total != null && end > total - sizes.tail then
      wrong "it ends at byte ${toString end}, behind those of a disk of ${toString total}: say a larger imageSize"
    else if lowered.fs == null && end == null then
      wrong "it has no size and no content that would tell one"
    else
      done
      ++ [
        {
          inherit
            id
            label
            type
            number
            begin
            end
            ;
          # What the specification calls its file system.
          key = if match "[A-Za-z0-9_-]+" id != null then id else "partition-${toString number}";
          guid = uuid;
          attributes = map (types.attribute wrong) (partition.attributes or [ ]);
          inherit (lowered) mounts swap;
          fs =
            if
              lowered.fs != null
              && lowered.fs.format == "fat"
              && type == "esp"
              && (end == null || end - begin >= leastOfFat32)
            then
              { bits = 32; } // lowered.fs
            else
              lowered.fs;
        }
      ];
in
lib.foldl' one [ ] ordered
