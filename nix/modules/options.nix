# The options that the modules of whole images share: what is on the disk beside a layout.
{ lib, ... }:
let
  inherit (lib) literalExpression mkOption types;
in
{
  options.kiln = {
    firmware = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = literalExpression ''{ "/u-boot-rpi4.bin" = "''${pkgs.ubootRaspberryPi4_64bit}/u-boot.bin"; }'';
      description = ''
        Files of the image's FAT: their paths in it, and their sources. A folder brings all that is in it, and a list of
        folders becomes one. Patterns are left out of them by `kiln.specification.fs.firmware.exclude`.
      '';
    };
    loaders = mkOption {
      type = types.listOf types.anything;
      default = [ ];
      example = literalExpression ''
        [
          {
            name = "idbloader";
            raw = "''${pkgs.ubootRock64}/idbloader.img";
            offset = "64s";
          }
        ]
      '';
      description = "Regions of the disk before the image's partitions, such as boot loaders. They are checked against all others.";
    };
    specification = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = literalExpression ''{ fs.root.free = "1GiB"; disk.board = "rockchip"; }'';
      description = ''
        Keys of Kiln's specification, over those of the layout. All that it knows can be said here. Lists are replaced as a
        whole. What the system mounts follows from the labels and ids that are said here.
      '';
    };
  };
}
