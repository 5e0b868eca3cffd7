# kiln.layout = "appliance": what is built of it, what the system is told, and what is refused.
{
  pkgs ? import ./stub-nixpkgs { },
}:
let
  inherit (pkgs) lib;
  inherit (pkgs.stdenv.hostPlatform) efiArch;
  flake = lib.fix (self: (import ../../flake.nix).outputs { inherit self nixpkgs; });
  nixpkgs = lib.fix (self: (import ./stub-nixpkgs/flake.nix).outputs { inherit self; });

  # The stub and the loader that this machine has.
  systemd =
    pkgs.runCommand "systemd-258" { } ''
      mkdir -p "$out/lib/systemd/boot"
      cp -r ${
        builtins.path {
          name = "efi";
          path = /usr/lib/systemd/boot/efi;
        }
      } "$out/lib/systemd/boot/efi"
    ''
    // {
      version = "258.2";
    };
  folder = pkgs.runCommand "folder" { } ''
    mkdir "$out"
    printf 'initrd\n' > "$out/initrd"
    printf 'a key ring\n' > "$out/keyring.gpg"
  '';

  settings = {
    # It is in the initrd, and makes nothing here.
    nixpkgs.overlays = [ (_: _: { e2fsprogs = folder; }) ];
    kiln.layout = "appliance";
    kiln.appliance = {
      espSize = "48MiB";
      storeSize = "128MiB";
      url = "https://updates.example.org/appliance";
      # Debian 12's stub has no room for more lines.
      uki.sbat = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n";
    };
    system.image = {
      id = "appliance";
      version = "7";
    };
    systemd.package = systemd;
    stub.toplevel = pkgs.demo.coreutils;
    boot.uki.settings.UKI = {
      Stub = "${systemd}/lib/systemd/boot/efi/linux${efiArch}.efi.stub";
      Linux = "${pkgs.demo.toplevel}/kernel";
      Initrd = "${folder}/initrd";
    };
  };
  configured =
    more:
    (nixpkgs.lib.nixosSystem {
      system = builtins.currentSystem;
      modules = [
        flake.nixosModules.image
        settings
        more
      ];
    }).config;
  build = more: (configured more).system.build;

  # A transfer of each file, as somebody writes them by hand.
  transfers = {
    "10-verity" = {
      Transfer.ProtectVersion = "%A";
      Source = {
        Type = "url-file";
        Path = "https://updates.example.org/appliance";
        MatchPattern = "%M_@v_@u.store-verity.raw.xz";
      };
      Target = {
        Type = "partition";
        Path = "auto";
        MatchPattern = "appliance_@v";
        MatchPartitionType = "usr-verity";
        ReadOnly = 1;
      };
    };
    "20-store" = {
      Source = {
        Type = "url-file";
        Path = "https://updates.example.org/appliance";
        MatchPattern = [ "appliance_@v_@u.store.raw.xz" ];
      };
      Target = {
        Type = "partition";
        Path = "auto";
        MatchPattern = [ "appliance_@v" ];
        MatchPartitionType = "usr";
      };
    };
    "70-uki" = {
      Source = {
        Type = "url-file";
        Path = "https://updates.example.org/appliance";
        MatchPattern = "appliance_@v.efi";
      };
      Target = {
        Type = "regular-file";
        Path = "/EFI/Linux";
        PathRelativeTo = "boot";
        MatchPattern = ''
          appliance_@v+@l-@d.efi \
          appliance_@v+@l.efi \
          appliance_@v.efi
        '';
        TriesLeft = 3;
        TriesDone = 0;
      };
    };
  };
  # A store that is compressed itself is released as it is.
  dense.kiln.specification.fs.store.compression = "zstd";
  changed = change: { systemd.sysupdate.transfers = lib.recursiveUpdate transfers change; };
  # What was signed elsewhere, while a test does so.
  signatures =
    let
      folder = /. + builtins.getEnv "KILN_SIGNATURES";
    in
    {
      first = {
        system.image.version = lib.mkForce "1";
        kiln.appliance.keyring = folder + "/../import-pubring.gpg";
        # It is built again and again.
        kiln.appliance.release.compress = "none";
      };
      signed = {
        imports = [ signatures.first ];
        kiln.appliance.signatures = {
          uki = folder + "/uki.p7";
          systemd-boot = folder + "/systemd-boot.p7";
        };
      };
      released = {
        imports = [ signatures.signed ];
        kiln.appliance.signatures.release = folder + "/SHA256SUMS.gpg";
      };
    };
  parts = more: { inherit (build more) image kilnRelease uki; };
in
rec {
  inherit parts;
  usual = parts { kiln.appliance.release.compress-level = 0; };
  first = parts signatures.first;
  signed = parts signatures.signed;
  released = parts signatures.released;

  # What the system is told.
  told =
    let
      config = configured { kiln.appliance.keyring = "${folder}/keyring.gpg"; };
    in
    {
      mounts = lib.mapAttrs (_: fs: { inherit (fs) device fsType options; }) config.fileSystems;
      inherit (config.systemd.repart) partitions;
      inherit (config.boot.uki) tries;
      inherit (config.boot) growPartition kernelParams;
      initrd = {
        inherit (config.boot.initrd.systemd) enable;
        repart = config.boot.initrd.systemd.repart.enable;
        dmVerity = config.boot.initrd.systemd.dmVerity.enable;
        formats = config.boot.initrd.supportedFilesystems;
        tools = map (tool: tool.name) config.boot.initrd.systemd.initrdBin;
      };
      sysupdate = config.systemd.sysupdate.enable;
      keyring = lib.hasSuffix "/keyring.gpg" config.environment.etc."systemd/import-pubring.gpg".source;
      nix = config.nix.enable;
      inherit (config) warnings;
      inherit (config.image) filePath;
      inherit (config.system.boot.loader) ukiFile;
      toplevel = config.system.build.toplevel == pkgs.demo.coreutils;
    };

  warned = (configured { }).warnings;

  # What Kiln is told.
  specification =
    let
      keys = lib.mapAttrs (_: more: (build more).image.specification) {
        usual = { };
        quiet.kiln.appliance.url = lib.mkForce null;
        own.systemd.sysupdate.transfers = transfers;
        once = {
          boot.uki.tries = lib.mkForce null;
          boot.uki.name = "gate";
          system.image.id = lib.mkForce null;
          kiln.appliance.release.compress = "zstd";
          kiln.specification.fs.store.compression = "zstd";
        };
        signed.kiln.appliance = {
          keyring = "${folder}/keyring.gpg";
          signatures = lib.genAttrs [ "uki" "systemd-boot" "release" ] (name: "/signatures/${name}");
          enrollment.PK = "/signatures/PK.auth";
        };
        # Who signs is said in several places.
        nested = {
          boot.uki.settings.UKI.SecureBootCertificate = "/signatures/db.pem";
          kiln.appliance = {
            keyring = "${folder}/keyring.gpg";
            signatures = lib.genAttrs [ "uki" "release" ] (name: "/signatures/${name}");
            uki.sign.intermediates = [ "/signatures/ca.pem" ];
            release.sign.user = "somebody";
          };
        };
      };
    in
    lib.mapAttrs (_: specification: {
      inherit (specification) release;
      transfers = specification.fs.store.files."/lib/sysupdate.d" or null;
      inherit (specification.fs.store) compression;
      loader = specification.fs.esp.files."/EFI/BOOT/BOOT${lib.toUpper efiArch}.EFI";
      enrollment = specification.fs.esp.files."/loader/keys/auto/PK.auth" or null;
      uki = specification.uki.main.sign or null;
      systemd-boot = specification.efi.systemd-boot.sign or null;
    }) keys;

  # Where a configuration's own transfers fit, nothing is said of them.
  ownTransfers = (build { systemd.sysupdate.transfers = transfers; }).image.drvPath != "";
  plainTransfers =
    (build (
      lib.recursiveUpdate dense (changed {
        "10-verity".Source.MatchPattern = "%M_@v_@u.store-verity.raw";
        "20-store".Source.MatchPattern = "appliance_@v_@u.store.raw";
      })
    )).image.drvPath != "";

  # What is refused, each with one thing wrong.
  namesOfRefused = builtins.attrNames refused;
  refused = lib.mapAttrs (_: more: (build more).image.drvPath) {
    noVersion.system.image.version = lib.mkForce null;
    version.system.image.version = lib.mkForce "7_1";
    twoVersions.boot.uki.version = "8";
    twoNames.boot.uki.name = "gate";
    name = {
      system.image.id = lib.mkForce null;
      boot.uki.name = "Gate";
    };
    long.system.image.id = lib.mkForce "an-appliance-with-a-name-that-is-long";
    ukiFile.system.boot.loader.ukiFile = lib.mkForce "linux.efi";
    configFile.boot.uki.configFile = "/x";
    setting.boot.uki.settings.UKI.HWIDs = "/x";
    initrd.boot.initrd.systemd.enable = false;
    noRepart.boot.initrd.systemd.repart.enable = false;
    amount.kiln.appliance.storeSize = lib.mkForce "large";
    slot.systemd.repart.partitions."21-store-b".SizeMaxBytes = "64M";
    key.kiln.appliance.uki.sign.key = "${folder}/initrd";
    releaseKey.kiln.specification.release.sign.key = ./appliance.nix;
    noKeyring.kiln.appliance.signatures.release = "/signatures/release";
    noUrl = {
      kiln.appliance.url = lib.mkForce null;
      systemd.sysupdate.enable = true;
    };
    # Transfers that a release does not have.
    missing.systemd.sysupdate.transfers = removeAttrs transfers [ "70-uki" ];
    twice = changed { "30-again" = transfers."20-store"; };
    otherName = changed { "20-store".Source.MatchPattern = "appliance_@v.raw"; };
    otherLabel = changed { "20-store".Target.MatchPattern = [ "store_@v" ]; };
    otherType = changed { "20-store".Target.MatchPartitionType = "root"; };
    otherTarget = changed { "70-uki".Target.Type = "partition"; };
    noCounter = changed { "70-uki".Target.MatchPattern = "appliance_@v.efi"; };
    dense = dense // {
      systemd.sysupdate.transfers = transfers;
    };
    compressed = {
      systemd.sysupdate.transfers = transfers;
      kiln.appliance.release.compress = "none";
    };
  };
}
