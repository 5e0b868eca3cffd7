# The argument `contents`: files with their places, modes and owners, as keys of a file system, and shell that gathers those of
# patterns. Owners are users of the configuration, whose numbers it has to say.
{
  bad,
  config,
  lib,
}:
contents:
let
  inherit (builtins) filter match;
  isPattern = entry: lib.hasInfix "*" "${entry.source}";
  said = value: value != null && value != "" && value != "''";
  target =
    entry: "/${lib.concatStringsSep "/" (filter (part: part != "") (lib.splitString "/" entry.target))}";
  # A character that patterns know, as itself.
  literal = lib.replaceStrings [ "\\" "*" "?" "[" "{" ] [ "\\\\" "\\*" "\\?" "\\[" "\\{" ];

  # The number of a user or a group.
  number =
    kind: name:
    let
      known = config.users.${if kind == "user" then "users" else "groups"} or { };
      usual = config.ids.${if kind == "user" then "uids" else "gids"} or { };
      key = if kind == "user" then "uid" else "gid";
      found = known.${name}.${key} or null;
    in
    if match "[0-9]+" name != null then
      lib.toInt name
    else if name == "root" then
      0
    else if found != null then
      found
    else if usual ? ${name} then
      usual.${name}
    else
      bad "contents: the ${kind} ${name} has no number before the system runs: say users.${
        if kind == "user" then "users" else "groups"
      }.${name}.${key}, or the number";

  modeOf =
    entry:
    if match "[0-7]{3,4}" entry.mode == null then
      bad "contents: ${entry.target}: mode = \"${entry.mode}\" must be three or four octal digits"
    else
      entry.mode;

  # A source may be a file or a folder, so a rule is for both: the target, and what is below it. An owner is that of all that is
  # there, and a mode that of what a source brings.
  rule =
    entry:
    let
      hasMode = said (entry.mode or null) && !(isPattern entry);
      hasOwner = said (entry.user or null);
    in
    lib.optional (hasMode || hasOwner) (
      {
        path = "${literal (target entry)}{,/**}";
      }
      // lib.optionalAttrs hasMode { mode = modeOf entry; }
      // lib.optionalAttrs hasOwner {
        owner = number "user" entry.user;
        group = number "group" entry.group;
      }
    );

  checked =
    entry:
    if said (entry.user or null) != said (entry.group or null) then
      bad "contents: ${entry.target}: user and group are said together, or not at all"
    else
      entry;
  plain = filter (entry: !(isPattern entry)) contents;
  patterns = filter isPattern contents;
  twice = lib.filter (path: lib.count (entry: target entry == path) plain > 1) (map target plain);
  folder = index: "contents-${toString index}";
in
if twice != [ ] then
  bad "contents: ${lib.head twice} has two sources"
else
  {
    files =
      lib.listToAttrs (map (entry: lib.nameValuePair (target entry) "${entry.source}") plain)
      // lib.mapAttrs (_: list: map (pattern: folder pattern.index) list) (
        lib.groupBy (pattern: target pattern.entry) (lib.imap0 (index: entry: { inherit index entry; }) patterns)
      );
    attributes = lib.concatMap (entry: rule (checked entry)) contents;
    prepare = lib.concatStrings (
      lib.imap0 (index: entry: ''
        mkdir ${folder index}
        cp --recursive --no-dereference --preserve=mode ${entry.source} ${folder index}/
        ${lib.optionalString (said (entry.mode or null)) "chmod -R ${modeOf entry} ${folder index}/*"}
      '') patterns
    );
  }
