# The functions that make images, for one package set. docs/guide-nix.md shows how they are used.
#
# Two machines have a part in it. `pkgs` is the set of the target, whose system is in the image. `buildPkgs` is that of the
# builder: its system, its shell and its Kiln run. An image of an aarch64 system whose closure is built, or in a cache, needs
# no aarch64 machine: say `buildPkgs = nixpkgs.legacyPackages.x86_64-linux`.
#
# Each takes Kiln's own keys (docs/specification.md), as a Nix value, and a few of its own:
#
#   name        what the derivation is called, and the specification, from which ids derive unless there is a seed;
#               {version} and {series} in it are replaced
#   closure     the store paths whose closure is packed: packages, or a [closure] with keys of Kiln's
#   closureCheck
#               "sizes": store paths are not hashed, since Nix vouches for what its sandbox has; "full" when not given
#   toplevel    the system among them; the only path of `closure` when there is just one
#   prepare     shell that runs first, in the folder where relative paths of the specification start
#   finish      shell that runs last, when all outputs lie in $out
#   outputs     outputs of the derivation, `out` first; `finish` makes the others
#   only        parts that become outputs: "disk", "bundle", "fs.NAME", "script.NAME", "verity.NAME"; all when empty
#   file        an output's name: $out is then this file, and no folder
#   flags       more words for `kiln build`
#   segments    compressed segments that mkSegments has made, or true for those of each squashfs, btrfs and erofs of the closure
#   sbom        [sbom], and `packages` in it: those whose licences, homepages and CPEs are handed on, with all that they are
#               linked with; those of `closure` when not given
#   nativeBuildInputs, passthru, meta    as everywhere
{
  pkgs,
  buildPkgs ? pkgs.buildPackages,
  kiln ? buildPkgs.kiln-image-builder or (buildPkgs.callPackage ../package.nix { }),
}:
let
  inherit (pkgs) lib;
  inherit (builtins) mapAttrs removeAttrs replaceStrings;

  ours = [
    "asTree"
    "closure"
    "closureCheck"
    "file"
    "finish"
    "flags"
    "hydra"
    "meta"
    "name"
    "nativeBuildInputs"
    "only"
    "outputs"
    "passthru"
    "prepare"
    "segments"
    "specificationName"
    "toplevel"
  ];

  # The ending that compressing gives to a file.
  ending =
    keys:
    {
      zstd = ".zst";
      xz = ".xz";
      gzip = ".gz";
    }
    .${keys.compress or ""} or "";

  endsIn =
    end: text:
    let
      len = builtins.stringLength end;
    in
    builtins.substring (builtins.stringLength text - len) len text == end;

  # A package or store path alone is a list of one; other sets are a [closure] with keys.
  listed =
    closure:
    if builtins.isString closure || closure.type or "" == "derivation" then [ closure ] else closure;

  endings = {
    squashfs = "squashfs";
    fat = "vfat";
    ext4 = "ext4";
    btrfs = "btrfs";
    erofs = "erofs";
  };

  # What Kiln calls the output of a file system.
  fileOf = part: keys: (keys.file or "${part}.${endings.${keys.format}}") + ending keys;

  # Everything of a specification, or the parts of it that `only` names, in one derivation.
  mkImages =
    { name, ... }@args:
    let
      closure = listed (args.closure or [ ]);
      roots = if builtins.isList closure then closure else [ ];
      toplevel =
        if args ? toplevel then
          args.toplevel
        else if builtins.length roots == 1 then
          builtins.head roots
        else
          null;
      keys = removeAttrs args ours;
      # What evaluation knows of packages, as a file that Kiln reads.
      knowledge = builtins.toFile "sbom-meta.json" (
        sbomMeta (args.sbom.packages or (builtins.filter (root: root.type or "" == "derivation") roots))
      );
      specification = {
        schema = 1;
        name = args.specificationName or name;
      }
      // (
        if roots != [ ] then
          {
            closure = {
              from = ".attrs.json";
            }
            // (if toplevel == null then { } else { toplevel = "${toplevel}"; })
            // (if args ? closureCheck then { check = args.closureCheck; } else { });
          }
        else if builtins.isList closure then
          { }
        else
          { inherit closure; }
      )
      // keys
      // lib.optionalAttrs (args ? sbom) {
        sbom = removeAttrs args.sbom [ "packages" ] // {
          meta = args.sbom.meta or [ ] ++ [ "${knowledge}" ];
        };
      };
      # A folder of outputs has the bills of materials, too.
      hasBills = args ? sbom && args.only or [ ] != [ ] && args.file or null == null;
      only = args.only or [ ] ++ lib.optional (hasBills && !(builtins.elem "sbom" args.only)) "sbom";
      # Those of one file system that packs the store.
      segmentsOf =
        fs:
        let
          packs = fs.closure or false || fs.layout or "fhs" != "fhs";
          kind = fs.compression or (if fs.format == "squashfs" then "zstd" else "none");
          # Its segments hold equal files once, and others are not made here.
          shares = fs.deduplicate or true;
        in
        lib.optionals (builtins.elem fs.format [ "squashfs" "btrfs" "erofs" ] && packs && kind != "none" && shares) (
          if roots == [ ] then
            throw "${name}: segments = true needs closure = [ … ], a list of packages"
          else
            mkSegments (
              lib.filterAttrs (key: _: builtins.elem key [ "format" "compression" "level" "block-size" "cluster-size" ]) fs
              // lib.optionalAttrs (fs.format == "erofs") { modern = fs.profile or "portable" == "modern"; }
              // lib.optionalAttrs (args ? profile) { inherit (args) profile; }
              // {
                closure = roots;
              }
            )
        );
      wanted = args.segments or false;
      segments =
        if wanted == true then
          lib.concatMap segmentsOf (builtins.attrValues (specification.fs or { }))
        else if wanted == false then
          [ ]
        else
          wanted;
      alone = part: mkImages (removeAttrs args [ "asTree" "file" "finish" "hydra" "outputs" "passthru" "sbom" ] // { only = [ part ]; });
      named = kind: mapAttrs (key: _: alone "${kind}.${key}") (specification.${kind} or { });
    in
    import ./build.nix {
      inherit
        buildPkgs
        kiln
        roots
        segments
        specification
        only
        ;
      name = replaceStrings [ "{" "}" ] [ "" "" ] name;
      file = args.file or null;
      asTree = args.asTree or false;
      flags = args.flags or [ ];
      hydra = args.hydra or { };
      meta = args.meta or { };
      nativeBuildInputs = args.nativeBuildInputs or [ ];
      outputs = args.outputs or [ "out" ];
      prepare = args.prepare or "";
      finish = args.finish or "";
      passthru = {
        inherit segments specification;
        # Each part alone, with the bytes that it has in the whole.
        parts = {
          fs = named "fs";
          script = named "script";
          verity = named "verity";
        };
      }
      // args.passthru or { };
    };

  # Segments of a squashfs, a btrfs or an erofs of `closure`, each in a derivation of its own, so that images which share store paths share
  # the work. Images take them from `segments`. Which there are is imported from mkSegmentList.
  inherit (import ./segments.nix { inherit buildPkgs kiln; }) mkSegmentList mkSegments;

  # A disk. Its output is the image; the parts in it are under `parts`, and `only = [ ]` makes them outputs too.
  mkDiskImage =
    { name, disk, ... }@args:
    let
      known = builtins.match ".*[{].*" name == null;
      file = (disk.file or "${name}.img") + ending disk;
    in
    mkImages (
      {
        only = [ "disk" ];
        hydra = if disk ? file || known then { disk-image = file; } else { };
      }
      // args
      // {
        passthru = (if disk ? file || known then { filePath = file; } else { }) // args.passthru or { };
      }
    );

  # One file system: keys of [fs.NAME] in place of those of a specification. `part` is its NAME there, which ids derive
  # from; `asFile = true` makes $out the image and no folder, whose name ends as `compress` demands.
  mkFileSystem =
    format: args:
    let
      asFile = args.asFile or false;
      # The name of a derivation that is a file is the file's, and says how that is compressed.
      called = args.name or part;
      name = if asFile && !(endsIn (ending keys) called) then called + ending keys else called;
      # A dot would part it from what {fs.NAME.id} asks of it.
      part = args.part or (replaceStrings [ "." ] [ "-" ] (args.name or "root"));
      keys = removeAttrs args (
        ours
        ++ [
          "asFile"
          "part"
          "seed"
        ]
      );
      fs = keys // {
        inherit format;
      }
      // lib.optionalAttrs (args ? file) { inherit (args) file; }
      # A layout has the closure of itself.
      // lib.optionalAttrs (closure != [ ] && !(args ? layout)) { closure = true; };
      closure = listed (args.closure or [ ]);
      made = fileOf part fs;
    in
    mkImages (
      {
        inherit name;
        # How the result is compressed, or called, is nothing that ids derive from.
        specificationName = part;
        fs.${part} = fs;
        only = [ "fs.${part}" ];
        hydra."${format}-image" = made;
      }
      // builtins.intersectAttrs (lib.genAttrs (ours ++ [ "seed" ]) (_: null)) (
        removeAttrs args [
          "file"
          "name"
        ]
      )
      // lib.optionalAttrs (args ? closure) { inherit closure; }
      // lib.optionalAttrs asFile { file = made; }
      // {
        # A path below $out, of which a file has none.
        passthru = lib.optionalAttrs (!asFile) { filePath = made; } // args.passthru or { };
      }
    );

  # A root as a folder, which is $out: keys of [fs.NAME] that all formats have. Of modes the store keeps whether a file can be
  # run, and it knows one owner, so what needs more is an error here, and no surprise there.
  mkTree =
    args:
    let
      name = args.name or "root";
      bad =
        problem:
        throw "mkTree: ${name}: ${problem}, which the store does not keep: mkBtrfs, mkErofs, mkExt4Fs and mkSquashfs do, and so does `kiln tree`";
      plain = [
        "0444"
        "0555"
        "0644"
        "0755"
        "444"
        "555"
        "644"
        "755"
      ];
      checked =
        rule:
        let
          others = removeAttrs rule [
            "directory-mode"
            "mode"
            "path"
          ];
          modes = lib.optional (rule ? mode) rule.mode ++ lib.optional (rule ? directory-mode) rule.directory-mode;
        in
        if others != { } then
          bad "${rule.path} has ${toString (builtins.attrNames others)}"
        else if builtins.all (mode: builtins.elem mode plain) modes then
          rule
        else
          bad "${rule.path} has the mode ${toString modes}";
      # mkFileSystem's, as far as they are about what is in it.
      made = mkFileSystem "squashfs" (
        args
        // {
          inherit name;
          part = args.part or (replaceStrings [ "." ] [ "-" ] name);
        }
        // lib.optionalAttrs (args ? attributes) { attributes = map checked args.attributes; }
      );
    in
    if args.nodes or { } != { } then
      bad "it has nodes"
    else
      mkImages (
        {
          inherit name;
          specificationName = made.specification.name;
          inherit (made.specification) fs;
          asTree = true;
        }
        // builtins.intersectAttrs (lib.genAttrs (ours ++ [ "seed" ]) (_: null)) (
          removeAttrs args [
            "file"
            "name"
            "only"
          ]
        )
      );

  # A boot script of U-Boot: `source`, `arch`, `substitute`, `time` as in [script.NAME]. $out has NAME.scr and NAME.cmd.
  mkBootScript =
    {
      source,
      arch ? "arm64",
      ...
    }@args:
    let
      part = args.part or "boot";
      keys = removeAttrs args (ours ++ [ "part" ]);
    in
    mkImages (
      {
        name = args.name or "${part}-script";
        script.${part} = keys // {
          inherit arch;
          source = "${source}";
        };
        only = [ "script.${part}" ];
        passthru = {
          filePath = keys.file or "${part}.scr";
        }
        // args.passthru or { };
      }
      // (if args ? closure then { inherit (args) closure; } else { })
    );

  # A RAUC bundle: a specification with [bundle]. Its key lies in the store when it is given as a path; `flags` may say
  # `--unsigned` instead, and `kiln bundle sign` signs elsewhere.
  mkRaucBundle =
    { name, bundle, ... }@args:
    let
      file = bundle.file or "${name}.raucb";
      unsigned = builtins.elem "--unsigned" (args.flags or [ ]);
    in
    mkImages (
      {
        only = [ "bundle" ];
        hydra = if unsigned then { } else { rauc-bundle = file; };
      }
      // args
      // {
        passthru = {
          filePath = if unsigned then "${file}.unsigned" else file;
        }
        // args.passthru or { };
      }
    );

  # What Nix knows of packages, as [sbom] takes it: a text.
  sbomMeta = import ./sbom.nix { inherit lib; };

  # A system that comes over a network: bzImage, initrd, netboot.ipxe, kexec-boot and kernel-params.
  mkNetboot = import ./netboot.nix { inherit mkImages; };

  # What nixpkgs' image.repart makes, as arguments of mkDiskImage.
  fromRepart = import ./repart.nix {
    inherit mkFileSystem;
    targetPkgs = pkgs;
  };
  # What disko makes of a disk, as arguments of mkDiskImage.
  fromDisko = import ./disko.nix { targetPkgs = pkgs; };
in
{
  inherit
    fromDisko
    fromRepart
    kiln
    mkBootScript
    mkDiskImage
    mkImages
    mkNetboot
    mkRaucBundle
    mkSegmentList
    mkSegments
    mkTree
    sbomMeta
    ;
  mkBtrfs = mkFileSystem "btrfs";
  mkErofs = mkFileSystem "erofs";
  mkExt4Fs = mkFileSystem "ext4";
  mkFat = mkFileSystem "fat";
  mkSquashfs = mkFileSystem "squashfs";
}
