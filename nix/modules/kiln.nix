# The options that all of Kiln's modules share: which Kiln makes the image, and which machine runs it.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) literalExpression mkOption types;
  cfg = config.kiln;
in
{
  options.kiln = {
    buildSystem = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "x86_64-linux";
      description = ''
        The system that makes the image, as Nix calls it, when it is another one than the configuration's. The image of
        an aarch64 configuration is then made on x86-64, without emulation and without a builder of its own, when its
        closure comes from a cache.
      '';
    };
    buildPkgs = mkOption {
      type = types.raw;
      default =
        if cfg.buildSystem == null then
          pkgs.buildPackages
        else
          import pkgs.path {
            system = cfg.buildSystem;
            config = { };
            overlays = [ ];
          };
      defaultText = literalExpression ''
        if config.kiln.buildSystem == null then
          pkgs.buildPackages
        else
          import pkgs.path { system = config.kiln.buildSystem; }
      '';
      example = literalExpression "nixpkgs.legacyPackages.x86_64-linux";
      description = "The package set that runs Kiln: its system, its shell and its Kiln make the image.";
    };
    package = mkOption {
      type = types.nullOr types.package;
      default = null;
      description = "The Kiln that makes the image; the flake's, built for `kiln.buildPkgs`, when null.";
    };
    lib = mkOption {
      type = types.raw;
      readOnly = true;
      default = import ../lib (
        {
          inherit pkgs;
          inherit (cfg) buildPkgs;
        }
        // lib.optionalAttrs (cfg.package != null) { kiln = cfg.package; }
      );
      defaultText = literalExpression ''
        import "''${kiln}/nix/lib" {
          inherit pkgs;
          inherit (config.kiln) buildPkgs;
        }
      '';
      description = "Kiln's functions, as the modules use them: for this system, run by `kiln.buildPkgs`.";
    };
  };
}
