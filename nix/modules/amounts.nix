# Amounts as a specification has them: 512MiB, 2GB, 64s.
{
  # Bytes of a sector, which `s` counts.
  sector ? 512,
}:
let
  inherit (builtins) elemAt fromJSON match;
  powers = base: {
    K = base;
    M = base * base;
    G = base * base * base;
    T = base * base * base * base;
  };
in
{
  # Bytes of an amount, or null where it is none that evaluation understands.
  bytes =
    amount:
    let
      parts = if builtins.isString amount then match "([0-9]{1,15})([KMGT]?)(i?)(B|s)" amount else null;
      number = fromJSON (elemAt parts 0);
      unit = elemAt parts 1;
      isBinary = elemAt parts 2 == "i";
    in
    if parts == null then
      null
    else if elemAt parts 3 == "s" then
      number * sector
    else if unit == "" then
      number
    else
      number * (powers (if isBinary then 1024 else 1000)).${unit};
}
