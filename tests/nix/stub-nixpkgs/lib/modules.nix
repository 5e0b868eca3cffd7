# Modules: a set of options, and what definitions in several places make of them. In three steps:
#
#   collect   modules and what they import, each once, called with their arguments
#   declare   options of the same name become one tree; definitions are handed down to where their option is
#   merge     for each option, the definitions that count, in order, become its value
#
# A value is looked at no earlier than in nixpkgs' lib: names of options and definitions first, conditions only where an
# option is asked for.
{ lib }:
let
  inherit (builtins)
    attrNames
    concatMap
    filter
    head
    isAttrs
    isFunction
    isList
    length
    mapAttrs
    removeAttrs
    ;
  inherit (lib)
    isOption
    isType
    showDefs
    showOption
    ;

  /*
    collect
  */

  around = [
    "_class"
    "_file"
    "_type"
    "disabledModules"
    "freeformType"
    "imports"
    "key"
  ];
  isPlain =
    value:
    isAttrs value && (!(value ? _type) || value._type == "module");

  # A module as a set with all of its parts.
  structured =
    file: key: module:
    let
      isLong = module ? config || module ? options;
      unknown = attrNames (
        removeAttrs module (
          around
          ++ [
            "config"
            "meta"
            "options"
          ]
        )
      );
      config = if isLong then module.config or { } else removeAttrs module around;
      withMeta = if isLong && module ? meta then lib.mkMerge [ config { inherit (module) meta; } ] else config;
    in
    if isLong && unknown != [ ] then
      throw "Module `${module._file or file}' has an unsupported attribute `${head unknown}'. This is caused by introducing a top-level `config' or `options' attribute."
    else
      {
        file = toString (module._file or file);
        key = toString (module.key or key);
        imports = module.imports or [ ];
        disabled = module.disabledModules or [ ];
        options = module.options or { };
        config =
          if module ? freeformType then
            lib.mkMerge [
              withMeta
              { _module.freeformType = module.freeformType; }
            ]
          else
            withMeta;
      };

  # A function gets the arguments that it names: those that are known from the start, and those of _module.args.
  apply =
    function: known: config:
    function (
      known
      // mapAttrs (name: _: known.${name} or config._module.args.${name}) (builtins.functionArgs function)
    );

  load =
    known: file: key: module:
    if isFunction module then
      structured file key (apply module known known.config)
    else if isPlain module then
      structured file key module
    else if isAttrs module && (isType "if" module || isType "override" module) then
      structured file key { config = module; }
    else if isAttrs module || isList module then
      throw "In ${file}: a module is a path, a function or a set of attributes, not ${builtins.typeOf module}"
    else
      let
        path = toString module;
        imported = import module;
      in
      structured path path (if isFunction imported then apply imported known known.config else imported);

  collect =
    known: modules:
    let
      tree =
        file: key: list:
        lib.imap1 (
          number: module:
          let
            loaded = load known file "${key}:anon-${toString number}" module;
          in
          {
            inherit (loaded) key;
            module = loaded;
          }
        ) list;
      all = builtins.genericClosure {
        startSet = tree "<unknown-file>" "" modules;
        operator = entry: tree entry.module.file entry.key entry.module.imports;
      };
      disabledKey =
        module:
        if isAttrs module && !(module ? outPath) then
          module.key
        else if builtins.isString module && builtins.substring 0 1 module != "/" then
          "${toString known.modulesPath}/${module}"
        else
          toString module;
      disabled = concatMap (entry: map disabledKey entry.module.disabled) all;
      # A disabled module's imports are no longer there either.
      kept = builtins.genericClosure {
        startSet = filter isKept (tree "<unknown-file>" "" modules);
        operator =
          entry: filter isKept (tree entry.module.file entry.key entry.module.imports);
      };
      isKept = entry: !lib.elem entry.key disabled;
    in
    lib.reverseList (map (entry: entry.module) (if disabled == [ ] then all else kept));

  /*
    declare
  */

  # Definitions of a set, as sets whose values carry the conditions and priorities around them.
  handedDown =
    file: path: value:
    if isType "merge" value then
      concatMap (handedDown file path) value.contents
    else if isType "if" value then
      map (mapAttrs (_: lib.mkIf value.condition)) (handedDown file path value.content)
    else if isType "override" value then
      map (mapAttrs (_: lib.mkOverride value.priority)) (handedDown file path value.content)
    else if isAttrs value then
      [ value ]
    else
      throw "In ${file}: `${showOption path}' is a set of options, and is defined as ${builtins.typeOf value}";

  # The tree of options below a path, its values, and the definitions that belong to no option.
  node =
    path: declarations: definitions:
    let
      given = concatMap (
        definition:
        map (value: definition // { inherit value; }) (handedDown definition.file path definition.value)
      ) definitions;
      perName = builtins.zipAttrsWith (_: list: list) (
        map (definition: mapAttrs (_: value: definition // { inherit value; }) definition.value) given
      );
      declared = builtins.zipAttrsWith (_: list: list) (
        map (declaration: mapAttrs (_: value: declaration // { inherit value; }) declaration.value) declarations
      );
      children = mapAttrs (
        name: list:
        let
          here = path ++ [ name ];
          options = filter (declaration: isOption declaration.value) list;
        in
        if options == [ ] then
          { inner = node here list (perName.${name} or [ ]); }
        else if length options == length list then
          { option = evaluated here (declaration here list) (perName.${name} or [ ]); }
        else
          { option = evaluated here (declaration here (map (inside here options) list)) (perName.${name} or [ ]); }
      ) declared;
    in
    {
      options = mapAttrs (_: child: child.option or child.inner.options) children;
      config = mapAttrs (_: child: if child ? option then child.option.value else child.inner.config) children;
      unmatched =
        concatMap (
          name: map (definition: definition // { path = path ++ [ name ]; }) perName.${name}
        ) (attrNames (removeAttrs perName (attrNames declared)))
        ++ concatMap (child: child.inner.unmatched or [ ]) (builtins.attrValues children);
    };

  # Options below one that is a submodule are declared inside of it.
  inside =
    path: options: declaration:
    if isOption declaration.value then
      declaration
    else if lib.all (option: (option.value.type or lib.types.unspecified).getSubModules != null) options then
      declaration
      // {
        value = lib.mkOption {
          type = lib.types.submodule {
            _file = declaration.file;
            options = declaration.value;
          };
        };
      }
    else
      throw "The option `${showOption path}' in ${lib.showFiles (lib.getFiles options)} is a prefix of options in `${declaration.file}'";

  # One declaration out of all that an option has.
  declaration =
    path: list:
    let
      join =
        one: other:
        let
          twice = filter (key: one ? ${key} && other.value ? ${key}) [
            "apply"
            "default"
            "description"
            "example"
          ];
          both = one ? type && other.value ? type;
          type = one.type.typeMerge other.value.type;
        in
        if twice != [ ] || both && type == null then
          throw "The option `${showOption path}' in `${other.file}' is already declared in ${lib.showFiles one.declarations}."
        else
          one
          // other.value
          // {
            declarations = one.declarations ++ [ other.file ];
            readOnly = one.readOnly or false || other.value.readOnly or false;
          }
          // lib.optionalAttrs both { inherit type; };
      first = head list;
    in
    lib.foldl' join (first.value // { declarations = [ first.file ]; }) (lib.tail list);

  evaluated =
    path: option: definitions:
    let
      type = option.type or lib.types.unspecified;
      default = lib.optional (option ? default) {
        file = head option.declarations;
        value = lib.mkOptionDefault option.default;
      };
      merged = lib.mergeDefinitions path type (default ++ definitions);
      apply = option.apply or lib.id;
      written = default ++ definitions;
    in
    option
    // {
      inherit type;
      loc = path;
      value =
        if option.readOnly or false && length written > 1 then
          throw "The option `${showOption path}' is read-only, but it's set multiple times. Definition values:${showDefs written}"
        else
          apply merged.value;
      inherit (merged) isDefined highestPrio;
      definitions = lib.getValues merged.counting;
      definitionsWithLocations = merged.counting;
      files = lib.getFiles merged.counting;
      __toString = _: showOption path;
    };

  # What every evaluation has of its own.
  own =
    specialArgs:
    {
      _file = "lib/modules.nix";
      key = "lib/modules.nix";
      options._module = {
        args = lib.mkOption { type = lib.types.lazyAttrsOf lib.types.raw; };
        check = lib.mkOption {
          type = lib.types.bool;
          default = true;
        };
        freeformType = lib.mkOption {
          type = lib.types.nullOr lib.types.optionType;
          default = null;
        };
        specialArgs = lib.mkOption {
          type = lib.types.lazyAttrsOf lib.types.raw;
          readOnly = true;
        };
      };
      config._module.specialArgs = specialArgs;
    };

  unknown =
    options: below: definition:
    let
      parent = lib.attrByPath (lib.init (below definition.path)) { } options;
      near = lib.take 3 (attrNames (removeAttrs parent [ "_module" ]));
    in
    throw "The option `${showOption definition.path}' does not exist. Definition values:${showDefs [ definition ]}${
      lib.optionalString (near != [ ]) "\n\nThere are: ${lib.concatStringsSep ", " near}, …"
    }";
in
{
  evalModules =
    {
      modules,
      specialArgs ? { },
      prefix ? [ ],
      ...
    }@arguments:
    let
      known = specialArgs // {
        inherit lib config specialArgs;
        inherit (made) options;
      };
      collected = collect known (
        modules
        ++ [
          (own specialArgs)
          {
            _file = "lib/modules.nix";
            key = "lib/modules.nix#args";
            config._module.args = { inherit extendModules; };
          }
        ]
      );
      made = node prefix (map (module: {
        inherit (module) file;
        value = module.options;
      }) collected) (map (module: {
        inherit (module) file;
        value = module.config;
      }) collected);
      below = lib.drop (length prefix);
      freeform = made.config._module.freeformType;
      free = lib.optionalAttrs (made.unmatched != [ ]) (
        freeform.merge prefix (
          map (definition: {
            inherit (definition) file;
            value = lib.setAttrByPath (below definition.path) definition.value;
          }) made.unmatched
        )
      );
      config = if freeform == null then made.config else lib.recursiveUpdate free made.config;
      checked =
        if freeform == null && made.config._module.check && made.unmatched != [ ] then
          unknown made.options below (lib.last made.unmatched)
        else
          config;
      extendModules =
        {
          modules ? [ ],
          specialArgs ? { },
          prefix ? arguments.prefix or [ ],
        }:
        lib.evalModules (
          arguments
          // {
            modules = arguments.modules ++ modules;
            specialArgs = arguments.specialArgs or { } // specialArgs;
            inherit prefix;
          }
        );
    in
    {
      _type = "configuration";
      inherit (made) options;
      config = removeAttrs checked [ "_module" ];
      inherit (config) _module;
      inherit extendModules;
    };

  # Definitions with conditions decided: what is left are values, some behind a priority or an order.
  discharged = concatMap (
    definition:
    let
      open =
        value:
        if isType "merge" value then
          concatMap open value.contents
        else if isType "if" value then
          if !builtins.isBool value.condition then
            throw "In ${toString definition.file}: the condition of a mkIf is no boolean"
          else
            lib.optionals value.condition (open value.content)
        else
          [ value ];
    in
    map (value: definition // { inherit value; }) (open definition.value)
  );

  # What definitions make of an option of a type: those of the highest priority count, in their order.
  mergeDefinitions =
    path: type: definitions:
    let
      all = map (
        definition:
        definition
        // (
          if isType "override" definition.value then
            {
              inherit (definition.value) priority;
              value = definition.value.content;
            }
          else
            { priority = lib.defaultOverridePriority; }
        )
      ) (lib.discharged definitions);
      highestPrio = lib.foldl' (lowest: definition: lib.min lowest definition.priority) 9999 all;
      ordered = map (
        definition:
        definition
        // (
          if isType "order" definition.value then
            {
              order = definition.value.priority;
              value = definition.value.content;
            }
          else
            { order = lib.defaultOrderPriority; }
        )
      ) (filter (definition: definition.priority == highestPrio) all);
      counting = map (definition: removeAttrs definition [ "order" "priority" ]) (
        builtins.sort (one: other: one.order < other.order) ordered
      );
      wrong = filter (definition: !type.check definition.value) counting;
      isDefined = counting != [ ];
      merged =
        if wrong != [ ] then
          throw "A definition for option `${showOption path}' is not of type `${type.description}'. Definition values:${showDefs wrong}"
        else
          type.merge path counting;
    in
    {
      inherit counting highestPrio isDefined;
      value =
        if isDefined then
          merged
        else
          throw "The option `${showOption path}' was accessed but has no value defined. Try setting the option.";
      # For sets that are lazy in their values, where a name may be there without a definition.
      valueOrEmpty =
        if isDefined then
          merged
        else
          type.emptyValue.value
            or (throw "The option `${showOption path}' was accessed but has no value defined. Try setting the option.");
    };

  setDefaultModuleLocation = file: module: {
    _file = file;
    imports = [ module ];
  };
  importApply = path: arguments: lib.setDefaultModuleLocation path (import path arguments);
}
