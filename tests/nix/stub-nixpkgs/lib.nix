# As much of nixpkgs' lib as Kiln's Nix code needs, and nothing that it does not.
#
# Modules are not evaluated here as nixpkgs does it: options are only values that can be looked at, and `evaluate` below
# takes defaults, what a test sets, and what a module's `config` says.
let
  inherit (builtins)
    attrNames
    attrValues
    concatLists
    concatStringsSep
    elem
    filter
    foldl'
    head
    isAttrs
    isFunction
    isList
    listToAttrs
    mapAttrs
    replaceStrings
    tail
    ;

  recursiveUpdate =
    one: other:
    one
    // mapAttrs (
      name: value:
      if isPlain value && isPlain (one.${name} or null) then recursiveUpdate one.${name} value else value
    ) other;
  isPlain = value: isAttrs value && !(value ? _type) && (value.type or "") != "derivation";

  chars = text: builtins.genList (at: builtins.substring at 1 text) (builtins.stringLength text);

  type = description: { inherit description; };
  of = word: inner: type "${word} ${inner.description}";

  # What stands in a module's config, with conditions decided and priorities forgotten.
  resolve =
    value:
    if !isAttrs value || (value.type or "") == "derivation" then
      value
    else if (value._type or "") == "if" then
      (if value.condition then resolve value.content else { })
    else if (value._type or "") == "merge" then
      foldl' recursiveUpdate { } (map resolve value.contents)
    else if (value._type or "") == "override" then
      resolve value.content
    else
      mapAttrs (_: resolve) value;

  # The defaults of options; what has none is an error when it is asked for.
  defaults =
    path: options:
    mapAttrs (
      name: option:
      let
        here = path ++ [ name ];
      in
      if (option._type or "") == "option" then
        option.default or (throw "the option ${concatStringsSep "." here} is used but not defined")
      else
        defaults here option
    ) options;
in
rec {
  inherit
    attrNames
    attrValues
    concatStringsSep
    elem
    filter
    foldl'
    head
    isList
    listToAttrs
    mapAttrs
    recursiveUpdate
    replaceStrings
    tail
    ;

  concatMap = builtins.concatMap;
  concatMapStrings = function: list: concatStringsSep "" (map function list);
  escapeShellArg = text: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
  genAttrs =
    names: function:
    listToAttrs (
      map (name: {
        inherit name;
        value = function name;
      }) names
    );
  filterAttrs =
    predicate: set: removeAttrs set (filter (name: !predicate name set.${name}) (attrNames set));
  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
  mapAttrsToList = function: set: map (name: function name set.${name}) (attrNames set);
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: list: if condition then list else [ ];
  optionalAttrs = condition: set: if condition then set else { };
  optionalString = condition: text: if condition then text else "";
  toUpper = replaceStrings (chars "abcdefghijklmnopqrstuvwxyz") (chars "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  unique = foldl' (seen: item: if elem item seen then seen else seen ++ [ item ]) [ ];
  removePrefix =
    prefix: text:
    if hasPrefix prefix text then
      builtins.substring (builtins.stringLength prefix) (-1) text
    else
      text;
  splitString =
    separator: text: filter builtins.isString (builtins.split (escapeRegex separator) text);
  escapeRegex = replaceStrings [ "." "+" "*" ] [ "\\." "\\+" "\\*" ];
  last = list: builtins.elemAt list (builtins.length list - 1);
  nameValuePair = name: value: { inherit name value; };
  assertMsg = holds: message: holds || throw message;

  licenses = {
    mit = "MIT";
    asl20 = "Apache-2.0";
  };
  platforms.unix = [ ];

  mkOption = option: option // { _type = "option"; };
  mkEnableOption =
    name:
    mkOption {
      type = types.bool;
      default = false;
      description = "Whether to enable ${name}.";
    };
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkDefault = content: {
    _type = "override";
    inherit content;
  };
  literalExpression = text: {
    _type = "literalExpression";
    inherit text;
  };
  types = {
    anything = type "anything";
    attrsOf = of "attribute set of";
    bool = type "boolean";
    enum = words: type "one of ${concatStringsSep ", " (map (word: "\"${word}\"") words)}";
    int = type "integer";
    listOf = of "list of";
    nullOr = of "null or";
    package = type "package";
    path = type "path";
    raw = type "raw value";
    pathInStore = type "path in the store";
    str = type "text";
    lines = type "text of several lines";
    either = one: other: type "${one.description} or ${other.description}";
    submodule = module: type "submodule" // { inherit module; };
  };

  # The config that modules make of what a test sets. `arguments` are what they are called with.
  evaluate =
    {
      modules,
      settings,
      arguments,
    }:
    let
      load = module: if builtins.isPath module || builtins.isString module then import module else module;
      # The modules, each behind those that it imports, called with a config.
      called =
        config:
        let
          flatten =
            module:
            let
              loaded = load module;
              value = if isFunction loaded then loaded (arguments // { inherit config; }) else loaded;
            in
            concatLists (map flatten (value.imports or [ ])) ++ [ value ];
        in
        concatLists (map flatten modules);
      set =
        config:
        let
          options = foldl' recursiveUpdate { } (map (module: module.options or { }) (called config));
        in
        recursiveUpdate (defaults [ ] options) settings;
      # What modules say when they are asked with a config.
      said =
        config: foldl' recursiveUpdate (set config) (map (module: resolve (module.config or { })) (called config));
      first = set first;
    in
    # Asked again with the answers, they know what others have said, and what follows from that.
    said (said (said first));
}
