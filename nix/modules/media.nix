# What the modules that make whole images share: how the system finds the file systems that are in the image.
{ lib }:
let
  inherit (builtins)
    attrValues
    concatMap
    elem
    filter
    match
    ;

  types = {
    fat = "vfat";
  };

  # As udev writes a label in a link: everything but these, in hexadecimal.
  linked = lib.replaceStrings [ " " "/" ] [ "\\x20" "\\x2f" ];

  # The id of a FAT as blkid shows it: 2178-694E.
  fatId =
    id:
    let
      digits = lib.toUpper (lib.replaceStrings [ "-" "0x" ] [ "" "" ] id);
    in
    "${builtins.substring 0 4 digits}-${builtins.substring 4 4 digits}";

  # By which a btrfs compresses what is written later as the image is compressed.
  compress =
    fs:
    let
      kind = fs.compression or "none";
    in
    lib.optional (
      fs.format == "btrfs" && kind != "none"
    ) "compress=${kind}${lib.optionalString (fs ? level) ":${toString fs.level}"}";

  said = key: fs: fs.${key} or null != null;
  byId =
    fs:
    if said "uuid" fs then
      [ "/dev/disk/by-uuid/${lib.toLower fs.uuid}" ]
    else if said "id" fs then
      [ "/dev/disk/by-uuid/${fatId fs.id}" ]
    else
      [ ];
  byLabel = fs: if said "label" fs then [ "/dev/disk/by-label/${linked fs.label}" ] else [ ];
  first =
    part: devices:
    if devices == [ ] then
      throw "kiln.specification.fs.${part} has neither a label nor an id, so that the system could not find it: say label"
    else
      builtins.head devices;

  # All names that file systems and partitions of an image are known to have.
  devicesOf =
    specification:
    concatMap (fs: byId fs ++ byLabel fs) (attrValues (specification.fs or { }))
    ++ map (region: "/dev/disk/by-partlabel/${linked region.name}") (
      filter (region: region ? name) (specification.disk.region or [ ])
    );

  # `made` are labels of partitions that the first boot makes.
  isStrange =
    { specification, made }:
    device:
    device != null
    && match "/dev/disk/by-(uuid|label|partlabel)/.*" device != null
    && !elem device (devicesOf specification ++ map (label: "/dev/disk/by-partlabel/${linked label}") made);
  # Subvolumes that a mount of the image names and the image has not.
  missing =
    specification: mount:
    let
      owner = lib.findFirst (fs: elem (mount.device or null) (byId fs ++ byLabel fs)) null (
        attrValues (specification.fs or { })
      );
      parts = path: filter (name: name != "") (lib.splitString "/" path);
      known = map parts (builtins.attrNames (owner.subvolumes or { }));
      named = concatMap (
        option:
        let
          found = match "subvol=(.*)" option;
        in
        if found == null then [ ] else found
      ) (concatMap (lib.splitString ",") mount.options);
    in
    if owner == null then [ ] else filter (name: !elem (parts name) ([ [ ] ] ++ known)) named;
in
{
  # The priority of nixpkgs' own image modules: over hardware-configuration.nix, under mkForce.
  override = lib.mkImageMediaOverride or (lib.mkOverride 60);

  # What a file system of the specification is to fileSystems. Its id counts, or its label where that is `preferred`.
  mount =
    {
      specification,
      part,
      preferred ? "id",
    }:
    let
      fs = specification.fs.${part} or (throw "kiln.specification.fs.${part} is mounted, and not there");
    in
    {
      device = first part (if preferred == "id" then byId fs ++ byLabel fs else byLabel fs ++ byId fs);
      fsType = types.${fs.format} or fs.format;
    }
    // lib.optionalAttrs (elem fs.format [
      "btrfs"
      "ext4"
    ]) { autoResize = true; }
    // lib.optionalAttrs (compress fs != [ ]) { options = compress fs; };

  # Mounts and swap of devices that the image has not, such as those of hardware-configuration.nix: its boot shall not wait
  # for them. More of the options fileSystems and swapDevices.
  optional =
    {
      specification,
      made ? [ ],
    }:
    let
      entry = lib.types.submodule (
        { config, ... }:
        {
          config = lib.mkIf (isStrange { inherit made specification; } config.device) { options = [ "nofail" ]; };
        }
      );
    in
    {
      fileSystems = lib.mkOption { type = lib.types.attrsOf entry; };
      swapDevices = lib.mkOption { type = lib.types.listOf entry; };
    };

  # What is said of them, and of swap.
  warnings =
    {
      specification,
      made ? [ ],
      fileSystems,
      swapDevices,
    }:
    let
      strange = filter (
        entry: isStrange { inherit made specification; } (entry.device or null) && !elem "noauto" entry.options
      );
      warning =
        used: name: device:
        "${name}: the image has no ${device}: it is ${used} where there is one (nofail)";
    in
    map (entry: warning "mounted" "fileSystems.\"${entry.mountPoint}\"" entry.device) (
      strange (attrValues fileSystems)
    )
    ++ map (entry: warning "used" "swapDevices" entry.device) (strange swapDevices)
    ++ concatMap (
      entry:
      map (
        name:
        "fileSystems.\"${entry.mountPoint}\".options: the image has no subvolume ${name}, so that this mount fails: say options = lib.mkForce [ … ], or have it made by kiln.btrfs.subvolumes"
      ) (missing specification entry)
    ) (attrValues fileSystems);
}
