# Text.
{ lib }:
let
  inherit (builtins)
    concatStringsSep
    elemAt
    filter
    genList
    head
    isString
    match
    replaceStrings
    stringLength
    substring
    ;
  lower = "abcdefghijklmnopqrstuvwxyz";
  upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

  strings = rec {
    inherit (builtins)
      concatStringsSep
      match
      replaceStrings
      stringLength
      substring
      ;
    splitString =
      separator: text:
      filter isString (builtins.split (escapeRegex (toString separator)) (toString text));
    concatStrings = concatStringsSep "";
    concatMapStrings = function: list: concatStrings (map function list);
    concatMapStringsSep =
      separator: function: list:
      concatStringsSep separator (map function list);
    concatLines = concatMapStrings (line: line + "\n");
    concatMapAttrsStringSep =
      separator: function: set:
      concatStringsSep separator (lib.mapAttrsToList function set);
    optionalString = condition: text: if condition then text else "";
    stringToCharacters = text: genList (at: substring at 1 text) (stringLength text);
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    hasSuffix =
      suffix: text:
      let
        rest = stringLength text - stringLength suffix;
      in
      rest >= 0 && substring rest (-1) text == suffix;
    hasInfix = part: text: match ".*${escapeRegex part}.*" text != null;
    removePrefix =
      prefix: text: if hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
    removeSuffix =
      suffix: text:
      if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
    trim =
      text:
      let
        found = match "[ \t\r\n]*(.*[^ \t\r\n])[ \t\r\n]*" text;
      in
      if found == null then "" else head found;
    toUpper = replaceStrings (stringToCharacters lower) (stringToCharacters upper);
    toLower = replaceStrings (stringToCharacters upper) (stringToCharacters lower);
    escape = characters: replaceStrings characters (map (character: "\\${character}") characters);
    escapeRegex = escape (stringToCharacters "\\[{()^$?*+|.");
    # As few quotes as a shell needs.
    escapeShellArg =
      value:
      let
        text = toString value;
      in
      if match "[[:alnum:],._+:@%/-]+" text == null then
        "'${replaceStrings [ "'" ] [ "'\\''" ] text}'"
      else
        text;
    escapeShellArgs = concatMapStringsSep " " escapeShellArg;
    escapeNixString = text: escape [ "$" ] (builtins.toJSON text);
    toShellVar =
      name: value:
      if builtins.isList value then
        "declare -a ${name}=(${escapeShellArgs value})"
      else
        "${name}=${escapeShellArg value}";
    boolToString = value: if value then "true" else "false";
    toInt =
      text:
      let
        digits = match "[ \t\n]*(-?[0-9]+)[ \t\n]*" text;
      in
      if digits == null || match "-?0[0-9]+" (head digits) != null then
        throw "toInt: Could not convert ${builtins.toJSON text} to int."
      else
        builtins.fromJSON (head digits);
    fixedWidthString =
      width: filler: text:
      if stringLength text < width then fixedWidthString width filler (filler + text) else text;
    fixedWidthNumber = width: number: fixedWidthString width "0" (toString number);
    toHexString =
      number:
      optionalString (number >= 16) (toHexString (number / 16))
      + substring (lib.mod number 16) 1 "0123456789ABCDEF";
    versionOlder = one: other: builtins.compareVersions other one == 1;
    versionAtLeast = one: other: !versionOlder one other;
    versions = {
      major = text: elemAt (splitString "." text) 0;
      majorMinor = text: concatStringsSep "." (lib.take 2 (splitString "." text));
    };
    getName = value: value.pname or (builtins.parseDrvName (value.name or value)).name;
    getVersion = value: value.version or (builtins.parseDrvName (value.name or value)).version;
    isStringLike =
      value: isString value || builtins.isPath value || value ? outPath || value ? __toString;
    isConvertibleWithToString =
      value:
      isStringLike value
      || lib.elem (builtins.typeOf value) [
        "null"
        "int"
        "float"
        "bool"
      ]
      || builtins.isList value && lib.all isConvertibleWithToString value;
    # Whether it is a path right below the store, or a derivation.
    isStorePath =
      value:
      isStringLike value
      && match "${builtins.storeDir}/[0-9a-z]{32}-[-+._?=a-zA-Z0-9]+" (toString value) != null;
    sanitizeDerivationName =
      text:
      let
        parts = builtins.split "[^[:alnum:]+._?=-]+" (
          head (match "[.]*(.*)" (builtins.unsafeDiscardStringContext text))
        );
        plain = concatMapStrings (part: if isString part then part else "-") parts;
      in
      if plain == "" then "unknown" else plain;
    fileContents = path: removeSuffix "\n" (builtins.readFile path);
    generators.toKeyValue =
      { }: set: concatStrings (lib.mapAttrsToList (key: value: "${key}=${toString value}\n") set);
  };
in
strings // { inherit strings; }
