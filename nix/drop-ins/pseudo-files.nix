# Pseudo file definitions as mksquashfs takes them behind -p, in the double quotes of a shell: what they are in a
# specification. `l` and `f` bring files from outside: of the builder, and of commands that run in it.
{ lib, what }:
lines:
let
  inherit (builtins)
    concatStringsSep
    elemAt
    filter
    genList
    match
    replaceStrings
    ;
  # Without what a shell keeps in double quotes.
  plain = replaceStrings [ "\\\"" "\\\\" "\\$" "\\`" ] [ "\"" "\\" "$" "`" ];
  expands = text: match ".*[$`].*" (replaceStrings [ "\\$" "\\`" ] [ "" "" ] text) != null;
  space = "[[:space:]]+";
  words = count: concatStringsSep space (genList (_: "([^[:space:]]+)") count);
  isNumber = text: match "[0-9]+" text != null;
  number = text: builtins.fromJSON (elemAt (match "0*([0-9]+)" text) 0);
  absolute = path: if lib.hasPrefix "/" path then path else "/${path}";

  # Braces stand for values in a specification, and more in its patterns.
  literal = replaceStrings [ "{" "}" ] [ "{{" "}}" ];
  pattern =
    replaceStrings
      [ "\\" "*" "?" "[" "]" "{" "}" ]
      [ "\\\\" "\\*" "\\?" "\\[" "\\]" "\\{" "\\}" ];

  # Kinds with a mode, an owner and a group: what comes behind these, and how it is written.
  shapes = {
    d = {
      fields = "";
      usage = "PATH d MODE UID GID";
    };
    m = {
      fields = "";
      usage = "PATH m MODE UID GID";
    };
    f = {
      fields = "${space}(.+)";
      usage = "PATH f MODE UID GID COMMAND";
    };
    s = {
      fields = "${space}(.+)";
      usage = "PATH s MODE UID GID TARGET";
    };
    b = {
      fields = "${space}${words 2}";
      usage = "PATH b MODE UID GID MAJOR MINOR";
    };
    c = {
      fields = "${space}${words 2}";
      usage = "PATH c MODE UID GID MAJOR MINOR";
    };
    i = {
      fields = "${space}([sf])";
      usage = "PATH i MODE UID GID f (a pipe) or s (a socket)";
    };
  };
  # As capitals, with a time before the mode.
  withTime = builtins.listToAttrs (
    map (kind: lib.nameValuePair (lib.toUpper kind) kind) (builtins.attrNames shapes)
  );

  # A line, as far as all kinds are alike.
  read =
    at: line:
    let
      bad = problem: throw "${what}: pseudoFiles ${builtins.toJSON line}: ${problem}";
      parts = match "[[:space:]]*(\\\\\"([^\"]*)\\\\\"|[^[:space:]\"]+)${space}([^[:space:]]+)[[:space:]]*(.*)" line;
      part = elemAt parts;
      path = absolute (plain (if part 1 == null then part 0 else part 1));
      kind = withTime.${part 2} or (part 2);
      isTimed = withTime ? ${part 2};
      fields = match "${words (if isTimed then 4 else 3)}${shapes.${kind}.fields}[[:space:]]*" (part 3);
      field =
        at:
        if fields == null then
          bad "has not the fields of `${kind}`: ${shapes.${kind}.usage}"
        else
          elemAt fields (at + (if isTimed then 1 else 0));
      id =
        text:
        if text == "root" then
          0
        else if isNumber text then
          number text
        else
          bad "the owner ${text}: owners are numbers or root";
      octal =
        text:
        if match "[0-7]{1,5}" text == null then bad "the mode ${text}: modes are octal digits" else text;
      seconds =
        text: if isNumber text then number text else bad "the time ${text}: times are seconds since 1970";
    in
    if parts == null then
      bad "must be PATH KIND and what the kind needs"
    else if kind != "f" && expands line then
      bad "a shell would replace something in it, which only commands of `f` can have"
    else if kind == "p" then
      bad "mksquashfs knows no kind `p`: a pipe is `i` with `f` at the end"
    else
      {
        inherit
          at
          bad
          field
          kind
          path
          ;
        # What regular expressions find has lost it.
        context = text: builtins.appendContext text (builtins.getContext line);
        rest = part 3;
        attributes = {
          path = pattern path;
          mode = octal (field 0);
          owner = id (field 1);
          group = id (field 2);
        }
        // lib.optionalAttrs isTimed { time = seconds (elemAt fields 0); };
      };

  # What a line is in a specification.
  lower =
    {
      at,
      attributes,
      bad,
      context,
      field,
      kind,
      path,
      rest,
    }:
    let
      node = text: {
        inherit attributes;
        node = lib.nameValuePair path text;
      };
      device =
        type:
        if isNumber (field 3) && isNumber (field 4) then
          node "${type} ${field 3}:${field 4}"
        else
          bad "device numbers are decimal";
      pair = match "([^=[:space:]]+)=(.*)" rest;
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
        c = device "char";
        b = device "block";
        i = node (if field 3 == "f" then "fifo" else "socket");
        # What a command says, which mksquashfs gives to a shell after the builder's own has read it.
        f = {
          inherit attributes;
          file = lib.nameValuePair path "pseudo-files/${toString at}";
          command = ''
            (
            set +e +o pipefail
            shopt -u nullglob inherit_errexit
            eval "${context (field 3)}"
            ) > pseudo-files/${toString at}
          '';
        };
        # As if the file of the builder were there.
        l =
          if rest == "" then
            bad "has not the fields of `l`: PATH l FILE"
          else
            { file = lib.nameValuePair path (context (literal (plain rest))); };
        # A second name of another definition.
        L.link = absolute (plain rest);
        x =
          if pair == null then
            bad "has not the fields of `x`: PATH x NAME=VALUE"
          else if lib.hasPrefix "0t" (elemAt pair 1) then
            bad "values are text, or digits behind 0x or 0s"
          else
            {
              attributes = {
                path = pattern path;
                xattrs.${elemAt pair 0} = plain (elemAt pair 1);
              };
            };
      };
    in
    if kinds ? ${kind} then
      { inherit bad path; } // kinds.${kind}
    else
      bad "the kind `${kind}`: known are d, m, f, s, b, c, i (as capitals with a time), l, L and x";

  said = genList (at: lower (read at (elemAt lines at))) (builtins.length lines);

  # Links that name other definitions become copies of them.
  linked =
    found:
    let
      others = filter (other: other.path == found.link && !(other ? link)) said;
      other = lib.last others;
      renamed =
        key: lib.optionalAttrs (other ? ${key}) { ${key} = other.${key} // { name = found.path; }; };
    in
    if !(found ? link) then
      found
    else if others == [ ] then
      found.bad "${found.link}: is none of the pseudoFiles"
    else
      renamed "symlink"
      // renamed "node"
      // renamed "file"
      // lib.optionalAttrs (other ? attributes) {
        attributes = other.attributes // {
          path = pattern found.path;
        };
      };
  definitions = map linked said;
  all = key: map (found: found.${key}) (filter (found: found ? ${key}) definitions);
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
