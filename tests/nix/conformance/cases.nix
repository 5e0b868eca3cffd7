# How the cases are tried: what they give, or that they are refused.
{ lib }:
let
  inherit (lib) mkOption;

  tried =
    value:
    let
      result = builtins.tryEval (builtins.deepSeq value value);
    in
    if result.success then { inherit (result) value; } else "error";
  configOf = modules: tried (lib.evalModules { inherit modules; }).config;
  option = type: { options.value = mkOption { inherit type; }; };
  # What definitions make of an option of a type.
  merged =
    type: definitions:
    configOf ([ (option type) ] ++ map (value: { config.value = value; }) definitions);
in
{
  inherit
    configOf
    merged
    option
    tried
    ;
}
