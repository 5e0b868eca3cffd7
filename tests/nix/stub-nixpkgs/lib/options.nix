# Options, what definitions are wrapped in, and how errors show them.
{ lib }:
let
  inherit (builtins)
    concatStringsSep
    isAttrs
    isFunction
    isList
    isString
    match
    ;

  override = priority: content: {
    _type = "override";
    inherit priority content;
  };
  order = priority: content: {
    _type = "order";
    inherit priority content;
  };

  # A value in a few words, for errors.
  shown =
    value:
    if isFunction value then
      "<function>"
    else if lib.isDerivation value then
      "<derivation ${value.name or "?"}>"
    else if isAttrs value then
      if value ? _type then
        "<${value._type}>"
      else
        "{ ${concatStringsSep " " (map (name: "${name} = …;") (builtins.attrNames value))} }"
    else if isList value then
      "[ … ]"
    else if isString value then
      builtins.toJSON value
    else if value == null then
      "null"
    else if builtins.isBool value then
      lib.boolToString value
    else
      toString value;
in
{
  mkOption = option: option // { _type = "option"; };
  isOption = value: value._type or null == "option";
  isType = type: value: value._type or null == type;
  mkEnableOption =
    name:
    lib.mkOption {
      type = lib.types.bool;
      default = false;
      example = true;
      description = "Whether to enable ${name}.";
    };
  mkPackageOption =
    pkgs: name:
    {
      default ? name,
      nullable ? false,
      ...
    }:
    lib.mkOption {
      type = if nullable then lib.types.nullOr lib.types.package else lib.types.package;
      default = if default == null then null else lib.getAttrFromPath (lib.toList default) pkgs;
      defaultText = lib.literalExpression "pkgs.${concatStringsSep "." (lib.toList default)}";
      description = "The ${concatStringsSep "." (lib.toList name)} package to use.";
    };
  literalExpression = text: {
    _type = "literalExpression";
    inherit text;
  };
  literalMD = text: {
    _type = "literalMD";
    inherit text;
  };
  mdDoc = text: text;

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkAssert =
    condition: message: content:
    lib.mkIf (if condition then true else throw message) content;
  mkOverride = override;
  mkOptionDefault = override 1500;
  mkDefault = override 1000;
  mkImageMediaOverride = override 60;
  mkForce = override 50;
  mkVMOverride = override 10;
  defaultOverridePriority = 100;
  mkOrder = order;
  mkBefore = order 500;
  mkAfter = order 1500;
  defaultOrderPriority = 1000;
  mkDefinition = arguments: arguments // { _type = "definition"; };

  showOption =
    path:
    concatStringsSep "." (
      map (
        part:
        if match "[a-zA-Z_][a-zA-Z0-9_'-]*" part != null || lib.elem part [ "*" "<name>" ] then
          part
        else
          builtins.toJSON part
      ) path
    );
  showFiles = lib.concatMapStringsSep " and " (file: "`${file}'");
  showDefs = lib.concatMapStrings (definition: "\n- In `${definition.file}': ${shown definition.value}");
  getFiles = map (definition: definition.file);
  getValues = map (definition: definition.value);

  # One definition, or several that say the same.
  mergeEqualOption =
    path: definitions:
    let
      first = (builtins.head definitions).value;
      differ = lib.filter (definition: definition.value != first) definitions;
    in
    if lib.length definitions == 1 || differ == [ ] then
      first
    else
      throw "The option `${lib.showOption path}' has conflicting definition values:${lib.showDefs definitions}\nUse `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions.";

  mergeUniqueOption =
    {
      message,
      merge ? (_: definitions: (builtins.head definitions).value),
    }:
    path: definitions:
    if lib.length definitions == 1 then
      merge path definitions
    else
      throw "The option `${lib.showOption path}' is defined multiple times while it's expected to be unique.\n${message}\nDefinition values:${lib.showDefs definitions}\nUse `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions.";
  mergeOneOption = lib.mergeUniqueOption { message = ""; };

  # What a type does that says nothing of it.
  mergeDefaultOption =
    path: definitions:
    let
      values = lib.getValues definitions;
      first = builtins.head values;
    in
    if lib.length values == 1 then
      first
    else if lib.all isFunction values then
      argument:
      lib.mergeDefaultOption path (
        map (definition: definition // { value = definition.value argument; }) definitions
      )
    else if lib.all isList values then
      lib.concatLists values
    else if lib.all isAttrs values then
      lib.mergeAttrsList values
    else if lib.all lib.isBool values then
      lib.any lib.id values
    else if lib.all isString values then
      lib.concatStrings values
    else if lib.all lib.isInt values && lib.all (value: value == first) values then
      first
    else
      throw "Cannot merge definitions of `${lib.showOption path}'. Definition values:${lib.showDefs definitions}";

  # Options as a list, with those of submodules.
  optionAttrSetToDocList =
    let
      list =
        prefix: options:
        lib.concatLists (
          lib.mapAttrsToList (
            name: option:
            let
              path = prefix ++ [ name ];
            in
            if lib.isOption option then
              [ (option // { loc = path; name = lib.showOption path; }) ]
              ++ list path (option.type.getSubOptions path)
            else
              list path option
          ) (removeAttrs options [ "_module" ])
        );
    in
    list [ ];
}
