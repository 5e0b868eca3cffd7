# Options that have another name now, or none.
{ lib }:
let
  inherit (lib) showOption;

  # The definitions of an option, for another one, with the priority that they have.
  aliased =
    option: path:
    lib.setAttrByPath path (
      lib.mkIf option.isDefined (lib.mkMerge (map (lib.mkOverride option.highestPrio) option.definitions))
    );
in
{
  mkRenamedOptionModule =
    from: to:
    { config, options, ... }:
    let
      old = lib.getAttrFromPath from options;
    in
    {
      options = lib.setAttrByPath from (
        lib.mkOption {
          visible = false;
          description = "Alias of {option}`${showOption to}`.";
          apply = _: lib.getAttrFromPath to config;
        }
      );
      config = lib.mkMerge [
        (lib.optionalAttrs (options ? warnings) {
          warnings = lib.optional old.isDefined "The option `${showOption from}' defined in ${lib.showFiles old.files} has been renamed to `${showOption to}'.";
        })
        (aliased old to)
      ];
    };
  mkRenamedOptionModuleWith = { from, to, ... }: lib.mkRenamedOptionModule from to;
  mkAliasOptionModule =
    from: to:
    { config, options, ... }:
    let
      old = lib.getAttrFromPath from options;
    in
    {
      options = lib.setAttrByPath from (
        lib.mkOption {
          description = "Alias of {option}`${showOption to}`.";
          apply = _: lib.getAttrFromPath to config;
        }
      );
      config = aliased old to;
    };
  mkRemovedOptionModule =
    from: text:
    { options, ... }:
    let
      old = lib.getAttrFromPath from options;
    in
    {
      options = lib.setAttrByPath from (
        lib.mkOption {
          visible = false;
          apply = _: throw "The option `${showOption from}' can no longer be used since it's been removed. ${text}";
        }
      );
      config.assertions = [
        {
          assertion = !old.isDefined;
          message = "The option definition `${showOption from}' in ${lib.showFiles old.files} no longer has any effect; please remove it.\n${text}";
        }
      ];
    };
}
