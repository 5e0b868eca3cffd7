# What boot.uki says, as keys of [uki.NAME]: nixpkgs has ukify make such an image, and Kiln makes the same bytes.
{ lib }:
let
  inherit (builtins) attrNames;
  values = import ./repart/values.nix { inherit lib; };
  inherit (values) words;
  # What ukify reads out of a file when there is an @ before its name.
  fileOf =
    name: value:
    if lib.hasPrefix "@" value then lib.removePrefix "@" value else builtins.toFile name value;
  # Settings of ukify as keys of [uki.NAME].
  known = {
    DeviceTree = dtb: { inherit dtb; };
    DeviceTreeAuto = trees: { dtbauto = words trees; };
    Initrd = initrds: { initrd = words initrds; };
    Linux = linux: { inherit linux; };
    Microcode = microcode: { inherit microcode; };
    OSRelease = release: { os-release = fileOf "os-release" release; };
    Splash = splash: { inherit splash; };
    Stub = stub: { inherit stub; };
    Uname = uname: { inherit uname; };
    SecureBootCertificate = certificate: { sign = { inherit certificate; }; };
    SecureBootPrivateKey = key: { sign = { inherit key; }; };
    # The command line is said elsewhere, the architecture is the stub's, and Kiln itself signs.
    Cmdline = _: { };
    EFIArch = _: { };
    SecureBootSigningTool = _: { };
  };
in
{
  # boot.uki.settings.
  settings,
  # The command line that goes before root hashes.
  cmdline,
  # What is added to it, with values of Kiln's in it.
  hashes,
  # The option that has more keys.
  more,
  # What it says.
  keys ? { },
}:
let
  bad = option: problem: throw "boot.uki.settings.${option}: ${problem}leave it out, and say keys of [uki.NAME] with ${more}";
  setting =
    key: value:
    if known ? ${key} then
      known.${key} (if builtins.isList value then toString value else value)
    else
      bad "UKI.${key}" "not supported: known are ${toString (attrNames known)}; ";
  sections = removeAttrs settings [ "UKI" ];
  told = lib.foldl' lib.recursiveUpdate { } (lib.mapAttrsToList setting (settings.UKI or { }));
in
if sections != { } then
  bad "\"${lib.head (attrNames sections)}\"" "not supported; "
else
  # Keys go before settings one by one: who signs may be said in both.
  lib.recursiveUpdate (
    told
    // {
      # Braces are values of Kiln's.
      cmdline = lib.replaceStrings [ "{" "}" ] [ "{{" "}}" ] cmdline + hashes;
    }
  ) keys
