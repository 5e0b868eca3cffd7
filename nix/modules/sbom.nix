# A specification with the bills of materials that kiln.sbom asks for.
{ config, lib }:
specification:
let
  inherit (config.kiln.sbom) formats packages;
in
specification
// lib.optionalAttrs (formats != [ ] || specification ? sbom) {
  sbom = {
    inherit formats packages;
  }
  // specification.sbom or { };
}
