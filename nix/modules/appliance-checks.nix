# What an appliance's configuration can have wrong: each is an assertion, said before anything is built.
{
  config,
  lib,
  options,
  # What appliance-layout.nix says.
  layout,
  # That, with what the user says over it.
  specification,
}:
let
  inherit (builtins)
    attrNames
    elem
    match
    stringLength
    ;
  cfg = config.kiln.appliance;
  inherit (layout) id version;
  inherit (config.boot) uki;
  label = "${id}_${version}";
  ours = "${lib.escapeRegex label}(\\+[0-9]+(-[0-9]+)?)?\\.efi";
  transfers = config.systemd.sysupdate.transfers or { };
  release = specification.release or { };
  # As Kiln demands it.
  isPlain = text: match "[a-z0-9.-]+" text != null;
  definitions = config.systemd.repart.partitions;

  # A key that is a path would be copied into the store.
  isStored = key: builtins.isPath key || lib.hasPrefix "${builtins.storeDir}/" (toString key);
  private =
    let
      of =
        kind: inside:
        lib.mapAttrsToList (name: keys: {
          place = "${kind}.${name}.${inside}.key";
          key = keys.${inside}.key or null;
        }) (specification.${kind} or { });
    in
    of "uki" "sign"
    ++ of "uki" "measure"
    ++ of "efi" "sign"
    ++ of "verity" "signature"
    ++ [
      {
        place = "release.sign.key";
        key = release.sign.key or null;
      }
    ]
    ++ map (name: {
      place = "secure-boot.${name}.key";
      key = specification.secure-boot.${name}.key or null;
    }) [ "pk" "kek" ];
  elsewhere =
    { place, key }:
    {
      assertion = key == null || !isStored key;
      message =
        "kiln.specification.${place} lies in the store, which everybody can read: leave it out, sign elsewhere, "
        + "and say the signature in kiln.appliance.signatures";
    };
  slot =
    name: key:
    let
      has = definitions.${name}.${key} or null;
      wanted = layout.partitions.${name}.${key};
    in
    {
      assertion = toString has == wanted;
      message = "systemd.repart.partitions.\"${name}\".${key} is ${
        if has == null then "not said" else toString has
      }: both slots have ${wanted} bytes; change kiln.appliance.storeSize";
    };
  amount = option: {
    assertion = layout.bytes cfg.${option} != null;
    message = "kiln.appliance.${option} is ${cfg.${option}}: must be an amount, such as 512MiB";
  };
in
[
  {
    assertion = uki.version != null;
    message = "system.image.version is not set: devices tell releases apart by it; say system.image.version = \"1\"";
  }
  {
    assertion = uki.version == null || isPlain version;
    message = "boot.uki.version is ${version}: must be small letters, digits, dots and -, since names of a release have it between other characters";
  }
  {
    assertion = match "[a-z0-9._-]+" id != null;
    message = "boot.uki.name is ${id}: must be small letters, digits, dots, _ and -; say system.image.id";
  }
  {
    assertion = config.system.image.id == null || config.system.image.id == id;
    message = "boot.uki.name is ${id} and system.image.id is ${toString config.system.image.id}: a release has one name; say only system.image.id";
  }
  {
    assertion = uki.version == null || config.system.image.version == uki.version;
    message = "boot.uki.version is ${version} and system.image.version is ${toString config.system.image.version}: a release has one version; say only system.image.version";
  }
  {
    assertion = stringLength label <= 36;
    message = "${label} has ${toString (stringLength label)} characters: it is the name of partitions, which have up to 36; say a shorter system.image.id";
  }
  {
    assertion = uki.version == null || match ours config.system.boot.loader.ukiFile != null;
    message = "system.boot.loader.ukiFile is ${config.system.boot.loader.ukiFile}: devices look for ${label}.efi, with its attempts";
  }
  {
    assertion = (options.boot.uki.configFile.highestPrio or 1500) >= 1500;
    message = "boot.uki.configFile: Kiln makes the UKI itself, of boot.uki.settings; say those, and kiln.appliance.uki";
  }
  {
    assertion = cfg.signatures.release == null || cfg.keyring != null;
    message = "kiln.appliance.signatures.release: there is no kiln.appliance.keyring, which devices verify it by";
  }
  {
    assertion = config.boot.initrd.systemd.repart.enable;
    message = "boot.initrd.systemd.repart.enable is off: the first boot makes the second slot and /var with it";
  }
  {
    assertion = !(config.systemd.sysupdate.enable or false) || cfg.url != null || transfers != { };
    message = "systemd.sysupdate.enable is on, and nothing says where releases are: say kiln.appliance.url, or systemd.sysupdate.transfers";
  }
  (amount "espSize")
  (amount "storeSize")
  (amount "varSize")
]
++ lib.concatMap (name: [
  (slot name "SizeMinBytes")
  (slot name "SizeMaxBytes")
]) (lib.filter (name: layout.partitions.${name} ? SizeMaxBytes) (attrNames layout.partitions))
++ map elsewhere private
++ lib.optionals (transfers != { } && uki.version != null) (
  import ./transfers.nix { inherit lib; } {
    inherit id transfers version;
    inherit (layout) parts;
    tries = release.tries or 0;
    # Kiln compresses no second time, unless it is asked to.
    ending =
      let
        isDense = elem (specification.fs.store.compression or null) [
          "deflate"
          "zstd"
        ];
        compress = release.compress or (if isDense then "none" else "xz");
      in
      {
        none = "";
        zstd = ".zst";
      }
      .${compress} or ".xz";
  }
)
