# Which values are of a type, and what several of them make.
{ lib, cases }:
let
  inherit (lib)
    mkDefault
    mkForce
    mkIf
    types
    ;
  inherit (cases)
    merged
    option
    tried
    ;
  derivation = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
  };
in
{
  no-bool = merged types.bool [ "yes" ];
  no-int = merged types.int [ "1" ];
  no-str = merged types.str [ 1 ];
  str-twice = merged types.str [
    "a"
    "b"
  ];
  enum = merged (types.enum [ "a" "b" ]) [ "b" ];
  no-enum = merged (types.enum [ "a" "b" ]) [ "c" ];
  path = merged types.path [ "/etc" ];
  no-path = merged types.path [ "etc" ];
  package = tried (
    (lib.evalModules {
      modules = [
        (option types.package)
        { value = derivation "a"; }
      ];
    }).config.value.name
  );
  no-package = merged types.package [ "/etc" ];
  null = merged (types.nullOr types.int) [ null ];
  null-and-not = merged (types.nullOr types.int) [
    null
    1
  ];
  either = map (value: merged (types.either types.int types.str) [ value ]) [
    1
    "a"
    true
  ];
  either-twice = merged (types.either types.int types.str) [
    1
    "a"
  ];
  one-of = merged (types.oneOf [ types.int types.bool types.str ]) [ true ];
  list = merged (types.listOf types.int) [
    [ 1 ]
    [ "a" ]
  ];
  list-with-conditions = merged (types.listOf types.int) [
    [
      1
      (mkIf false 2)
      (mkIf true 3)
    ]
  ];
  empty-list = merged (types.nonEmptyListOf types.int) [ [ ] ];
  attrs-of = merged (types.attrsOf types.int) [
    {
      a = 1;
      b = mkDefault 2;
      d = mkIf false 4;
    }
    {
      b = 3;
      c = 4;
    }
  ];
  attrs-of-conflict = merged (types.attrsOf types.int) [
    { a = 1; }
    { a = 2; }
  ];
  lazy-attrs-of = tried (
    lib.attrNames
      (lib.evalModules {
        modules = [
          (option (types.lazyAttrsOf types.int))
          { value.a = mkIf false 1; }
          { value.b = throw "never looked at"; }
        ];
      }).config.value
  );
  uniq-once = merged (types.lazyAttrsOf (types.uniq types.unspecified)) [
    { a = 1; }
    { b = 2; }
  ];
  uniq-twice = merged (types.lazyAttrsOf (types.uniq types.unspecified)) [
    { a = 1; }
    { a = 1; }
  ];
  uniq-forced = merged (types.lazyAttrsOf (types.uniq types.unspecified)) [
    { a = 1; }
    { a = mkForce 2; }
  ];
  raw-twice = merged types.raw [
    1
    1
  ];
  unspecified = merged types.unspecified [
    { a = 1; }
    { b = 2; }
  ];
  anything = merged types.anything [
    {
      a.b = 1;
      l = [ 1 ];
    }
    {
      a.c = mkForce 2;
      l = [ 1 ];
    }
  ];
  anything-lists = merged types.anything [
    { l = [ 1 ]; }
    { l = [ 2 ]; }
  ];
  anything-kinds = merged types.anything [
    { a = 1; }
    { a = "1"; }
  ];
  attrs = merged types.attrs [
    { a.b = 1; }
    { c = 2; }
  ];
  coerced = merged (types.coercedTo types.int toString types.str) [ 5 ];
  checked = merged (types.addCheck types.int (number: number < 5)) [ 5 ];
  matching = merged (types.strMatching "[0-9]+[KMG]?") [ "5M" ];
  no-matching = merged (types.strMatching "[0-9]+[KMG]?") [ "5X" ];
  function = tried (
    (lib.evalModules {
      modules = [
        (option (types.functionTo (types.listOf types.int)))
        { value = number: [ number ]; }
        { value = number: [ (number + 1) ]; }
      ];
    }).config.value
      1
  );
  # Names, or names with a yes or no, as boot.initrd.supportedFilesystems has them.
  supported =
    merged
      (types.coercedTo (types.listOf types.str) (names: lib.genAttrs names (_: true)) (
        types.attrsOf types.bool
      ))
      [
        [ "btrfs" ]
        { zfs = false; }
        [ ]
        (mkIf false [ "ext4" ])
      ];
  positive = map (value: merged (types.nullOr types.ints.positive) [ value ]) [
    null
    15
    0
  ];
  numbers = map (value: merged types.ints.u8 [ value ]) [
    0
    255
    256
  ];
  port = merged types.port [ 65536 ];
}
