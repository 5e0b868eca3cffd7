# What disko hands to mkfs in extraArgs, as keys of [fs.NAME]. A word that is not known is an error: nothing is passed over.
{ lib }:
let
  inherit (builtins) head match tail;
  key = name: value: { ${name} = value; };
  # Options that take a value, and those that take none.
  known = {
    fat = {
      valued = {
        "-F" = bits: key "bits" (builtins.fromJSON bits);
        "-n" = key "label";
        "-i" = key "id";
      };
      plain = [ "-v" ];
    };
    ext4 = {
      valued = {
        "-L" = key "label";
        "-U" = key "uuid";
        # Kiln keeps nothing for root, and has blocks of this size.
        "-m" = only "-m" "0";
        "-b" = only "-b" "4096";
      };
      plain = [
        "-F"
        "-q"
        "-v"
      ];
    };
    btrfs = {
      valued = {
        "-L" = key "label";
        "--label" = key "label";
        "-U" = key "uuid";
        "--uuid" = key "uuid";
        "-m" = key "metadata";
        "--metadata" = key "metadata";
        "-d" = only "-d" "single";
        "--data" = only "--data" "single";
        "-s" = only "-s" "4096";
        "-n" = only "-n" "16384";
      };
      plain = [
        "-f"
        "--force"
        "-K"
        "--nodiscard"
        "-q"
        "--quiet"
        "-v"
      ];
    };
    swap = {
      valued = {
        "-L" = key "label";
        "--label" = key "label";
        "-U" = key "uuid";
        "--uuid" = key "uuid";
      };
      plain = [
        "-f"
        "--force"
        "-q"
      ];
    };
  };
  only =
    option: value: said:
    if said == value then { } else { bad = "${option} ${said}: Kiln has ${option} ${value} alone"; };
in
# The keys of a list of words.
bad: format: words:
let
  options = known.${format};
  isOption = word: options.valued ? ${word};
  wrong = problem: bad "extraArgs: ${problem}";
  checked = keys: if keys ? bad then wrong keys.bad else keys;
  one =
    rest:
    let
      word = head rest;
      attached = match "(-[a-zA-Z]|--[a-z-]+=)(.+)" word;
      option = lib.removeSuffix "=" (head attached);
    in
    if rest == [ ] then
      { }
    else if builtins.elem word options.plain then
      one (tail rest)
    else if isOption word then
      if tail rest == [ ] then
        wrong "${word} has no value"
      else
        checked (options.valued.${word} (head (tail rest))) // one (tail (tail rest))
    else if attached != null && isOption option then
      checked (options.valued.${option} (builtins.elemAt attached 1)) // one (tail rest)
    else
      wrong "${word}: not known of ${format}; there are ${
        toString (builtins.attrNames options.valued ++ options.plain)
      }";
in
one (lib.concatMap (word: builtins.filter (part: part != "") (lib.splitString " " word)) words)
