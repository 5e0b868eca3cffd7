# Drop-ins, called with each argument that the originals have: what tests/e2e/nix_originals.rs asks and builds.
{
  atomicnix,
  images,
  key,
  nixosConfig,
  pkgs,
  sane,
  spl,
  toplevel,
}:
let
  inherit (pkgs) lib;
  ext4 = pkgs.callPackage ../../nix/drop-ins/make-ext4-fs.nix;
  squashfs = pkgs.callPackage ../../nix/drop-ins/make-squashfs.nix;
  bundle = pkgs.callPackage ../../nix/drop-ins/rauc-bundle.nix;
  boot-script = pkgs.callPackage ../../nix/drop-ins/boot-script.nix;

  # What an argument changes: the derivation's name and keys of its only file system; null for a key that goes.
  changes =
    function: usual: argument:
    let
      keys = result: builtins.head (builtins.attrValues result.specification.fs);
      before = function usual;
      after = function (usual // argument);
      names = builtins.attrNames (keys before // keys after);
      changed = builtins.filter (key: (keys before).${key} or null != (keys after).${key} or null) names;
    in
    lib.genAttrs changed (key: (keys after).${key} or null)
    // lib.optionalAttrs (before.name != after.name) { inherit (after) name; };

  ext4-usual = {
    storePaths = [ toplevel ];
    volumeLabel = "NIXOS_SD";
  };
  squashfs-usual = {
    storeContents = [ toplevel ];
  };
  shell = populateImageCommands: ext4 (ext4-usual // { inherit populateImageCommands; });

  # As tests/e2e/nix_originals.rs gives them to mksquashfs.
  pseudoFiles = [
    "/var d 1777 0 0"
    "null c 666 root root 1 3"
    "/disk b 640 0 0 8 0"
    "/queue i 620 0 0 f"
    "socket i 600 0 0 s"
    "current s 777 0 0 /run/current system"
    "\\\"with spaces\\\" d 700 0 0"
    "made f 4751 0 0 echo made; exit 0"
    "again L made"
    "old D 12345 711 0 0"
    "then F 54321 600 0 0 echo then"
    "copied l ${spl}"
    "nix-path-registration m 400 0 0"
  ];

  # As pkgs.buildEnv makes it.
  environment = pkgs.runCommand "myBareLinuxRoot" { } ''
    mkdir -p "$out/bin"
    ln -s ${pkgs.demo.coreutils}/bin/true "$out/bin/true"
    ln -s ${pkgs.demo.busybox}/bin/busybox "$out/bin/busybox"
    ln -s ${pkgs.demo.coreutils}/share "$out/share"
  '';
  tree = keys: images.mkTree ({ name = "refused"; } // keys);

  # A package that is links to others.
  farm = pkgs.runCommand "farm" { } ''
    mkdir -p "$out/overlays"
    ln -s ${spl} "$out/spl.bin"
    ln -s ${nixosConfig.boot.kernelPackages.kernel}/dtbs/rockchip "$out/overlays/rockchip"
  '';
in
{
  defaults = {
    ext4 = {
      inherit (ext4 ext4-usual) name specification;
    };
    squashfs = {
      inherit (squashfs squashfs-usual) name specification;
    };
  };

  changes = {
    ext4 = lib.mapAttrs (_: changes ext4 ext4-usual) {
      storePaths = {
        storePaths = toplevel;
      };
      compressImage = {
        compressImage = true;
      };
      volumeLabel = {
        volumeLabel = "OTHER";
      };
      uuid = {
        uuid = "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7";
      };
    };
    squashfs = lib.mapAttrs (_: changes squashfs squashfs-usual) {
      fileName = {
        fileName = "store";
      };
      storeContents = {
        storeContents = toplevel;
      };
      nothing = {
        storeContents = [ ];
      };
      noStrip = {
        noStrip = true;
      };
      hydraBuildProduct = {
        hydraBuildProduct = true;
      };
      comp-null = {
        comp = null;
      };
      comp-gzip = {
        comp = "gzip";
      };
      comp-gzip-options = {
        comp = "gzip -Xcompression-level 3 -Xwindow-size 15 -Xstrategy default";
      };
      comp-xz = {
        comp = "xz";
      };
      comp-xz-options = {
        comp = "xz -Xdict-size 1M";
      };
      comp-zstd = {
        comp = "zstd";
      };
      comp-zstd-options = {
        comp = "zstd -Xcompression-level 22";
      };
    };
  };

  # Calls that are errors: each is asked for alone.
  refused = lib.mapAttrs (_: argument: (squashfs (squashfs-usual // argument)).drvPath) {
    lz4 = {
      comp = "lz4 -Xhc";
    };
    lzo = {
      comp = "lzo";
    };
    empty = {
      comp = "";
    };
    bcj = {
      comp = "xz -Xbcj x86";
    };
    dict-size = {
      comp = "xz -Xdict-size 50%";
    };
    window-size = {
      comp = "gzip -Xwindow-size 8";
    };
    strategy = {
      comp = "gzip -Xstrategy filtered";
    };
    level = {
      comp = "zstd -Xcompression-level 23";
    };
    no-level = {
      comp = "zstd -Xcompression-level";
    };
    unknown = {
      comp = "zstd -Xlong 3";
    };
    flag = {
      comp = "zstd -noI";
    };
    pipe = {
      pseudoFiles = [ "/queue p 600 0 0" ];
    };
    kind = {
      pseudoFiles = [ "/x R 1 600 0 0 3 0" ];
    };
    fields = {
      pseudoFiles = [ "/var d 755 0" ];
    };
    mode = {
      pseudoFiles = [ "/var d u+rwx 0 0" ];
    };
    owner = {
      pseudoFiles = [ "/var d 755 lp 0" ];
    };
    shell = {
      pseudoFiles = [ "/$name d 755 0 0" ];
    };
    no-target = {
      pseudoFiles = [ "/x L /nothing" ];
    };
  }
  // {
    source = (boot-script { buildId = "0123"; }).drvPath;
    tree-nodes = (tree { nodes."/dev/null" = "char 1:3"; }).drvPath;
    tree-owner =
      (tree {
        attributes = [
          {
            path = "/x";
            owner = 3;
          }
        ];
      }).drvPath;
    tree-mode =
      (tree {
        attributes = [
          {
            path = "/x";
            mode = "4755";
          }
        ];
      }).drvPath;
  };

  shell = {
    # What stays in a subshell, and what a stdenv sets.
    stays = shell ''
      out=elsewhere
      cd files
      for name in *.none; do echo "$name" > matched; done
      mkdir -p etc .hidden
      echo kept > etc/kept
      ln etc/kept etc/again
      chmod 0750 etc
      set +e
      false
      exit 0
      echo never > never
    '';
    substitution = shell ''x=$(false; echo kept); echo "$x" > files/x'';
    pipe = shell "false | true";
    ends-badly = shell "exit 3";
  };

  ext4-empty = ext4 (ext4-usual // { storePaths = [ ]; });

  # What sdImage decompresses, when it compresses itself.
  rootFilesystemImage = images.mkExt4Fs {
    name = "root-fs.img";
    asFile = true;
    compress = "zstd";
    closure = toplevel;
  };

  tree = {
    inherit environment;
    links = images.mkTree {
      name = "myLinuxRootWithNixStore";
      closure = [ environment ];
      layout = "links";
    };
    fhs = images.mkTree {
      name = "fhs";
      closure = pkgs.coreutils;
      layout = "fhs";
    };
    files = images.mkTree {
      name = "files";
      prepare = ''
        mkdir -p made/closed/in
        echo kept > made/closed/in/kept
        chmod 0555 made/closed
        exit 0
      '';
      tree = "made";
      keep = [ "modes" ];
      symlinks."/bin" = "usr/bin";
      directories = [ "/usr/bin" ];
      text."/etc/run" = "#!/bin/sh\n";
      text."/.hidden" = "hidden\n";
      attributes = [
        {
          path = "/etc/run";
          mode = "0755";
        }
      ];
    };
  };

  fhs = {
    ext4 = images.mkExt4Fs {
      name = "fhs-ext4";
      closure = [ pkgs.demo.coreutils ];
      layout = "fhs";
    };
    squashfs = images.mkSquashfs {
      name = "fhs-squashfs";
      closure = [ pkgs.demo.coreutils ];
      layout = "fhs";
      level = 3;
    };
  };

  inherit pseudoFiles;
  pseudo = squashfs (
    squashfs-usual
    // {
      comp = null;
      inherit pseudoFiles;
    }
  );
  squashfs-empty = squashfs { pseudoFiles = [ "/etc d 755 3 7" ]; };
  squashfs-xz = squashfs (squashfs-usual // { fileName = "store"; });

  atomicnix = {
    # The arguments that the original has, and no others.
    rauc-bundle = bundle {
      inherit nixosConfig;
      squashfsImage = atomicnix.squashfs;
      bootScript = atomicnix.boot-script;
      signingCert = key "release.pem";
      signingKeyPath = key "release.key";
      caCert = key "ca.pem";
    };
    script = boot-script {
      buildId = "0123";
      source = builtins.toFile "boot.cmd" "echo @buildId@\n";
    };
  };

  sane = {
    # The image is $out, and $out/nixos.img, as it is called in the end.
    as-file = sane {
      sane.image.extraGPTPadding = 16 * 1024 * 1024;
      sane.image.firstPartGap = 0;
      sane.image.installBootloader = ''
        dd if=$out of=first bs=512 count=1
        dd if=${spl} of=$out bs=1024 seek=8 conv=notrunc
        cat first >> log
        exit 0
      '';
    };
    in-folder = sane {
      sane.image.extraGPTPadding = 16 * 1024 * 1024;
      sane.image.firstPartGap = 0;
      sane.image.installBootloader = ''dd if=${spl} of="$out/nixos.img" bs=1024 seek=8 conv=notrunc'';
    };
    menu = sane {
      sane.image.extraBootFiles = [ farm ];
      boot.loader.timeout = 7;
      hardware.deviceTree.name = "rockchip/rk3328-rock64.dtb";
    };
  };
}
