# Submodules, and what modules say of themselves.
{ lib, cases }:
let
  inherit (lib)
    mkDefault
    mkForce
    mkIf
    mkImageMediaOverride
    mkOption
    types
    ;
  inherit (cases)
    configOf
    merged
    option
    tried
    ;
  host = types.submodule (
    { name, config, ... }:
    {
      options = {
        name = mkOption {
          type = types.str;
          default = name;
        };
        device = mkOption {
          type = types.nullOr types.str;
          default = null;
        };
        options = mkOption {
          type = types.listOf types.str;
          default = [ "defaults" ];
        };
        grows = mkOption {
          type = types.bool;
          default = false;
        };
      };
      config.options = mkIf config.grows [ "growfs" ];
    }
  );
in
{
  submodules = {
    defaults = merged (types.attrsOf host) [ { "/".device = "/dev/a"; } ];
    two-places = merged (types.attrsOf host) [
      {
        "/".device = "/dev/hardware";
        "/".grows = true;
        "/home" = { };
      }
      (mkImageMediaOverride { "/boot".options = [ "nofail" ]; })
    ];
    each-priority = merged (types.attrsOf host) [
      {
        "/".device = "/dev/hardware";
        "/".options = [ "noatime" ];
      }
      {
        "/" = mkImageMediaOverride {
          device = "/dev/image";
          grows = true;
        };
      }
    ];
    only-device = merged (types.attrsOf host) [
      {
        "/".device = "/dev/hardware";
        "/".grows = true;
      }
      { "/".device = mkImageMediaOverride "/dev/image"; }
    ];
    unknown = merged (types.attrsOf host) [ { "/".devise = "/dev/a"; } ];
    freeform = merged (types.submodule {
      freeformType = types.attrsOf types.int;
      options.known = mkOption {
        type = types.str;
        default = "k";
      };
    }) [ { other = 5; } ];
    # What the submodule itself defines comes first, and what was declared last before that.
    with-lists = merged (types.attrsOf host) [
      {
        "/".grows = true;
        "/".options = [ "noatime" ];
      }
      { "/".options = [ "subvol=root" ]; }
    ];
    lists-of-two = configOf [
      { options.value = mkOption { type = types.attrsOf host; }; }
      {
        options.value = mkOption {
          type = types.attrsOf (
            types.submodule ({ config, ... }: { config = mkIf config.grows { options = [ "nofail" ]; }; })
          );
        };
      }
      {
        value."/" = mkImageMediaOverride {
          grows = true;
          options = [ "compress=zstd" ];
        };
      }
      { value."/".options = [ "noatime" ]; }
    ];
    with-a-condition = merged (types.attrsOf host) [
      {
        "/".grows = true;
        "/".options = mkIf false [ "compress=zstd" ];
      }
    ];
    defaults-of-parts = merged (types.attrsOf host) [ { "/home" = { }; } ];
    declared-twice = configOf [
      { options.value = mkOption { type = types.attrsOf host; }; }
      {
        options.value = mkOption {
          type = types.attrsOf (
            types.submodule (
              { config, ... }:
              {
                options.neededForBoot = mkOption {
                  type = types.bool;
                  default = config.name == "/";
                };
              }
            )
          );
        };
      }
      { value."/" = { }; }
    ];
  };

  modules = {
    unknown = configOf [
      (option types.int)
      {
        value = 1;
        valeu = 2;
      }
    ];
    no-value = configOf [ (option types.int) ];
    unsupported = configOf [
      (option types.int)
      {
        config.value = 1;
        other = 2;
      }
    ];
    declared-twice = configOf [
      {
        options.value = mkOption {
          type = types.int;
          default = 1;
        };
      }
      {
        options.value = mkOption {
          type = types.int;
          default = 1;
        };
      }
    ];
    declared-in-parts = configOf [
      (option types.int)
      { options.value = mkOption { default = 4; }; }
    ];
    read-only = configOf [
      {
        options.value = mkOption {
          type = types.int;
          readOnly = true;
          default = 1;
        };
      }
      { value = 2; }
    ];
    read-only-once = configOf [
      {
        options.value = mkOption {
          type = types.int;
          readOnly = true;
        };
      }
      { value = 2; }
    ];
    apply = configOf [
      {
        options.value = mkOption {
          type = types.int;
          apply = number: number * 2;
        };
      }
      { value = 2; }
    ];
    keyed = configOf (
      let
        once = {
          key = "once";
          options.value = mkOption { type = types.listOf types.int; };
          config.value = [ 1 ];
        };
      in
      [
        { imports = [ once ]; }
        once
      ]
    );
    disabled = configOf [
      (option types.int)
      {
        disabledModules = [ { key = "other"; } ];
        value = 1;
      }
      {
        key = "other";
        value = 2;
      }
    ];
    arguments = configOf [
      (option types.int)
      ({ given, ... }: { value = given; })
      { _module.args.given = 9; }
    ];
    special =
      tried
        (lib.evalModules {
          specialArgs.given = [ (option types.int) ];
          modules = [
            ({ given, ... }: { imports = given; })
            { value = 3; }
          ];
        }).config;
    extended =
      let
        base = lib.evalModules {
          modules = [
            (option types.int)
            { value = mkDefault 1; }
          ];
        };
      in
      tried [
        base.config.value
        (base.extendModules { modules = [ { value = 2; } ]; }).config.value
      ];
    deferred = tried (
      (lib.evalModules {
        modules = [
          { options.variants = mkOption { type = types.attrsOf types.deferredModule; }; }
          { options.made = mkOption { type = types.anything; }; }
          { variants.a.value = [ 1 ]; }
          { variants.a = { given, ... }: { value = [ given ]; }; }
          (
            { config, ... }:
            {
              made = lib.mapAttrs (
                _: module:
                (lib.evalModules {
                  specialArgs.given = 2;
                  modules = [
                    (option (types.listOf types.int))
                    module
                  ];
                }).config.value
              ) config.variants;
            }
          )
        ];
      }).config.made
    );
    renamed = configOf [
        (option types.str)
        {
          options.warnings = mkOption {
            type = types.listOf types.str;
            default = [ ];
            apply = builtins.length;
          };
        }
        (lib.mkRenamedOptionModule [ "old" "name" ] [ "value" ])
        { old.name = mkForce "new"; }
        { value = "plain"; }
      ];
    options = tried (
      let
        evaluated = lib.evalModules {
          modules = [
            { options.a.b = mkOption { type = types.int; default = 1; }; }
            { options.a.c = mkOption { type = types.int; }; }
            { a.b = mkImageMediaOverride 2; }
          ];
        };
        inherit (evaluated.options) a;
      in
      {
        inherit (a.b) highestPrio isDefined definitions loc;
        without = a.c.isDefined;
      }
    );
  };
}
