# A fleet: a hundred machines, each with an image of its own, that share most of their closures.
#
#   nix-build nix/examples/fleet.nix -A lists --no-out-link      which segments there are
#   nix-build nix/examples/fleet.nix -A images                   the images; each segment is compressed once
#   nix-instantiate --eval --strict nix/examples/fleet.nix -A compressions
#
# `segments = true` is the only difference to images that are built one by one. The lists need not be built first: Nix
# builds what it needs of them while it evaluates, but then one after the other.
{
  pkgs ? import <nixpkgs> { },
  kilnImages ? import ../lib { inherit pkgs; },
  count ? 100,
  # How many small packages every machine has.
  libraries ? 60,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    elemAt
    genList
    length
    listToAttrs
    ;

  # Packages with text in them: small ones share a segment, large ones have one of their own.
  package =
    lines: name:
    pkgs.runCommand name { } ''
      mkdir -p "$out/share"
      seq -f '${name} %g' ${toString lines} > "$out/share/${name}"
    '';
  small = package 500;
  large = package 120000;

  # What every machine has, and what it has for its role.
  base =
    map (number: small "lib${toString number}-1.0") (genList (number: number + 1) libraries)
    ++ map large [
      "browser"
      "database"
      "kernel"
      "libc"
      "python"
      "shell"
      "systemd"
      "tools"
    ];
  roles = map large [
    "camera"
    "gateway"
    "kiosk"
    "meter"
  ];

  # A machine's system refers to everything in it.
  system =
    number:
    pkgs.runCommand "system-${toString number}" { } ''
      mkdir -p "$out/sw"
      echo 'machine-${toString number}' > "$out/hostname"
      for package in ${toString base} ${elemAt roles (number - number / 4 * 4)}; do
        ln -s "$package" "$out/sw/''${package#*-}"
      done
    '';

  systems = genList system count;

  image =
    segments: number:
    kilnImages.mkSquashfs {
      name = "machine-${toString number}";
      closure = [ (elemAt systems number) ];
      inherit segments;
    };
  images = genList (image true) count;

  derivation = segment: builtins.unsafeDiscardStringContext segment.drvPath;
  segments = concatMap (image: map derivation image.segments) images;
in
{
  lists = map (system: kilnImages.mkSegmentList { closure = [ system ]; }) systems;
  inherit images;
  # The same images, each of which compresses everything itself.
  alone = genList (image false) count;
  compressions = {
    images = length images;
    # What all images are made of, counted in each of them.
    segments = length segments;
    # What is compressed: each segment once.
    compressed = length (
      attrNames (
        listToAttrs (
          map (name: {
            inherit name;
            value = null;
          }) segments
        )
      )
    );
  };
}
