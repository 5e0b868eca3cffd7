# One derivation that runs `kiln build`. It needs no feature of Nix that is experimental, nothing of the builder but its
# file system, and nothing is evaluated that has to be built first.
{
  # The package set that runs it.
  buildPkgs,
  kiln,
  name,
  # Kiln's keys, as a Nix value.
  specification,
  # The store paths whose closure is the specification's.
  roots,
  only,
  # Folders of compressed segments.
  segments,
  # The output that is $out, or null when $out is a folder of them.
  file,
  flags,
  # What Hydra offers for download: kind = file.
  hydra,
  prepare,
  nativeBuildInputs,
  passthru,
  meta,
}:
let
  inherit (buildPkgs) lib;
  words =
    flags
    ++ lib.concatMap (part: [ "--only" part ]) only
    ++ lib.concatMap (segment: [ "--reuse" "${segment}" ]) segments;
in
buildPkgs.stdenvNoCC.mkDerivation (
  {
    inherit name passthru meta;
    __structuredAttrs = true;
    # An image holds its closure; it does not refer to it.
    unsafeDiscardReferences.out = true;
    nativeBuildInputs = [ kiln ] ++ nativeBuildInputs;
    specification = builtins.toJSON specification;
    kilnFlags = words;
    products = lib.mapAttrsToList (kind: file: "file ${kind} ${file}") hydra;

    buildCommand = ''
      # Relative paths in the specification start here, where Nix has put the closure's references too.
      cd "$NIX_BUILD_TOP"
      printf '%s\n' "$specification" > kiln.json
      [ -e .attrs.json ] || ln -s "$NIX_ATTRS_JSON_FILE" .attrs.json
      ${prepare}
      cd "$NIX_BUILD_TOP"
      if [ "''${NIX_BUILD_CORES:-0}" != 0 ]; then kilnFlags+=(--jobs "$NIX_BUILD_CORES"); fi
      mkdir "$out"
      # A log has no use for a bar of progress, which a terminal gets.
      set -o pipefail
      kiln build kiln.json --out "$out" "''${kilnFlags[@]}" 2>&1 | cat
    ''
    + (
      if file == null then
        ''
          if [ ''${#products[@]} -gt 0 ]; then
            mkdir "$out/nix-support"
            for product in "''${products[@]}"; do
              printf '%s\n' "''${product% *} $out/''${product##* }" >> "$out/nix-support/hydra-build-products"
            done
          fi
        ''
      else
        ''
          # $out is the image: renamed beside itself where that is allowed, copied otherwise.
          if mv "$out" "$out.folder" 2> /dev/null; then
            mv "$out.folder/"${lib.escapeShellArg file} "$out"
            rm -r "$out.folder"
          else
            cp --sparse=always "$out/"${lib.escapeShellArg file} image
            rm -r "$out"
            cp --sparse=always image "$out"
          fi
        ''
    );
  }
  // lib.optionalAttrs (roots != [ ]) { exportReferencesGraph.closure = map (root: "${root}") roots; }
)
