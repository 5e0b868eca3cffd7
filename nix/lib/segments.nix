# Compressed segments as derivations: one for each, which all images share that have it, or one for a whole closure.
# docs/guide-nix.md shows how they are used.
# `buildPkgs` is the package set that runs them.
{ buildPkgs, kiln }:
let
  inherit (buildPkgs) lib;

  # The file system that has the segments; a squashfs when nobody says so.
  kind = format: lib.optionals (format != "squashfs") (option "format" format);

  option = name: value: lib.optionals (value != null) [ "--${name}" (toString value) ];

  # A derivation that runs `kiln segments` with these words, and sees the closure of these store paths.
  run =
    name: paths: words: more:
    buildPkgs.stdenvNoCC.mkDerivation (
      {
        inherit name words;
        __structuredAttrs = true;
        nativeBuildInputs = [ kiln ];
        exportReferencesGraph.closure = map (path: "${path}") paths;
      }
      // more
      // {
        buildCommand = ''
          cd "$NIX_BUILD_TOP"
          closure=.attrs.json
          [ -e "$closure" ] || closure=$NIX_ATTRS_JSON_FILE
          if [ "''${NIX_BUILD_CORES:-0}" != 0 ]; then words+=(--jobs "$NIX_BUILD_CORES"); fi
          set -o pipefail
          ${more.buildCommand}
        '';
      }
    );

  # What each segment of a closure is made of. It refers to all store paths that it names, so they are here when it is.
  mkSegmentList =
    {
      closure,
      # "squashfs", "btrfs" or "erofs".
      format ? "squashfs",
      # A squashfs's.
      block-size ? if format == "squashfs" then "1MiB" else null,
      # An erofs's.
      cluster-size ? null,
    }:
    run "segments.json" closure (kind format ++ option "block-size" block-size ++ option "cluster-size" cluster-size) {
      preferLocalBuild = true;
      buildCommand = ''kiln segments list --json --closure "$closure" "''${words[@]}" > "$out"'';
    };

  mkSegments =
    {
      # The store paths whose closure is packed.
      closure,
      # The file system that it is packed into: "squashfs", "btrfs" or "erofs".
      format ? "squashfs",
      # How that is compressed: keys of [fs.NAME].
      compression ? "zstd",
      level ? null,
      block-size ? if format == "squashfs" then "1MiB" else null,
      # An erofs's.
      cluster-size ? null,
      # Whether it is an erofs of the profile modern.
      modern ? false,
      # The specification's: "dev" or "release".
      profile ? null,
      # One derivation for all of them, so that nothing is imported from a derivation.
      whole ? false,
    }:
    let
      make =
        name: paths: words: passthru:
        run name paths
          (
            words
            ++ kind format
            ++ option "compression" compression
            ++ option "level" level
            ++ option "block-size" block-size
            ++ option "cluster-size" cluster-size
            ++ lib.optional modern "--modern"
            ++ option "profile" profile
          )
          {
            inherit passthru;
            # Compressed bytes that look like a store path refer to nothing.
            unsafeDiscardReferences.out = true;
            buildCommand = ''kiln segments make --closure "$closure" --out "$out" "''${words[@]}" 2>&1 | cat'';
          };

      list = mkSegmentList { inherit closure format block-size cluster-size; };
      listed = builtins.fromJSON (builtins.unsafeDiscardStringContext (builtins.readFile list));

      # A store path that is here, as a string that depends on it.
      stored = path: builtins.appendContext path { ${path}.path = true; };

      segment =
        { paths, originals, ... }@entry:
        let
          here = map stored paths;
          held = map stored originals;
          # Without the store's folder and the hash.
          first = builtins.substring 44 200 (builtins.head paths);
        in
        make "segment-${first}" (here ++ held) (
          lib.concatMap (option "path") here ++ lib.concatMap (option "original") held
        ) { segment = entry; };
    in
    if whole then [ (make "segments" closure [ ] { }) ] else map segment listed.segments;
in
{
  inherit mkSegmentList mkSegments;
}
