# Pseudo file definitions as mksquashfs takes them behind -p, in the double quotes of a shell: what they are in a
# specification. `l` and `f` bring files from outside: of the builder, and of commands that run in it.
{ lib, what }:
lines:
let
  inherit (builtins)
    concatStringsSep
    elemAt
    genList
    length
    match
    replaceStrings
    ;
  # Without what a shell keeps in double quotes.
  plain =
    replaceStrings [ "\\\"" "\\\\" "\\$" "\\`" ] [ "\"" "\\" "$" "`" ];
  space = "[[:space:]]+";
  word = "([^[:space:]]+)";
  words = count: concatStringsSep space (genList (_: word) count);

  absolute = path: if lib.hasPrefix "/" path then path else "/${path}";

  # Braces stand for values in a specification, and more in its patterns.
  literal = replaceStrings [ "{" "}" ] [ "{{" "}}" ];
  pattern =
    replaceStrings
      [ "\\" "*" "?" "[" "]" "{" "}" ]
      [ "\\\\" "\\*" "\\?" "\\[" "\\]" "\\{" "\\}" ];

  definition =
    number: line:
    let
      bad = problem: throw "${what}: pseudoFiles ${builtins.toJSON line}: ${problem}";
      # What regular expressions find has lost it.
      context = text: builtins.appendContext text (builtins.getContext line);
      parts = match "[[:space:]]*(\\\\\"([^\"]*)\\\\\"|[^[:space:]\"]+)${space}([^[:space:]]+)[[:space:]]*(.*)" line;
      part = elemAt parts;
      name = plain (if part 1 == null then part 0 else part 1);
      path = absolute name;
      kind = part 2;
      lower =
        {
          D = "d";
          M = "m";
          F = "f";
          S = "s";
          B = "b";
          C = "c";
          I = "i";
        }
        .${kind} or kind;
      timed = lower != kind;
      # The fields before what a kind has of its own: a time, a mode, an owner and a group.
      start = if timed then 4 else 3;
      shapes = {
        d = "";
        m = "";
        f = "${space}(.+)";
        s = "${space}(.+)";
        b = "${space}${words 2}";
        c = "${space}${words 2}";
        i = "${space}([sf])";
      };
      fields = match "${words start}${shapes.${lower}}[[:space:]]*" (part 3);
      field =
        at:
        if fields == null then
          bad "has not the fields of `${kind}`: ${usage.${lower}}"
        else
          elemAt fields (at + (if timed then 1 else 0));
      usage = {
        d = "PATH d MODE UID GID";
        m = "PATH m MODE UID GID";
        f = "PATH f MODE UID GID COMMAND";
        s = "PATH s MODE UID GID TARGET";
        b = "PATH b MODE UID GID MAJOR MINOR";
        c = "PATH c MODE UID GID MAJOR MINOR";
        i = "PATH i MODE UID GID f (a pipe) or s (a socket)";
      };
      isNumber = text: match "[0-9]+" text != null;
      number' = text: builtins.fromJSON (elemAt (match "0*([0-9]+)" text) 0);
      id =
        text:
        if text == "root" then
          0
        else if isNumber text then
          number' text
        else
          bad "the owner ${text}: owners are numbers or root";
      octal =
        text:
        if match "[0-7]{1,5}" text == null then bad "the mode ${text}: modes are octal digits" else text;
      attributes = {
        path = pattern path;
        mode = octal (field 0);
        owner = id (field 1);
        group = id (field 2);
      }
      // lib.optionalAttrs timed {
        time =
          let
            text = elemAt fields 0;
          in
          if isNumber text then number' text else bad "the time ${text}: times are seconds since 1970";
      };
      expands = text: match ".*[$`].*" (replaceStrings [ "\\$" "\\`" ] [ "" "" ] text) != null;
      device = type: if isNumber (field 3) && isNumber (field 4) then "${type} ${field 3}:${field 4}" else bad "device numbers are decimal";
      kinds = {
        d = {
          inherit attributes;
          directory = literal path;
        };
        m = { inherit attributes; };
        # Links have no modes.
        s = {
          attributes = removeAttrs attributes [ "mode" ];
          symlink = lib.nameValuePair path (context (literal (plain (field 3))));
        };
        c = {
          inherit attributes;
          node = lib.nameValuePair path (device "char");
        };
        b = {
          inherit attributes;
          node = lib.nameValuePair path (device "block");
        };
        i = {
          inherit attributes;
          node = lib.nameValuePair path (if field 3 == "f" then "fifo" else "socket");
        };
        # What a command says, which mksquashfs gives to a shell after the builder's own has read it.
        f = {
          inherit attributes;
          file = lib.nameValuePair path "pseudo-files/${toString number}";
          command = ''
            (
            set +e +o pipefail
            shopt -u nullglob inherit_errexit
            eval "${context (field 3)}"
            ) > pseudo-files/${toString number}
          '';
        };
        # As if the file of the builder were there.
        l = {
          file =
            let
              source = match "(.*[^[:space:]])[[:space:]]*" (part 3);
            in
            if source == null then bad "has not the fields of `l`: PATH l FILE" else
            lib.nameValuePair path (context (literal (plain (elemAt source 0))));
        };
        # A second name of another definition.
        L.link = plain (part 3);
        x =
          let
            pair = match "([^=[:space:]]+)=(.*)" (part 3);
            value = plain (elemAt pair 1);
          in
          if pair == null then
            bad "has not the fields of `x`: PATH x NAME=VALUE"
          else if lib.hasPrefix "0t" value then
            bad "values are text, or digits behind 0x or 0s"
          else
            {
              attributes = {
                path = pattern path;
                xattrs.${elemAt pair 0} = value;
              };
            };
      };
    in
    if parts == null then
      bad "must be PATH KIND and what the kind needs"
    else if kind != "f" && kind != "F" && expands line then
      bad "a shell would replace something in it, which only commands of `f` can have"
    else if kind == "p" then
      bad "mksquashfs knows no kind `p`: a pipe is `i` with `f` at the end"
    else if !(kinds ? ${lower}) then
      bad "the kind `${kind}`: known are d, m, f, s, b, c, i (as capitals with a time), l, L and x"
    else
      { inherit bad path; } // kinds.${lower};

  said = genList (at: definition at (elemAt lines at)) (length lines);
  # Links that name other definitions become copies of them.
  definitions = map (
    found:
    let
      target = absolute found.link;
      others = builtins.filter (other: other.path == target && !(other ? link)) said;
      other = lib.last others;
      renamed =
        key: lib.optionalAttrs (other ? ${key}) { ${key} = other.${key} // { name = found.path; }; };
    in
    if !(found ? link) then
      found
    else if others == [ ] then
      found.bad "${target}: is none of the pseudoFiles"
    else
      renamed "symlink"
      // renamed "node"
      // renamed "file"
      // lib.optionalAttrs (other ? attributes) {
        attributes = other.attributes // {
          path = pattern found.path;
        };
      }
  ) said;
  all = key: map (found: found.${key}) (builtins.filter (found: found ? ${key}) definitions);
  commands = all "command";
in
{
  directories = all "directory";
  symlinks = builtins.listToAttrs (all "symlink");
  nodes = builtins.listToAttrs (all "node");
  files = builtins.listToAttrs (all "file");
  attributes = all "attributes";
}
// lib.optionalAttrs (commands != [ ]) {
  prepare = ''
    mkdir pseudo-files
  ''
  + concatStringsSep "" commands;
}
