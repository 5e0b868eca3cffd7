# The image of sdImage's options: its specification, and the derivations that make it.
#
#   storePaths, populate…Commands ──► disk ──► $out/sd-image/NAME.img.zst                 one step, all of it checked
#                           root ──► preBuildCommands ──► disk ──► …                      the root is made before
#                                       disk ──► postBuildCommands ──► …                  the image is written once more
{
  config,
  lib,
  pkgs,
}:
let
  cfg = config.sdImage;
  inherit (config.kiln) buildPkgs loaders firmware;
  images = config.kiln.lib;
  bills = import ./sbom.nix { inherit config lib; };
  media = import ./media.nix { inherit lib; };
  extlinux = import ./extlinux.nix { inherit config lib; };
  commandsOf = import ./sd-image-commands.nix { inherit config lib; };
  fill = {
    firmware = commandsOf "firmware" cfg.populateFirmwareCommands;
    root = commandsOf "files" cfg.populateRootCommands;
  };
  # Without commands, the menu is where U-Boot looks for it.
  rootMenu =
    if cfg.populateRootCommands == "" && config.boot.loader.generic-extlinux-compatible.enable then
      "/boot"
    else
      fill.root.menu;
  menu = at: lib.optionalAttrs (at != null) { extlinux = extlinux // { inherit at; }; };
  mebibytes = count: "${toString count}MiB";

  # What makes the root, and what that will be. nixpkgs' own files have the same names.
  creators = {
    btrfs = ../drop-ins/make-btrfs-fs.nix;
    ext4 = ../drop-ins/make-ext4-fs.nix;
  };
  creator = toString cfg.rootFilesystemCreator;
  isKilns = lib.elem creator (map toString (builtins.attrValues creators));
  rootFormat = lib.findFirst (format: lib.hasSuffix "/make-${format}-fs.nix" creator) config.kiln.rootFormat (
    builtins.attrNames creators
  );
  rootKeys =
    if isKilns then import ./root.nix { inherit config lib; } rootFormat else { format = rootFormat; };

  layout = menus: {
    fs.firmware = {
      format = "fat";
      label = cfg.firmwarePartitionName;
      id = lib.removePrefix "0x" cfg.firmwarePartitionID;
      size = mebibytes cfg.firmwareSize;
      tree = "firmware";
      follow-links = true;
      files = firmware;
    }
    // menu menus.firmware;
    fs.root = rootKeys // {
      label = cfg.rootVolumeLabel;
      uuid =
        if cfg.rootPartitionUUID == null then
          "44444444-4444-4444-8888-888888888888"
        else
          cfg.rootPartitionUUID;
      closure = true;
      database = true;
      registration = "/nix-path-registration";
      tree = "files";
      keep = [ "modes" ];
    }
    // menu menus.root;
    disk = {
      table = "mbr";
      signature = cfg.firmwarePartitionID;
      region = loaders ++ [
        {
          name = "firmware";
          type = "0x0b";
          offset = mebibytes cfg.firmwarePartitionOffset;
          content = "fs.firmware";
        }
        {
          name = "root";
          type = "0x83";
          bootable = true;
          content = "fs.root";
        }
      ];
    };
  };
  withMenus = menus: lib.recursiveUpdate (layout menus) config.kiln.specification;
  specification = withMenus {
    firmware = fill.firmware.menu;
    root = rootMenu;
  };
  # What the system is told of it. Which menus there are follows from commands, and those from the system.
  known = withMenus {
    firmware = null;
    root = null;
  };
  inherit (specification) disk;
  compress = disk.compress or (if cfg.compressImage then "zstd" else null);
  name = import ./names.nix { inherit config lib; } {
    inherit compress;
    file = disk.file or null;
    folder = "sd-image/";
  };

  # As nixpkgs' sdImage has them for its commands.
  tools = lib.optionals (cfg.preBuildCommands != "" || cfg.postBuildCommands != "") [
    buildPkgs.dosfstools
    (if specification.fs.root.format == "btrfs" then buildPkgs.btrfs-progs else buildPkgs.e2fsprogs)
    buildPkgs.libfaketime
    buildPkgs.mtools
    buildPkgs.util-linux
    buildPkgs.zstd
  ];
  variables = img: ''
    cd "$NIX_BUILD_TOP"
    export img=${img}
    compressImage=${lib.optionalString cfg.compressImage "1"}
    mkdir -p firmware files
  '';
  fillRoot = ''
    ( mkdir -p ./files
    ${fill.root.commands}
    )
  '';
  fillFirmware = ''
    ${fill.firmware.commands}
    cd "$NIX_BUILD_TOP"
  '';

  # The root as Kiln plans it, alone.
  planned = images.mkImages (
    specification
    // {
      name = config.image.baseName;
      closure = cfg.storePaths;
      inherit (config.system.build) toplevel;
      only = [ "fs.root" ];
      prepare = variables "" + fillRoot + specification.prepare or "";
      passthru.filePath = rootFile;
    }
  );
  rootFile = specification.fs.root.file or "root.${specification.fs.root.format}";
  root =
    if isKilns then
      planned // { isPlanned = true; }
    else
      buildPkgs.callPackage cfg.rootFilesystemCreator (
        {
          inherit (cfg) storePaths compressImage;
          # Kiln makes no menu in it.
          populateImageCommands = cfg.populateRootCommands;
          volumeLabel = cfg.rootVolumeLabel;
        }
        // lib.optionalAttrs (cfg.rootPartitionUUID != null) { uuid = cfg.rootPartitionUUID; }
      );
  isPlanned = cfg.rootFilesystemImage.isPlanned or false;
  # Whether the root is a file that was made before.
  isApart = !isPlanned || cfg.preBuildCommands != "";

  # Makes root-fs.img of it: a link, or a copy where it is compressed or shall be changed.
  fetchRoot = ''
    root_fs=${cfg.rootFilesystemImage}
    if [ -d "$root_fs" ]; then root_fs=$root_fs/${cfg.rootFilesystemImage.filePath or rootFile}; fi
    if [ "$(od -A n -t x1 -N 4 "$root_fs")" = " 28 b5 2f fd" ]; then
      ${buildPkgs.zstd}/bin/zstd -q -d "$root_fs" -o root-fs.img
    else
      ${
        if cfg.preBuildCommands == "" then
          ''ln -s "$root_fs" root-fs.img''
        else
          ''cp --sparse=always "$root_fs" root-fs.img''
      }
    fi
    root_fs=./root-fs.img
  ''
  + lib.optionalString (cfg.preBuildCommands != "") ''
    chmod u+w "$root_fs"
    ${cfg.preBuildCommands}
    cd "$NIX_BUILD_TOP"
    if ! [ "$root_fs" -ef root-fs.img ]; then ln -sf "$(realpath "$root_fs")" root-fs.img; fi
  '';

  regions = map (
    region:
    if isApart && region.content or null == "fs.root" then
      removeAttrs region [ "content" ] // { raw = "root-fs.img"; }
    else
      region
  ) disk.region;

  passthru = specification.passthru or { } // {
    inherit config;
    inherit (config.image) filePath;
  };
  # Outputs lie in a folder of their own, beside what Hydra is told.
  finish = ''
    mkdir -p "$out/sd-image" "$out/nix-support"
    mv "$out"/${lib.escapeShellArg name.file}* "$out/sd-image/"
    for bill in "$out"/*.cdx.json "$out"/*.spdx.json; do
      if [ -e "$bill" ]; then mv "$bill" "$out/sd-image/"; fi
    done
    echo "the image is now $out/"${lib.escapeShellArg config.image.filePath}
    echo "file sd-image $out/sd-image/"${lib.escapeShellArg config.image.fileName} > "$out/nix-support/hydra-build-products"
    echo ${buildPkgs.stdenv.hostPlatform.system} > "$out/nix-support/system"
  '';
  img = lib.escapeShellArg name.file;

  first =
    more: compress:
    images.mkDiskImage (
      bills specification
      // {
        name = config.image.baseName;
        closure = cfg.storePaths;
        inherit (config.system.build) toplevel;
        hydra = { };
        nativeBuildInputs = tools ++ specification.nativeBuildInputs or [ ];
        fs = if isApart then removeAttrs specification.fs [ "root" ] else specification.fs;
        disk =
          removeAttrs disk [ "compress" ]
          // {
            inherit (name) file;
            region = regions;
          }
          // lib.optionalAttrs (compress != null) { inherit compress; };
        prepare =
          variables ''"$out/sd-image/"${img}''
          + (if isApart then fetchRoot else fillRoot)
          + fillFirmware
          + specification.prepare or "";
        inherit passthru;
      }
      // more
    );

  # As it is before postBuildCommands.
  withoutCommands = first { } null;
  # Kiln writes it once more, as one region: compressed, and with holes where there are zeros.
  withCommands = images.mkImages {
    name = config.image.baseName;
    only = [ "disk" ];
    nativeBuildInputs = tools;
    prepare = ''
      ${variables ''"$NIX_BUILD_TOP/"${img}''}
      cp --sparse=always ${withoutCommands}/${img} "$img"
      chmod u+w "$img"
      echo "sdImage.postBuildCommands: checks end here, nothing looks at what these commands write into the image"
      ${cfg.postBuildCommands}
      cd "$NIX_BUILD_TOP"
    '';
    disk = {
      table = "none";
      inherit (name) file;
      region = [
        {
          name = "image";
          raw = name.file;
          offset = "0B";
        }
      ];
    }
    // builtins.intersectAttrs {
      bmap = null;
      compress-level = null;
    } disk
    // lib.optionalAttrs (compress != null) { inherit compress; };
    inherit finish;
    passthru = passthru // {
      inherit withoutCommands;
    };
  };

  wrong = import ./checks.nix { inherit lib; } {
    inherit specification;
    wayOut = "raise sdImage.firmwarePartitionOffset, or change their offsets in kiln.loaders";
  };
  checks = name.assertions ++ wrong ++ [
    {
      assertion = isPlanned || !(config.kiln.specification.fs or { } ? root);
      message =
        "kiln.specification.fs.root means nothing here: the root is what sdImage.rootFilesystemImage or rootFilesystemCreator makes";
    }
  ];
  failed = builtins.filter (check: !check.assertion) checks;
in
{
  inherit creators name root;
  image =
    if failed != [ ] then
      throw (lib.concatMapStrings (check: "\n- ${check.message}") failed)
    else if cfg.postBuildCommands == "" then
      first { inherit finish; } compress
    else
      withCommands;
  specification = known;
  mounts = lib.genAttrs [ "firmware" "root" ] (
    part:
    media.mount {
      specification = known;
      inherit part;
      preferred = "label";
    }
  );
}
