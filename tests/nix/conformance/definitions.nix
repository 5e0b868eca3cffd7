# Which definitions of an option count, and in which order.
{ lib, cases }:
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
  inherit (cases)
    configOf
    merged
    option
    ;
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
}
