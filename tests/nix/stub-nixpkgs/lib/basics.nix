# Lists, attribute sets, and what is asked of values.
let
  inherit (builtins)
    attrNames
    concatLists
    concatMap
    elem
    elemAt
    filter
    foldl'
    genList
    head
    isAttrs
    isList
    length
    listToAttrs
    mapAttrs
    tail
    ;
in
rec {
  inherit (builtins)
    add
    all
    any
    attrNames
    attrValues
    baseNameOf
    catAttrs
    concatLists
    concatMap
    deepSeq
    elem
    elemAt
    filter
    foldl'
    fromJSON
    functionArgs
    genList
    getAttr
    groupBy
    hasAttr
    head
    intersectAttrs
    isAttrs
    isBool
    isFloat
    isFunction
    isInt
    isList
    isPath
    isString
    length
    lessThan
    listToAttrs
    mapAttrs
    partition
    pathExists
    readFile
    removeAttrs
    seq
    sort
    tail
    toJSON
    tryEval
    typeOf
    zipAttrsWith
    ;

  # Without what version control leaves.
  cleanSource =
    path:
    builtins.path {
      inherit path;
      name = "source";
      filter = name: _: builtins.baseNameOf name != ".git";
    };

  # Functions.
  id = value: value;
  const = value: _: value;
  flip =
    function: one: other:
    function other one;
  pipe = foldl' (value: function: function value);
  fix =
    function:
    let
      value = function value;
    in
    value;
  min = one: other: if one < other then one else other;
  max = one: other: if one > other then one else other;
  mod = number: base: number - base * (number / base);
  importJSON = path: builtins.fromJSON (builtins.readFile path);
  importTOML = path: builtins.fromTOML (builtins.readFile path);
  warn = message: builtins.trace "warning: ${message}";
  warnIf = condition: message: if condition then warn message else id;
  throwIf = condition: message: if condition then throw message else id;
  throwIfNot = condition: throwIf (!condition);
  assertMsg = holds: message: holds || throw message;

  # Lists.
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: list: if condition then list else [ ];
  singleton = value: [ value ];
  toList = value: if isList value then value else [ value ];
  range = first: last: if first > last then [ ] else genList (at: first + at) (last - first + 1);
  last = list: elemAt list (length list - 1);
  init = list: take (length list - 1) list;
  take = count: list: genList (elemAt list) (min count (length list));
  drop = count: list: genList (at: elemAt list (at + count)) (max 0 (length list - count));
  sublist = start: count: list: take count (drop start list);
  reverseList = list: genList (at: elemAt list (length list - 1 - at)) (length list);
  unique = foldl' (seen: item: if elem item seen then seen else seen ++ [ item ]) [ ];
  allUnique = list: length (unique list) == length list;
  flatten = value: if isList value then concatMap flatten value else [ value ];
  remove = value: filter (other: other != value);
  subtractLists = unwanted: filter (value: !elem value unwanted);
  intersectLists = wanted: filter (value: elem value wanted);
  count = predicate: list: length (filter predicate list);
  findFirst =
    predicate: default: list:
    let
      found = filter predicate list;
    in
    if found == [ ] then default else head found;
  foldr =
    function: start: list:
    foldl' (result: item: function item result) start (reverseList list);
  imap0 = function: list: genList (at: function at (elemAt list at)) (length list);
  imap1 = function: imap0 (at: function (at + 1));
  zipListsWith =
    function: one: other:
    genList (at: function (elemAt one at) (elemAt other at)) (min (length one) (length other));
  zipLists = zipListsWith (fst: snd: { inherit fst snd; });
  naturalSort = builtins.sort (one: other: one < other);
  sortOn = key: builtins.sort (one: other: key one < key other);

  # Attribute sets.
  optionalAttrs = condition: set: if condition then set else { };
  mergeAttrs = one: other: one // other;
  mergeAttrsList = foldl' mergeAttrs { };
  nameValuePair = name: value: { inherit name value; };
  genAttrs =
    names: function:
    listToAttrs (map (name: nameValuePair name (function name)) names);
  genAttrs' = names: function: listToAttrs (map function names);
  filterAttrs =
    predicate: set: removeAttrs set (filter (name: !predicate name set.${name}) (attrNames set));
  mapAttrs' = function: set: listToAttrs (mapAttrsToList function set);
  mapAttrsToList = function: set: map (name: function name set.${name}) (attrNames set);
  concatMapAttrs = function: set: mergeAttrsList (mapAttrsToList function set);
  attrsToList = mapAttrsToList nameValuePair;
  foldlAttrs =
    function: start: set:
    foldl' (result: name: function result name set.${name}) start (attrNames set);
  foldAttrs =
    function: start: sets:
    mapAttrs (_: foldr function start) (builtins.zipAttrsWith (_: values: values) sets);
  zipAttrs = builtins.zipAttrsWith (_: values: values);
  getAttrs = names: set: genAttrs names (name: set.${name});
  attrVals = names: set: map (name: set.${name}) names;
  isDerivation = value: isAttrs value && value.type or null == "derivation";
  recursiveUpdateUntil =
    isLeaf: one: other:
    let
      update =
        path: one: other:
        one
        // mapAttrs (
          name: value:
          let
            here = path ++ [ name ];
          in
          if one ? ${name} && !isLeaf here one.${name} value then update here one.${name} value else value
        ) other;
    in
    update [ ] one other;
  recursiveUpdate = recursiveUpdateUntil (_: one: other: !(isAttrs one && isAttrs other));
  setAttrByPath =
    path: value:
    if path == [ ] then value else { ${head path} = setAttrByPath (tail path) value; };
  attrByPath =
    path: default: set:
    if path == [ ] then
      set
    else if isAttrs set && set ? ${head path} then
      attrByPath (tail path) default set.${head path}
    else
      default;
  hasAttrByPath =
    path: set:
    path == [ ] || isAttrs set && set ? ${head path} && hasAttrByPath (tail path) set.${head path};
  getAttrFromPath =
    path: attrByPath path (throw "cannot find attribute '${builtins.concatStringsSep "." path}'");
  mapAttrsRecursiveCond =
    isDeep: function: set:
    let
      at =
        path:
        mapAttrs (
          name: value:
          let
            here = path ++ [ name ];
          in
          if isAttrs value && isDeep value then at here value else function here value
        );
    in
    at [ ] set;
  mapAttrsRecursive = mapAttrsRecursiveCond (_: true);
  collect =
    predicate: value:
    if predicate value then
      [ value ]
    else if isAttrs value then
      concatLists (mapAttrsToList (_: collect predicate) value)
    else
      [ ];
  getOutput =
    output: package:
    if package.outputSpecified or false then
      package
    else
      package.${output} or package.out or package;
  getBin = getOutput "bin";
  getLib = getOutput "lib";
  getExe' = package: name: "${getBin package}/bin/${name}";
  getExe =
    package: getExe' package (package.meta.mainProgram or package.pname or package.name);
  platforms = rec {
    linux = [
      "aarch64-linux"
      "x86_64-linux"
    ];
    unix = linux;
  };
  licenses = {
    asl20 = {
      spdxId = "Apache-2.0";
      fullName = "Apache License 2.0";
    };
    mit = {
      spdxId = "MIT";
      fullName = "MIT License";
    };
  };
  maintainers = { };
  trivial = {
    release = "25.11";
    inherit importJSON;
  };
  attrsets = { inherit recursiveUpdate optionalAttrs; };
}
