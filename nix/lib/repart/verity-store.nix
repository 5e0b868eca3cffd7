# A store that a kernel image vouches for (image.repart.verityStore): the root hash of the store's partition is in the command
# line of a UKI, which lies in the ESP of the same disk. Planning knows the root hash, so that one run makes all of it.
{ lib, values }:
let
  inherit (builtins) attrNames;
  # The UKI's name in a specification.
  uki = "store";
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
  # What image.repart.verityStore says:
  ukiPath,
  partitionIds,
  # What its file is called, in the output `uki`.
  ukiFile,
  # boot.uki.settings.
  settings,
  # The command line that usrhash= is added to.
  cmdline,
  # More keys of [uki.NAME].
  keys ? { },
}:
let
  bad = option: problem: throw "${option}: ${problem}";
  setting =
    key: value:
    if known ? ${key} then
      known.${key} (if builtins.isList value then toString value else value)
    else
      bad "boot.uki.settings.UKI.${key}" "not supported: known are ${toString (attrNames known)}; leave it out, and say keys of [uki.NAME] with kiln.repart.uki";
  sections = removeAttrs settings [ "UKI" ];
  told = lib.foldl' lib.recursiveUpdate { } (lib.mapAttrsToList setting (settings.UKI or { }));
in
{
  # The partitions with the UKI in the ESP.
  partitions =
    partitions:
    let
      missing = lib.filter (name: !(partitions ? ${partitionIds.${name}})) [
        "esp"
        "store"
        "store-verity"
      ];
      name = lib.head missing;
      path = values.place (bad "image.repart.verityStore.ukiPath") "ukiPath" ukiPath;
      inherit (partitionIds) esp;
    in
    if missing != [ ] then
      bad "image.repart.verityStore.partitionIds.${name}" "${partitionIds.${name}}: there is no such partition"
    else
      partitions
      // {
        ${esp} = partitions.${esp} // {
          contents = partitions.${esp}.contents or { } // {
            ${path}.source = "{uki.${uki}}";
          };
        };
      };

  # More arguments of mkDiskImage, by what the tree of the store is called.
  build =
    tree:
    if sections != { } then
      bad "boot.uki.settings.\"${lib.head (attrNames sections)}\"" "not supported; leave it out, and say keys of [uki.NAME] with kiln.repart.uki"
    else
      {
        uki.${uki} =
          told
          // {
            # Braces are values of Kiln's.
            cmdline =
              lib.replaceStrings [ "{" "}" ] [ "{{" "}}" ] cmdline + " usrhash={verity.${tree}.roothash}";
            file = ukiFile;
          }
          // keys;
        only = [
          "disk"
          "uki.${uki}"
        ];
        outputs = [
          "out"
          "uki"
        ];
        finish = ''
          mkdir -p "$uki"
          mv "$out/"${lib.escapeShellArg ukiFile} "$uki/"
        '';
      };
}
