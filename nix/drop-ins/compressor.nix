# What mksquashfs takes behind -comp, as keys of a squashfs. What Kiln does not write in that way is an error, and nothing is
# passed over.
{ lib, what }:
comp:
let
  inherit (builtins) elemAt head match tail;
  bad = problem: throw "${what}: comp ${builtins.toJSON comp}: ${problem}";
  words = builtins.filter (word: builtins.isString word && word != "") (builtins.split "[[:space:]]+" comp);
  compressor = head words;

  # Options with their values: { -Xname = value; }.
  pairs =
    rest:
    if rest == [ ] then
      { }
    else if builtins.length rest == 1 then
      if lib.hasPrefix "-X" (head rest) then
        { ${head rest} = null; }
      else
        bad "${head rest} is no option of ${compressor}"
    else if lib.hasPrefix "-X" (head rest) then
      if lib.hasPrefix "-" (elemAt rest 1) then
        { ${head rest} = null; } // pairs (tail rest)
      else
        { ${head rest} = elemAt rest 1; } // pairs (tail (tail rest))
    else
      bad "${head rest} is no option of ${compressor}; other options of mksquashfs have arguments of their own";

  given = pairs (tail words);
  level =
    lowest: highest: value:
    let
      number = if value == null then null else match "0*([1-9][0-9]?)" value;
      said = builtins.fromJSON (head number);
    in
    if number == null || said < lowest || said > highest then
      bad "-Xcompression-level must be ${toString lowest} to ${toString highest}"
    else
      { level = said; };
  # An option that may say what is so anyway.
  only =
    option: values: problem: value:
    if builtins.elem value values then { } else bad "${option} ${toString value}: ${problem}";

  known = {
    gzip = {
      usual.level = 9;
      "-Xcompression-level" = level 1 9;
      "-Xwindow-size" = only "-Xwindow-size" [ "15" ] "Kiln's gzip has windows of 15 bits; leave it out";
      "-Xstrategy" = only "-Xstrategy" [ "default" ] "Kiln's gzip chooses its strategy itself; leave it out";
    };
    xz = {
      usual = { };
      "-Xdict-size" =
        only "-Xdict-size" [ "100%" "1M" "1024K" "1048576" ]
          "Kiln's dictionaries are as large as a block (100%), which compresses best; leave it out";
      "-Xbcj" = only "-Xbcj" [ ] "Kiln writes no branch filters; leave it out";
    };
    zstd = {
      # mksquashfs' own.
      usual.level = 15;
      "-Xcompression-level" = level 1 22;
    };
  };
  options = known.${compressor};
  one =
    option: value:
    if option != "usual" && options ? ${option} then
      options.${option} value
    else
      bad "${option} is not known; ${compressor} has ${
        toString (builtins.filter (name: name != "usual") (builtins.attrNames options))
      }";
in
if comp == null then
  { compression = "none"; }
else if words == [ ] then
  bad "names no compressor; null is without compression"
else if !(known ? ${compressor}) then
  bad "Kiln writes no ${compressor}: there are ${toString (builtins.attrNames known)}, and null without compression"
else
  builtins.foldl' (keys: option: keys // one option given.${option}) (
    { compression = compressor; } // options.usual
  ) (builtins.attrNames given)
