# nixpkgs' image.repart, made by Kiln: beside nixpkgs' own image/repart.nix, with the same options, defaults and files in the
# output. Its systemd-repart is not run, nor what else its image needs.
{
  config,
  lib,
  options,
  ...
}:
let
  inherit (lib) literalExpression mkOption types;
  cfg = config.image.repart;
  images = config.kiln.lib;
  hasStore = cfg.verityStore.enable or false;
  # What nixpkgs has ukify make of it, Kiln makes.
  verityStore = {
    inherit (cfg.verityStore) partitionIds ukiPath;
    inherit (config.system.boot.loader) ukiFile;
    inherit (config.boot.uki) settings;
    cmdline = "init=${config.system.build.toplevel}/init ${toString config.boot.kernelParams}";
    keys = config.kiln.repart.uki;
  };
  # A configuration's own file for ukify, in place of its settings.
  hasOwnConfig = hasStore && (options.boot.uki.configFile.highestPrio or 1500) < 1500;
  # A file of another name than the options say would be found by nobody.
  fileName = "${config.image.baseName}.${config.image.extension}";
  made = images.mkDiskImage (
    images.fromRepart {
      inherit (cfg)
        compression
        finalPartitions
        mkfsOptions
        name
        sectorSize
        seed
        split
        version
        ;
      inherit (config.image) baseName;
      inherit (config.kiln.repart) keys signature;
      verityStore = if hasStore then verityStore else null;
      # Not in every nixpkgs.
      imageSize = cfg.imageSize or "auto";
    }
  );
  failed = map (assertion: assertion.message) (
    lib.filter (assertion: !assertion.assertion) (
      cfg.assertions or [ ]
      ++ [
        {
          assertion = !hasOwnConfig;
          message = "boot.uki.configFile: Kiln makes the UKI itself, of boot.uki.settings; say those, and kiln.repart.uki";
        }
        {
          assertion = config.image.fileName == fileName && config.image.filePath == fileName;
          message = "image.fileName and image.filePath: Kiln's output has ${fileName}, as image.baseName and image.extension say; set those instead";
        }
        {
          assertion = made.filePath == fileName;
          message = "image.extension = ${config.image.extension}: Kiln's output has ${made.filePath}";
        }
      ]
    )
  );
  # nixpkgs' definitions of intermediateImage and finalImage, which stand beside ours, ask the image for others like it.
  whole = made // {
    override = _: made // { overrideAttrs = _: made; };
  };
  warned = lib.foldl' (value: warning: lib.warn warning value) whole (cfg.warnings or [ ]);
in
{
  imports = [ ./kiln.nix ];

  options.kiln.repart.keys = mkOption {
    type = types.attrsOf (types.attrsOf types.anything);
    default = { };
    example = literalExpression ''{ "20-root".free = "1GiB"; "30-store".level = 19; }'';
    description = ''
      Keys of Kiln's specification for the file systems of `image.repart.partitions`, by the partitions' names: what mkfs
      programs have other words for.
    '';
  };

  options.kiln.repart.signature = mkOption {
    type = types.nullOr (types.attrsOf types.anything);
    default = null;
    example = literalExpression "{ key = ./verity.key; certificate = ./verity.crt; }";
    description = ''
      What signs root hashes for partitions with `Verity = "signature"`: keys of Kiln's `[verity.NAME.signature]`. A key
      that is a path lies in the store.
    '';
  };

  options.kiln.repart.uki = mkOption {
    type = types.attrsOf types.anything;
    default = { };
    example = literalExpression ''{ sign = { key = "/run/keys/db.key"; certificate = ./db.crt; }; }'';
    description = ''
      Keys of Kiln's `[uki.NAME]` for the UKI of `image.repart.verityStore`, beside what `boot.uki.settings` say.
    '';
  };

  # nixpkgs' own definitions stand beside these.
  config.system.build = lib.mkMerge [
    {
      image = lib.mkForce (if failed == [ ] then warned else throw (lib.concatStringsSep "\n" failed));
    }
    (lib.mkIf hasStore {
      # One derivation makes what nixpkgs makes in three.
      finalImage = lib.mkForce config.system.build.image;
      intermediateImage = lib.mkForce config.system.build.image;
      uki = lib.mkForce config.system.build.image.uki;
    })
  ];
}
