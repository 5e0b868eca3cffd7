# nixpkgs' image.repart, made by Kiln: beside nixpkgs' own image/repart.nix, with the same options, defaults and files in the
# output. Its systemd-repart is not run, nor what else its image needs.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) literalExpression mkOption types;
  cfg = config.image.repart;
  images = config.kiln.lib;
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
      inherit (config.kiln.repart) keys;
      # Not in every nixpkgs.
      imageSize = cfg.imageSize or "auto";
    }
  );
  failed = map (assertion: assertion.message) (
    lib.filter (assertion: !assertion.assertion) (
      cfg.assertions or [ ]
      ++ [
        {
          assertion = !(cfg.verityStore.enable or false);
          message = "image.repart.verityStore: Kiln makes no such image; set enable = false, or say [verity.NAME] with mkDiskImage";
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
  warned = lib.foldl' (value: warning: lib.warn warning value) made (cfg.warnings or [ ]);
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

  # nixpkgs' own definition stands beside this one.
  config.system.build.image = lib.mkForce (
    if failed == [ ] then warned else throw (lib.concatStringsSep "\n" failed)
  );
}
