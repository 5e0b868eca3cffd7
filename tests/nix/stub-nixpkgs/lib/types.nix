# The types of options. Each knows which values are its own (`check`), what several definitions make (`merge`), and what two
# declarations of one option make (`typeMerge`).
{ lib }:
let
  inherit (builtins)
    all
    concatStringsSep
    elem
    filter
    head
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isPath
    isString
    length
    mapAttrs
    match
    ;
  inherit (lib)
    getValues
    mergeEqualOption
    mergeOneOption
    showOption
    ;

  # `with` is the type that this one and another, of the same name, make together.
  make =
    {
      name,
      description ? name,
      check ? (_: true),
      merge ? lib.mergeDefaultOption,
      emptyValue ? { },
      getSubOptions ? (_: { }),
      getSubModules ? null,
      nestedTypes ? { },
      parts ? [ ],
      # null: it stands alone. Without it, one is as good as the other.
      combine ? "same",
      ...
    }:
    let
      type = {
        _type = "option-type";
        inherit
          name
          description
          check
          merge
          emptyValue
          getSubOptions
          getSubModules
          nestedTypes
          parts
          ;
        # The two as one, or null when they are different.
        typeMerge =
          other:
          if other.name != name || combine == null then
            null
          else if combine == "same" then
            type
          else
            combine other;
        functor = { inherit name; };
      };
    in
    type;

  equal =
    name: description: check:
    make {
      inherit name description check;
      merge = mergeEqualOption;
    };
  # A type around another: what both make, when two are merged.
  around =
    function: inner: other:
    let
      merged = inner.typeMerge (head other.parts);
    in
    if merged == null then null else function merged;

  within = definition: value: definition // { inherit value; };
  isStringLike = value: isString value || isPath value || value ? outPath;
  isSource = value: isAttrs value || isFunction value || isPath value;

  bounded =
    name: lowest: highest:
    equal "intBetween" name (
      value:
      isInt value && (lowest == null || value >= lowest) && (highest == null || value <= highest)
    );
  bits =
    count: signed:
    let
      power = lib.foldl' (result: _: result * 2) 1 (lib.genList (_: null) count);
    in
    if signed then
      bounded "${toString count} bit signed integer" (0 - power / 2) (power / 2 - 1)
    else
      bounded "${toString count} bit unsigned integer" 0 (power - 1);

  attributes =
    lazy: name: element:
    make {
      inherit name;
      description = "${lib.optionalString lazy "lazy "}attribute set of ${element.description}";
      check = isAttrs;
      emptyValue.value = { };
      parts = [ element ];
      nestedTypes.elemType = element;
      getSubOptions = path: element.getSubOptions (path ++ [ "<name>" ]);
      getSubModules = element.getSubModules;
      combine = around (attributes lazy name) element;
      merge =
        path: definitions:
        let
          perName = builtins.zipAttrsWith (_: given: given) (
            map (definition: mapAttrs (_: within definition) definition.value) definitions
          );
          merged = mapAttrs (name: lib.mergeDefinitions (path ++ [ name ]) element) perName;
        in
        if lazy then
          mapAttrs (_: one: one.valueOrEmpty) merged
        else
          mapAttrs (_: one: one.value) (lib.filterAttrs (_: one: one.isDefined) merged);
    };

  separated =
    separator:
    make {
      name = "separatedString";
      description =
        if separator == "" then
          "Concatenated string"
        else
          "strings concatenated with ${builtins.toJSON separator}";
      check = isString;
      merge = _: definitions: concatStringsSep separator (getValues definitions);
    };
in
rec {
  mkOptionType = make;
  isOptionType = value: value._type or null == "option-type";
  optionType = make {
    name = "optionType";
    check = value: value._type or null == "option-type";
    merge =
      _: definitions:
      lib.foldl' (one: other: one.typeMerge other) (head definitions).value (
        lib.tail (getValues definitions)
      );
  };

  raw = make {
    name = "raw";
    description = "raw value";
    merge = mergeOneOption;
  };
  unspecified = make {
    name = "unspecified";
    description = "unspecified value";
  };
  anything = make {
    name = "anything";
    merge =
      path: definitions:
      let
        kind = value: if isAttrs value && isStringLike value then "package" else builtins.typeOf value;
        kinds = lib.unique (map kind (getValues definitions));
      in
      if length kinds > 1 then
        throw "The option `${showOption path}' has conflicting option types in ${lib.showFiles (lib.getFiles definitions)}"
      else if kinds == [ "set" ] then
        (attrsOf anything).merge path definitions
      else if kinds == [ "package" ] then
        mergeOneOption path definitions
      else if kinds == [ "lambda" ] then
        argument:
        anything.merge path (map (definition: within definition (definition.value argument)) definitions)
      else
        mergeEqualOption path definitions;
  };

  bool = equal "bool" "boolean" isBool;
  boolByOr = make {
    name = "boolByOr";
    description = "boolean (merged using or)";
    check = isBool;
    merge = _: definitions: lib.any lib.id (getValues definitions);
  };
  int = equal "int" "signed integer" isInt;
  float = equal "float" "floating point number" builtins.isFloat;
  number = either int float;
  ints = {
    between =
      lowest: highest:
      bounded "integer between ${toString lowest} and ${toString highest} (both inclusive)" lowest highest;
    unsigned = bounded "unsigned integer, meaning >=0" 0 null;
    positive = bounded "positive integer, meaning >0" 1 null;
    u8 = bits 8 false;
    u16 = bits 16 false;
    u32 = bits 32 false;
    s8 = bits 8 true;
    s16 = bits 16 true;
    s32 = bits 32 true;
  };
  port = ints.u16;

  str = equal "str" "string" isString;
  singleLineStr = equal "singleLineStr" "(optionally newline-terminated) single-line string" (
    value: isString value && match "[^\n\r]*\n?" value != null
  );
  nonEmptyStr = equal "nonEmptyStr" "non-empty string" (
    value: isString value && match "[ \t\n]*" value == null
  );
  strMatching =
    pattern:
    equal "strMatching ${builtins.toJSON pattern}" "string matching the pattern ${pattern}" (
      value: isString value && match pattern value != null
    );
  separatedString = separated;
  lines = separated "\n";
  commas = separated ",";
  envVar = separated ":";
  enum =
    values:
    make {
      name = "enum";
      description = "one of ${
        lib.concatMapStringsSep ", " (
          value: if isString value then builtins.toJSON value else toString value
        ) values
      }";
      check = value: elem value values;
      merge = mergeEqualOption;
      parts = values;
      combine = other: enum (lib.unique (values ++ other.parts));
    };
  path = equal "path" "absolute path" (
    value: isStringLike value && builtins.substring 0 1 (toString value) == "/"
  );
  pathInStore = equal "pathInStore" "path in the Nix store" (
    value: isStringLike value && match "${builtins.storeDir}/[^.].*" (toString value) != null
  );
  package = make {
    name = "package";
    check = value: lib.isDerivation value || lib.isStorePath value;
    merge =
      path: definitions:
      let
        given = mergeOneOption path definitions;
        stored = builtins.storePath given;
      in
      if lib.isDerivation given then
        given
      else
        {
          type = "derivation";
          name = builtins.substring 33 (-1) (baseNameOf stored);
          outPath = stored;
          outputs = [ "out" ];
          outputName = "out";
        };
  };
  shellPackage = addCheck package (value: value ? shellPath);
  pkgs = make {
    name = "pkgs";
    description = "Nixpkgs package set";
    check = value: value._type or null == "pkgs";
    merge = mergeOneOption;
  };
  attrs = make {
    name = "attrs";
    description = "attribute set";
    check = isAttrs;
    emptyValue.value = { };
    merge = _: definitions: lib.mergeAttrsList (getValues definitions);
  };

  listOf =
    element:
    make {
      name = "listOf";
      description = "list of ${element.description}";
      check = isList;
      emptyValue.value = [ ];
      parts = [ element ];
      nestedTypes.elemType = element;
      getSubOptions = path: element.getSubOptions (path ++ [ "*" ]);
      getSubModules = element.getSubModules;
      combine = around listOf element;
      merge =
        path: definitions:
        let
          one =
            number: definition: at: value:
            lib.mergeDefinitions (
              path ++ [ "[definition ${toString number}-entry ${toString at}]" ]
            ) element [ (within definition value) ];
          given = lib.concatLists (
            lib.imap1 (number: definition: lib.imap1 (one number definition) definition.value) definitions
          );
        in
        map (item: item.value) (filter (item: item.isDefined) given);
    };
  nonEmptyListOf =
    element:
    let
      type = addCheck (listOf element) (value: value != [ ]);
    in
    type
    // {
      description = "non-empty ${type.description}";
      emptyValue = { };
    };
  attrsOf = attributes false "attrsOf";
  lazyAttrsOf = attributes true "lazyAttrsOf";

  uniq = unique { message = ""; };
  unique =
    { message }:
    element:
    make {
      name = "unique";
      inherit (element)
        description
        check
        emptyValue
        getSubOptions
        getSubModules
        ;
      parts = [ element ];
      nestedTypes.elemType = element;
      combine = around (unique { inherit message; }) element;
      merge = lib.mergeUniqueOption {
        inherit message;
        inherit (element) merge;
      };
    };
  nullOr =
    element:
    make {
      name = "nullOr";
      description = "null or ${element.description}";
      check = value: value == null || element.check value;
      emptyValue.value = null;
      parts = [ element ];
      nestedTypes.elemType = element;
      inherit (element) getSubOptions getSubModules;
      combine = around nullOr element;
      merge =
        path: definitions:
        let
          nulls = filter (definition: definition.value == null) definitions;
        in
        if nulls == [ ] then
          element.merge path definitions
        else if length nulls == length definitions then
          null
        else
          throw "The option `${showOption path}' is defined both null and not null, in ${lib.showFiles (lib.getFiles definitions)}.";
    };
  either =
    one: other:
    make {
      name = "either";
      description = "${one.description} or ${other.description}";
      check = value: one.check value || other.check value;
      parts = [
        one
        other
      ];
      combine =
        second:
        let
          left = one.typeMerge (head second.parts);
          right = other.typeMerge (lib.last second.parts);
        in
        if left == null || right == null then null else either left right;
      merge =
        path: definitions:
        let
          are = type: all (definition: type.check definition.value) definitions;
        in
        if are one then
          one.merge path definitions
        else if are other then
          other.merge path definitions
        else
          mergeOneOption path definitions;
    };
  oneOf = types: lib.foldl' either (head types) (lib.tail types);
  coercedTo =
    from: function: to:
    make {
      name = "coercedTo";
      description = "${to.description} or ${from.description} convertible to it";
      check = value: from.check value && to.check (function value) || to.check value;
      inherit (to) emptyValue getSubOptions getSubModules;
      combine = null;
      merge =
        path: definitions:
        to.merge path (
          map (
            definition:
            if from.check definition.value then within definition (function definition.value) else definition
          ) definitions
        );
    };
  functionTo =
    element:
    make {
      name = "functionTo";
      description = "function that evaluates to a(n) ${element.description}";
      check = isFunction;
      parts = [ element ];
      combine = around functionTo element;
      merge =
        path: definitions: argument:
        (lib.mergeDefinitions (path ++ [ "<function body>" ]) element (
          map (definition: within definition (definition.value argument)) definitions
        )).value;
    };
  addCheck = element: check: element // { check = value: element.check value && check value; };

  deferredModule = make {
    name = "deferredModule";
    description = "module";
    check = isSource;
    merge = path: definitions: {
      imports = map (
        definition: lib.setDefaultModuleLocation "${definition.file}, via option ${showOption path}" definition.value
      ) definitions;
    };
  };
  submodule =
    modules:
    submoduleWith {
      modules = lib.toList modules;
      shorthandOnlyDefinesConfig = true;
    };
  submoduleWith =
    {
      modules,
      specialArgs ? { },
      shorthandOnlyDefinesConfig ? false,
      description ? "submodule",
      ...
    }@arguments:
    let
      evaluate =
        path: more:
        lib.evalModules {
          inherit specialArgs;
          prefix = path;
          modules =
            [
              {
                _file = "the name of ${showOption path}";
                config._module.args.name = if path == [ ] then "‹name›" else lib.last path;
              }
            ]
            # Those of declarations are imported, so that what they define comes before what is defined elsewhere.
            ++ map (module: { imports = [ module ]; }) modules
            ++ more;
        };
      asModule =
        definition:
        if shorthandOnlyDefinesConfig && isAttrs definition.value then
          {
            _file = definition.file;
            config = definition.value;
          }
        else
          lib.setDefaultModuleLocation definition.file definition.value;
    in
    make {
      name = "submodule";
      inherit description;
      check = value: isAttrs value || isFunction value || isPath value;
      emptyValue.value = { };
      parts = modules;
      getSubModules = modules;
      getSubOptions = path: removeAttrs (evaluate path [ ]).options [ "_module" ];
      combine = other: submoduleWith (arguments // { modules = other.parts ++ modules; });
      merge = path: definitions: (evaluate path (map asModule definitions)).config;
    };
}
