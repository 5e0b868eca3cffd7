# Texts, lists and sets.
{ lib }:
{
  escaped = map lib.escapeShellArg [
    "plain"
    "two words"
    "it's"
    ""
  ];
  split = lib.splitString "." "a.b..c";
  infix = map (lib.hasInfix "b\n") [
    "ab\nc"
    "abc"
  ];
  affixes = [
    (lib.removePrefix "ab" "abc")
    (lib.removeSuffix "bc" "abc")
    (lib.hasSuffix "abcd" "bcd")
  ];
  upper = lib.toUpper "aa64";
  int = [
    (lib.toInt "12")
    (lib.toInt "-3")
  ];
  padded = lib.fixedWidthString 8 "0" (lib.toHexString 655);
  trimmed = lib.trim " \n a b\t";
  versions = [
    (lib.versionAtLeast "2.18" "2.8")
    (lib.versionOlder "25.05" "25.11")
  ];
  name = lib.strings.sanitizeDerivationName "..a b/c";
  stored = map lib.isStorePath [
    "/nix/store/00000000000000000000000000000000-a"
    "/nix/store/00000000000000000000000000000000-a/b"
    "/etc"
  ];
  lists = [
    (lib.unique [ 1 2 1 ])
    (lib.flatten [ 1 [ 2 [ 3 ] ] ])
    (lib.take 2 [ 1 2 3 ])
    (lib.drop 2 [ 1 2 3 ])
    (lib.imap0 (at: value: at + value) [ 5 5 ])
    (lib.range 2 4)
    (lib.reverseList [ 1 2 ])
    (lib.remove 1 [ 1 2 ])
  ];
  sets = [
    (lib.recursiveUpdate { a.b = 1; a.c = 2; } { a.b.d = 3; })
    (lib.filterAttrs (_: value: value > 1) { a = 1; b = 2; })
    (lib.mapAttrs' (name: value: lib.nameValuePair "x${name}" value) { a = 1; })
    (lib.attrByPath [ "a" "b" ] 5 { a = { }; })
    (lib.foldlAttrs (sum: _: value: sum + value) 0 { a = 1; b = 2; })
  ];
}
