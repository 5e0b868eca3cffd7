# Sizes as `numfmt --from=iec` takes them: powers of 1024, whatever they are called.
{ lib, bad }:
let
  powers = {
    K = 1024;
    M = 1048576;
    G = 1073741824;
    T = 1099511627776;
  };
in
{
  mebibyte = 1048576;
  binary =
    argument: text:
    let
      parts = builtins.match "0*([0-9]{1,12})([KMGT]?)" (toString text);
      unit = lib.last parts;
    in
    if parts == null then
      bad "${argument} = ${toString text}: must be a whole number with K, M, G or T behind it"
    else
      builtins.fromJSON (builtins.head parts) * (if unit == "" then 1 else powers.${unit});
}
