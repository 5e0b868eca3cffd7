# Partitions with hashes: what systemd-repart and Kiln both make, what keys do to the specification, and what is refused.
{
  lib,
  pkgs,
  compared,
  make,
}:
let
  data = {
    Type = "root";
    Format = "ext4";
    CopyFiles = "/a:/";
    Verity = "data";
    VerityMatchKey = "a";
  };
  hash = {
    Type = "root-verity";
    Verity = "hash";
    VerityMatchKey = "a";
  };
  signature = {
    Type = "root-verity-sig";
    Verity = "signature";
    VerityMatchKey = "a";
  };
  configs = lib.mapAttrs (_: repartConfig: { inherit repartConfig; });
  of =
    definitions: arguments:
    (make ({ finalPartitions = configs definitions; } // arguments)).specification;
  pair = definitions: of ({ inherit data hash; } // definitions) { };
  region = spec: id: lib.findFirst (region: region.definition or null == "${id}.conf") null spec.disk.region;
  arguments.signature = {
    key = "/key.pem";
    certificate = "/certificate.pem";
  };
in
{
  # systemd-repart 252 marks neither the data nor the signature as read-only unless it is told to.
  compared = compared {
    "10-root" = {
      Type = "root";
      Format = "ext4";
      CopyFiles = "/SOURCES/one:/";
      Verity = "data";
      VerityMatchKey = "os";
      ReadOnly = true;
      SizeMinBytes = "20M";
      SplitName = "root_%U";
    };
    "20-verity" = {
      Type = "root-verity";
      Verity = "hash";
      VerityMatchKey = "os";
      SizeMinBytes = "2M";
    };
    "30-usr" = {
      Type = "usr";
      CopyFiles = "/SOURCES/two:/";
      Verity = "data";
      VerityMatchKey = "vendor";
      ReadOnly = true;
      SizeMinBytes = "40M";
    };
    "40-usr-verity" = {
      Type = "usr-verity";
      Verity = "hash";
      VerityMatchKey = "vendor";
      UUID = "8f2d6e5a95a84b0c8f4e0d6b1fd8fb0e";
      SplitName = "-";
    };
    "50-b" = {
      Type = "root";
      Label = "_empty";
      SizeMinBytes = "20M";
      SizeMaxBytes = "20M";
      SplitName = "-";
    };
    "60-b" = {
      Type = "root-verity";
      Label = "_empty";
      SizeMinBytes = "2M";
      SplitName = "-";
    };
  } { split = true; };

  effects = {
    salt = (pair { }).verity.data.salt;
    contents = map (id: (region (pair { }) id).content) [
      "data"
      "hash"
    ];
    # Kiln knows these by the root hash.
    guids = map (id: (region (pair { }) id) ? guid) [
      "data"
      "hash"
    ];
    attributes = map (id: (region (pair { }) id).attributes) [
      "data"
      "hash"
    ];
    # The data's SizeMaxBytes is what the tree has room for, unless its own size is said.
    sizes = lib.mapAttrs (_: definitions: (region (pair definitions) "hash").size or null) {
      usual = { };
      most.data = data // {
        SizeMaxBytes = "10G";
      };
      small.data = data // {
        SizeMaxBytes = "64M";
      };
      said = {
        data = data // {
          SizeMaxBytes = "10G";
        };
        hash = hash // {
          SizeMinBytes = "96M";
        };
      };
      best.hash = hash // {
        Minimize = "best";
      };
    };
    blocks = (region (pair {
      hash = hash // {
        VerityDataBlockSizeBytes = 4096;
        VerityHashBlockSizeBytes = "4K";
      };
    }) "hash").content;
    signed =
      let
        spec = of { inherit data hash signature; } arguments;
      in
      {
        inherit (spec.verity.data) signature;
        inherit (region spec "signature") attributes content size;
      };
    # A slot for another release's.
    slot = (region (pair { slot.Type = "usr-verity-sig"; }) "slot").size;
    # Labels may be the same; regions have names of their own.
    labels = map (region: [
      region.name
      region.label or null
    ]) (of {
      a = {
        Type = "root";
        Format = "empty";
      };
      b = {
        Type = "root";
        Label = "_empty";
      };
    } { }).disk.region;
    # Something that comes later is not mounted.
    empty = (region (of { a = { Type = "root"; Format = "empty"; }; } { }) "a").attributes;
    # As mkfs.erofs is called.
    erofs =
      let
        fs =
          arguments:
          removeAttrs (of {
            a = {
              Type = "home";
              Format = "erofs";
              CopyFiles = "/a:/";
            }
            // arguments.config or { };
          } { mkfsOptions.erofs = arguments.options or [ ]; }).fs.a [ "directories" "files" "symlinks" ];
      in
      {
        usual = fs { };
        compressed = fs {
          config = {
            Compression = "lz4hc";
            CompressionLevel = 9;
            SizeMaxBytes = "1G";
          };
        };
        options = fs { options = [ "-zzstd,level=12" "-C65536 --all-root" "-L store" ]; };
      };
    swap = (of { a.Type = "swap"; } { }).fs.a.format;
    lists = (region (of { a = { Type = "home"; Label = [ "one" "two" ]; }; } { }) "a").name;
  };

  refused = lib.mapAttrs (_: definitions: of definitions { }) {
    verityMode.a = data // {
      Verity = "tree";
    };
    noMatchKey.a = removeAttrs data [ "VerityMatchKey" ];
    matchKeyAlone.a = removeAttrs data [ "Verity" ];
    blockSize.a = hash // {
      VerityHashBlockSizeBytes = 512;
    };
    hashedFiles.a = hash // {
      CopyFiles = "/a:/";
    };
    signatureSize.a = signature // {
      SizeMinBytes = "1M";
    };
    hashedBlocks.a = {
      Type = "root";
      Verity = "data";
      VerityMatchKey = "a";
      CopyBlocks = "/a";
    };
    hashedNothing.a = removeAttrs data [ "Format" "CopyFiles" ];
    dataAlone.a = data;
    hashAlone.a = hash;
    signatureAlone.a = signature;
    dataTwice = {
      inherit data hash;
      other = data;
    };
    otherType = {
      inherit data;
      hash = hash // {
        Type = "usr-verity";
      };
    };
    otherSignature = {
      inherit data hash;
      signature = signature // {
        Type = "usr-verity-sig";
      };
    };
    noKey = { inherit data hash signature; };
    sameUuids = lib.genAttrs [ "a" "b" ] (_: {
      Type = "home";
      UUID = "8f2d6e5a-95a8-4b0c-8f4e-0d6b1fd8fb0e";
    });
    nullUuid.a = {
      Type = "home";
      UUID = "null";
    };
    fullEmpty.a = {
      Type = "home";
      Format = "empty";
      CopyFiles = "/a";
    };
    erofsCompression.a = {
      Type = "home";
      Format = "erofs";
      CopyFiles = "/a";
      Compression = "lzma";
    };
    erofsLevel.a = {
      Type = "home";
      Format = "erofs";
      CopyFiles = "/a";
      Compression = "lz4";
      CompressionLevel = 3;
    };
  }
  // {
    noArchitecture = of { a.Type = "root"; } {
      pkgs = pkgs // {
        stdenv = pkgs.stdenv // {
          hostPlatform = pkgs.stdenv.hostPlatform // {
            linuxArch = "m68k";
          };
        };
      };
    };
    otherClosure =
      (make {
        finalPartitions = lib.mapAttrs (_: repartConfig: {
          inherit repartConfig;
          storePaths = lib.optional (repartConfig.Verity == "data") (
            if repartConfig.VerityMatchKey == "a" then pkgs.demo.coreutils else pkgs.demo.busybox
          );
        }) {
          a = removeAttrs data [ "CopyFiles" ];
          b = removeAttrs data [ "CopyFiles" ] // {
            Type = "usr";
            VerityMatchKey = "b";
          };
          c = hash;
          d = hash // {
            Type = "usr-verity";
            VerityMatchKey = "b";
          };
        };
      }).specification;
  };
}
