# Where files of a system lie: in the file system that is mounted nearest above them, at what is left of their paths. Which keys
# a file system gets follows from the mounts alone, and not from the files: their names may need a system that asks for the mounts.
{ lib }:
let
  inherit (builtins) filter;
  parts = path: filter (part: part != "") (lib.splitString "/" path);
  joined = names: "/${lib.concatStringsSep "/" names}";
  isPrefix = above: names: lib.take (lib.length above) names == above;
  # What of these is mounted nearest above a path, or null.
  nearestOf =
    mounts: names:
    lib.foldl' (
      best: mount:
      if best == null || lib.length (parts mount.at) >= lib.length (parts best.at) then mount else best
    ) null (filter (mount: isPrefix (parts mount.at) names) mounts);
  # The path of a system in what is mounted there: { part, path }; part is null where no file system of the disk has it.
  within =
    mount: names:
    if mount == null then
      { part = null; }
    else
      {
        inherit (mount) part;
        path = joined (parts mount.folder ++ lib.drop (lib.length (parts mount.at)) names);
      };
in
{
  # Says what is wrong.
  bad,
  # What of files, text, symlinks, directories, extlinux and grub is given; with values by their paths in the system.
  given,
  hasClosure,
  # Whether there is a system with a profile.
  hasSystem,
  mounts,
}:
let
  find = path: within (nearestOf mounts (parts path)) (parts path);
  needed =
    path:
    let
      found = find path;
    in
    if found.part == null then
      bad "nothing that is mounted of this disk has ${path}: say a mountpoint for a partition or subvolume of it"
    else
      found;

  store = needed "/nix/store";
  database = needed "/nix/var/nix/db";
  # Kiln puts it beside a store that has a folder of its own.
  usual =
    if database.part == store.part && lib.hasSuffix "/store" store.path then
      "${lib.removeSuffix "/store" store.path}/var/nix/db"
    else
      "/nix/var/nix/db";
  etc = find "/etc/NIXOS";
  profiles = needed "/nix/var/nix/profiles";
  menu = needed "/boot";

  # Places where others are mounted, which an image has.
  mountPoints =
    part:
    lib.concatMap (
      mount:
      let
        names = parts mount.at;
        outer = nearestOf (filter (other: other.at != mount.at) mounts) names;
        found = within outer names;
      in
      lib.optional (found.part == part && names != [ ] && outer.fsType != "vfat") found.path
    ) mounts;

  # Those of a table of paths that one file system has.
  of =
    part: set:
    lib.listToAttrs (
      lib.concatMap (
        path:
        let
          found = needed path;
        in
        lib.optional (found.part == part) (lib.nameValuePair found.path set.${path})
      ) (builtins.attrNames set)
    );
in
# Keys of the file system of a partition; `own` are those that it has.
part: own:
let
  inDatabase = hasClosure && database.part == part;
  inStore = hasClosure && store.part == part;
  inProfiles = hasSystem && profiles.part == part;
  # A root in memory makes its own at each boot.
  inEtc = hasSystem && etc.part == part;
  directories =
    own.directories or [ ]
    ++ mountPoints part
    ++ map (path: (find path).path) (filter (path: (needed path).part == part) (given.directories or [ ]));
in
lib.optionalAttrs (own.format != "swap") (
  lib.optionalAttrs inStore (
    { closure = true; } // lib.optionalAttrs (store.path != "/nix/store") { closure-at = store.path; }
  )
  // lib.optionalAttrs inDatabase {
    database =
      if database.path == usual then
        true
      else
        bad "the store's database would lie at ${database.path} of a file system, and Kiln puts it to ${usual}: mount a partition or subvolume at /nix, and not at /nix/store";
  }
  // lib.optionalAttrs (given ? files) { files = of part given.files; }
  // lib.optionalAttrs (given ? text || inEtc) {
    text = of part (given.text or { }) // lib.optionalAttrs inEtc { ${etc.path} = ""; };
  }
  // lib.optionalAttrs (given ? symlinks || inProfiles) {
    symlinks =
      of part (given.symlinks or { })
      // lib.optionalAttrs inProfiles {
        "${profiles.path}/system" = "system-1-link";
        "${profiles.path}/system-1-link" = "{toplevel}";
      };
  }
  // lib.optionalAttrs (given ? extlinux && menu.part == part) {
    extlinux = given.extlinux // {
      at = menu.path;
    };
  }
  // lib.optionalAttrs (given ? grub && menu.part == part) {
    grub = given.grub // {
      at = menu.path;
    };
  }
  // lib.optionalAttrs (directories != [ ]) { directories = lib.unique directories; }
)
