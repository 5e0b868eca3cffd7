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
  # $out is the tree of the only file system.
  asTree,
  # The output that is $out, or null when $out is a folder of them.
  file,
  flags,
  # What Hydra offers for download: kind = file.
  hydra,
  prepare,
  finish,
  nativeBuildInputs,
  # What there is beside $out, which `finish` makes.
  outputs,
  passthru,
  meta,
}:
let
  inherit (buildPkgs) lib;
  words =
    flags
    ++ lib.concatMap (part: [ "--only" part ]) only
    ++ lib.concatMap (segment: [ "--reuse" "${segment}" ]) segments;
  build = ''
    kiln build kiln.json --out "$out" "''${kilnFlags[@]}" 2>&1 | cat
  '';
  offer = ''
    if [ ''${#products[@]} -gt 0 ]; then
      mkdir "$out/nix-support"
      for product in "''${products[@]}"; do
        printf '%s\n' "''${product% *} $out/''${product##* }" >> "$out/nix-support/hydra-build-products"
      done
    fi
    ${finish}
  '';
  # $out is the image: renamed beside itself where that is allowed, copied otherwise.
  rename = ''
    if mv "$out" "$out.folder" 2> /dev/null; then
      mv "$out.folder/"${lib.escapeShellArg file} "$out"
      rm -r "$out.folder"
    else
      cp --sparse=always "$out/"${lib.escapeShellArg file} image
      rm -r "$out"
      cp --sparse=always image "$out"
    fi
  '';
  # $out is a tree. Nothing else of the store is ours to make something in, so it grows in $out, and moves up: a folder that
  # changes its place is written to.
  moveUp = ''
    kiln tree kiln.json --owners mine --out "$out/.kiln-tree" "''${kilnFlags[@]}" 2>&1 | cat
    (
    shopt -s nullglob dotglob
    chmod u+w "$out/.kiln-tree"
    for entry in "$out/.kiln-tree/"*; do
      if [ -d "$entry" ] && [ ! -L "$entry" ]; then chmod u+w "$entry"; fi
      mv "$entry" "$out/"
    done
    rmdir "$out/.kiln-tree"
    )
    ${finish}
  '';
in
buildPkgs.stdenvNoCC.mkDerivation (
  {
    inherit
      name
      outputs
      passthru
      meta
      ;
    __structuredAttrs = true;
    # An image holds its closure; it does not refer to it.
    unsafeDiscardReferences = lib.genAttrs outputs (_: true);
    nativeBuildInputs = [ kiln ] ++ nativeBuildInputs;
    specification = builtins.toJSON specification;
    kilnFlags = words;
    products = lib.mapAttrsToList (kind: file: "file ${kind} ${file}") hydra;

    buildCommand = ''
      # Relative paths in the specification start here, where Nix has put the closure's references too.
      cd "$NIX_BUILD_TOP"
      printf '%s\n' "$specification" > kiln.json
      [ -e .attrs.json ] || ln -s "$NIX_ATTRS_JSON_FILE" .attrs.json
    ''
    + lib.optionalString (prepare != "") ''
      # Whatever the user's commands set, or how they end: nothing of it is left behind but files.
      (
      shopt -s nullglob inherit_errexit
      set -o pipefail
      ${prepare}
      )
    ''
    + ''
      if [ "''${NIX_BUILD_CORES:-0}" != 0 ]; then kilnFlags+=(--jobs "$NIX_BUILD_CORES"); fi
      mkdir -p "$out"
      # What nixpkgs' stdenv says where nobody has said a time is no time of anything.
      if [ "''${SOURCE_DATE_EPOCH:-}" = 315532800 ]; then unset SOURCE_DATE_EPOCH; fi
      # A log has no use for a bar of progress, which a terminal gets.
      set -o pipefail
    ''
    + (
      if asTree then
        moveUp
      else if file == null then
        build + offer
      else
        build + rename
    );
  }
  // lib.optionalAttrs (roots != [ ]) { exportReferencesGraph.closure = map (root: "${root}") roots; }
)
