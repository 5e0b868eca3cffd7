# What makes derivations: attributes become variables, $out is what is to be made, and what is in nativeBuildInputs is on
# PATH. They ask for the system of the machine that builds.
{
  lib,
  self,
  buildPlatform,
  hostPlatform,
}:
let
  # The machine that builds has its own tools.
  inherit (self.buildPackages) bash coreutils;

  mkDerivation =
    given:
    let
      attributes = if builtins.isFunction given then lib.fix given else given;
      name = attributes.name or "${attributes.pname}-${attributes.version}";
      derivation = builtins.derivation (
        removeAttrs attributes [
          "meta"
          "passthru"
        ]
        // {
          inherit name;
          inherit (buildPlatform) system;
          builder = "${bash}/bin/bash";
          args = [
            "-e"
            ./builder.sh
          ];
          initialPath = [ coreutils ];
          nativeBuildInputs = attributes.nativeBuildInputs or [ ];
        }
      );
    in
    derivation
    // {
      inherit name;
      passthru = attributes.passthru or { };
      meta = attributes.meta or { };
      overrideAttrs =
        change:
        mkDerivation (
          attributes // (if builtins.isFunction change then change attributes else change)
        );
    }
    // lib.optionalAttrs (attributes ? version) { inherit (attributes) version; }
    // attributes.passthru or { };
in
{
  inherit buildPlatform hostPlatform mkDerivation;
  inherit (buildPlatform) system;
  targetPlatform = hostPlatform;
  isLinux = true;
}
