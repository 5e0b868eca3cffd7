# What the tests' own lib says of modules, types and texts, to be compared with what nixpkgs' lib says of the same:
#
#   nix-instantiate --eval --strict --json tests/nix/conformance.nix --arg lib 'import <nixpkgs/lib>'
#
# has to give tests/nix/conformance.json, which a test holds against the lib in stub-nixpkgs. Errors are compared by the
# fact that there is one.
{ lib }:
let
  inherit (lib)
    mkAfter
    mkBefore
    mkDefault
    mkForce
    mkIf
    mkImageMediaOverride
    mkMerge
    mkOption
    mkOverride
    types
    ;

  tried =
    value:
    let
      result = builtins.tryEval (builtins.deepSeq value value);
    in
    if result.success then { inherit (result) value; } else "error";
  configOf = modules: tried (lib.evalModules { inherit modules; }).config;
  option = type: { options.value = mkOption { inherit type; }; };
  # What definitions make of an option of a type.
  merged = type: definitions: configOf ([ (option type) ] ++ map (value: { config.value = value; }) definitions);
  derivation = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
  };
  host = types.submodule (
    { name, config, ... }:
    {
      options = {
        name = mkOption {
          type = types.str;
          default = name;
        };
        device = mkOption {
          type = types.nullOr types.str;
          default = null;
        };
        options = mkOption {
          type = types.listOf types.str;
          default = [ "defaults" ];
        };
        grows = mkOption {
          type = types.bool;
          default = false;
        };
      };
      config.options = mkIf config.grows [ "growfs" ];
    }
  );
in
{
  priorities = {
    default = merged types.int [ (mkDefault 1) ];
    plain-wins = merged types.int [
      (mkDefault 1)
      2
    ];
    media-wins = merged types.str [
      "hardware"
      (mkImageMediaOverride "image")
      (mkDefault "layout")
    ];
    force-wins = merged types.str [
      (mkForce "forced")
      (mkImageMediaOverride "image")
    ];
    number = merged types.int [
      (mkOverride 99 1)
      2
    ];
    inside-if = merged types.int [
      (mkIf true (mkForce 1))
      2
    ];
    around-if = merged types.int [
      (mkForce (mkIf false 1))
      2
    ];
    equal = merged types.int [
      (mkForce 3)
      (mkForce 3)
    ];
    conflict = merged types.int [
      1
      2
    ];
    over-sets = configOf [
      {
        options.a.b = mkOption { type = types.int; };
        options.a.c = mkOption { type = types.int; };
      }
      {
        a = mkDefault {
          b = 1;
          c = 2;
        };
      }
      { a.b = 3; }
    ];
  };

  conditions = {
    none = merged types.int [ (mkIf false 1) ];
    nested = merged types.int [
      (mkIf true (mkIf true 1))
      (mkIf true (mkIf false 2))
    ];
    merge = merged (types.listOf types.int) [
      (mkMerge [
        [ 1 ]
        (mkIf false [ 2 ])
        [ 3 ]
      ])
    ];
    of-sets = configOf [
      {
        options.on = mkOption { type = types.bool; };
        options.a = mkOption {
          type = types.int;
          default = 7;
        };
      }
      ({ config, ... }: { config = mkIf config.on { a = 1; }; })
      { on = true; }
    ];
    of-unknown = configOf [
      (option types.int)
      {
        value = 1;
        other = mkIf false 2;
      }
    ];
  };

  orders = {
    lists = merged (types.listOf types.int) [
      [ 1 ]
      [ 2 ]
      (mkBefore [ 3 ])
      (mkAfter [ 4 ])
      (mkBefore [ 5 ])
      [ 6 ]
    ];
    lines = merged types.lines [
      "a"
      (mkAfter "c")
      "b"
      (mkBefore "0")
    ];
    imports = configOf [
      (option (types.listOf types.str))
      {
        imports = [
          { value = [ "deep" ]; }
          {
            imports = [ { value = [ "deeper" ]; } ];
            value = [ "beside" ];
          }
        ];
        value = [ "top" ];
      }
      { value = [ "last" ]; }
    ];
    defaults-go = merged (types.listOf types.int) [ (mkDefault [ 1 ]) [ 2 ] ];
  };

  values = {
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
    numbers = map (value: merged types.ints.u8 [ value ]) [
      0
      255
      256
    ];
    port = merged types.port [ 65536 ];
  };

  submodules = {
    defaults = merged (types.attrsOf host) [ { "/".device = "/dev/a"; } ];
    two-places = merged (types.attrsOf host) [
      {
        "/".device = "/dev/hardware";
        "/".grows = true;
        "/home" = { };
      }
      (mkImageMediaOverride { "/boot".options = [ "nofail" ]; })
    ];
    each-priority = merged (types.attrsOf host) [
      {
        "/".device = "/dev/hardware";
        "/".options = [ "noatime" ];
      }
      {
        "/" = mkImageMediaOverride {
          device = "/dev/image";
          grows = true;
        };
      }
    ];
    only-device = merged (types.attrsOf host) [
      {
        "/".device = "/dev/hardware";
        "/".grows = true;
      }
      { "/".device = mkImageMediaOverride "/dev/image"; }
    ];
    unknown = merged (types.attrsOf host) [ { "/".devise = "/dev/a"; } ];
    freeform = merged (types.submodule {
      freeformType = types.attrsOf types.int;
      options.known = mkOption {
        type = types.str;
        default = "k";
      };
    }) [ { other = 5; } ];
    declared-twice = configOf [
      { options.value = mkOption { type = types.attrsOf host; }; }
      {
        options.value = mkOption {
          type = types.attrsOf (
            types.submodule (
              { config, ... }:
              {
                options.neededForBoot = mkOption {
                  type = types.bool;
                  default = config.name == "/";
                };
              }
            )
          );
        };
      }
      { value."/" = { }; }
    ];
  };

  modules = {
    unknown = configOf [
      (option types.int)
      {
        value = 1;
        valeu = 2;
      }
    ];
    no-value = configOf [ (option types.int) ];
    unsupported = configOf [
      (option types.int)
      {
        config.value = 1;
        other = 2;
      }
    ];
    declared-twice = configOf [
      {
        options.value = mkOption {
          type = types.int;
          default = 1;
        };
      }
      {
        options.value = mkOption {
          type = types.int;
          default = 1;
        };
      }
    ];
    declared-in-parts = configOf [
      (option types.int)
      { options.value = mkOption { default = 4; }; }
    ];
    read-only = configOf [
      {
        options.value = mkOption {
          type = types.int;
          readOnly = true;
          default = 1;
        };
      }
      { value = 2; }
    ];
    read-only-once = configOf [
      {
        options.value = mkOption {
          type = types.int;
          readOnly = true;
        };
      }
      { value = 2; }
    ];
    apply = configOf [
      {
        options.value = mkOption {
          type = types.int;
          apply = number: number * 2;
        };
      }
      { value = 2; }
    ];
    keyed = configOf (
      let
        once = {
          key = "once";
          options.value = mkOption { type = types.listOf types.int; };
          config.value = [ 1 ];
        };
      in
      [
        { imports = [ once ]; }
        once
      ]
    );
    disabled = configOf [
      (option types.int)
      {
        disabledModules = [ { key = "other"; } ];
        value = 1;
      }
      {
        key = "other";
        value = 2;
      }
    ];
    arguments = configOf [
      (option types.int)
      ({ given, ... }: { value = given; })
      { _module.args.given = 9; }
    ];
    special =
      tried
        (lib.evalModules {
          specialArgs.given = [ (option types.int) ];
          modules = [
            ({ given, ... }: { imports = given; })
            { value = 3; }
          ];
        }).config;
    extended =
      let
        base = lib.evalModules {
          modules = [
            (option types.int)
            { value = mkDefault 1; }
          ];
        };
      in
      tried [
        base.config.value
        (base.extendModules { modules = [ { value = 2; } ]; }).config.value
      ];
    deferred = tried (
      (lib.evalModules {
        modules = [
          { options.variants = mkOption { type = types.attrsOf types.deferredModule; }; }
          { options.made = mkOption { type = types.anything; }; }
          { variants.a.value = [ 1 ]; }
          { variants.a = { given, ... }: { value = [ given ]; }; }
          (
            { config, ... }:
            {
              made = lib.mapAttrs (
                _: module:
                (lib.evalModules {
                  specialArgs.given = 2;
                  modules = [
                    (option (types.listOf types.int))
                    module
                  ];
                }).config.value
              ) config.variants;
            }
          )
        ];
      }).config.made
    );
    renamed = configOf [
        (option types.str)
        {
          options.warnings = mkOption {
            type = types.listOf types.str;
            default = [ ];
            apply = builtins.length;
          };
        }
        (lib.mkRenamedOptionModule [ "old" "name" ] [ "value" ])
        { old.name = mkForce "new"; }
        { value = "plain"; }
      ];
    options = tried (
      let
        evaluated = lib.evalModules {
          modules = [
            { options.a.b = mkOption { type = types.int; default = 1; }; }
            { options.a.c = mkOption { type = types.int; }; }
            { a.b = mkImageMediaOverride 2; }
          ];
        };
        inherit (evaluated.options) a;
      in
      {
        inherit (a.b) highestPrio isDefined definitions loc;
        without = a.c.isDefined;
      }
    );
  };

  texts = {
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
  };
}
