# Amounts of disko: of sgdisk for partitions, where a bare number counts sectors, and of truncate for images, where it counts bytes.
{ lib }:
let
  inherit (builtins) elemAt fromJSON head match;
  powers = {
    K = 1024;
    M = 1048576;
    G = 1073741824;
    T = 1099511627776;
    P = 1125899906842624;
  };
  # Decimal digits, which may begin with zeros.
  number = digits: fromJSON (head (match "0*([0-9]+)" digits));
  # Digits and a unit as bytes, or null; `bare` is what a number without a unit counts.
  amount =
    bare: text:
    let
      parts = match "([0-9]{1,15})([KMGTP]|s)?(i?B)?" text;
      unit = elemAt parts 1;
    in
    if parts == null then
      null
    else
      number (head parts)
      * (
        if unit == null then
          bare
        else if unit == "s" then
          512
        else
          powers.${unit}
      );
in
rec {
  mebibyte = 1048576;
  sector = 512;
  # The copy of the table, which ends the disk.
  tail = 33 * sector;

  bytes = number: "${toString number}B";
  # What file systems are multiples of.
  roundDown = bytes: bytes / 4096 * 4096;
  down = grain: place: place / grain * grain;
  up = grain: place: (place + grain - 1) / grain * grain;

  # imageSize, as truncate takes it.
  image =
    bad: text:
    let
      found = amount 1 text;
    in
    if found == null then
      bad "imageSize = ${text}: must be a whole number, or one with K, M, G, T or P (powers of 1024) behind it, or \"auto\""
    else
      found;

  # What sgdisk makes of a start and an end, in bytes: { begin, end }, null where it follows from contents. `cursor` is the end of the
  # partition before it, and `total` the disk's size, or null for neither. Only places that sgdisk chooses are aligned; an end that
  # is a place is the last sector, and one behind + counts from where the start would be unaligned.
  extent =
    {
      bad,
      cursor,
      total,
      start,
      end,
      exact,
    }:
    let
      grain = if exact then sector else mebibyte;
      first = if cursor == null then null else up grain (lib.max cursor (34 * sector));
      # The end of what is free.
      last = down grain (total - tail);
      parsed = text: {
        sign = if match "[+-].*" text == null then "" else builtins.substring 0 1 text;
        bytes = amount sector (lib.removePrefix "-" (lib.removePrefix "+" text));
      };
      from = parsed start;
      to = parsed end;
      aligned =
        place:
        if place == null then
          null
        else if cursor == null || down grain place >= lib.max cursor (34 * sector) then
          down grain place
        else
          up grain place;
      wanted =
        if from.bytes == null then
          bad "start = ${start}: must be a whole number of sectors, or one with K, M, G or T behind it"
        else if from.sign == "" && from.bytes == 0 then
          first
        else if from.sign == "" then
          from.bytes
        else if from.sign == "-" then
          if total == null then
            bad "start = ${start} counts from the disk's end, which is not known with imageSize = \"auto\": say a size"
          else
            last - sector - from.bytes
        else if first == null then
          unknown "start = ${start}"
        else
          first + from.bytes;
      unknown =
        what: bad "${what}: it follows a partition whose size is not known: say another imageSize than \"auto\"";
    in
    {
      begin = aligned wanted;
      end =
        if to.bytes == null then
          bad "end = ${end}: must be a place such as 512M, a size behind +, or a distance from the disk's end behind -"
        else if to.sign == "" then
          to.bytes + sector
        else if to.sign == "+" && to.bytes == 0 then
          bad "it has neither size nor end: say size = \"100%\" for all that is left"
        else if to.sign == "+" then
          if wanted == null then unknown "end = ${end}" else wanted + to.bytes
        else if total != null then
          last - to.bytes
        else if to.bytes == 0 then
          null
        else
          bad "end = ${end} counts from the disk's end, which is not known with imageSize = \"auto\": say a size";
    };
}
