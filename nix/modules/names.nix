# Names of an image that agree: image.fileName and image.filePath are what lies in $out, whoever said a part of them.
{ config, lib }:
{
  # How it is compressed, or null.
  compress,
  # What [disk] is told to call it, without the ending that compressing gives, or null.
  file,
  # Where in $out it lies: "" or "sd-image/".
  folder,
}:
let
  ending =
    {
      zstd = ".zst";
      xz = ".xz";
      gzip = ".gz";
    }
    .${toString compress} or "";
  kind = if file == null then null else builtins.match ".*[.]([^./]+)" file;
  inherit (config) image;
  plain = lib.removeSuffix ending image.fileName;
in
{
  extension = "${if kind == null then "img" else builtins.head kind}${ending}";
  fileName = if file == null then null else "${file}${ending}";
  # What Kiln calls it before it is compressed.
  file = plain;
  assertions = [
    {
      assertion = lib.hasSuffix ending image.fileName;
      message =
        "the image is compressed with ${toString compress}, so image.fileName and image.extension have to end with ${ending}: "
        + "they are ${image.fileName} and ${image.extension}";
    }
    {
      assertion = !(builtins.any (end: lib.hasSuffix end plain) [
        ".gz"
        ".xz"
        ".zst"
      ]);
      message = "image.fileName is ${image.fileName}, and the image is not compressed like that: say how in kiln.compress, or another name";
    }
    {
      assertion = lib.hasSuffix ".${image.extension}" image.fileName;
      message = "image.fileName is ${image.fileName}, and image.extension is ${image.extension}: say both, or image.baseName in place of image.fileName";
    }
    {
      assertion = file == null || plain == file;
      message = "image.fileName is ${image.fileName}, and kiln.specification.disk.file is ${toString file}: say one of them";
    }
    {
      assertion = image.filePath == "${folder}${image.fileName}";
      message = "image.filePath is ${image.filePath}, and the image will be ${folder}${image.fileName} in $out: say image.baseName to give it another name";
    }
    {
      assertion = builtins.match "[^/]+" image.fileName != null;
      message = "image.fileName is ${image.fileName}: it is a name in a folder, and has no slash";
    }
  ];
}
