# Types of partitions: sgdisk's codes of four digits as Kiln's names, or GUIDs. And attributes by their bits.
{ lib }:
let
  codes = {
    "0700" = "basic-data";
    "0C01" = "microsoft-reserved";
    "7F00" = "chromeos-kernel";
    "7F01" = "chromeos-root";
    "7F02" = "chromeos-reserved";
    "8200" = "swap";
    "8300" = "linux";
    "8301" = "linux-reserved";
    "8302" = "home";
    "8303" = "root-x86";
    "8304" = "root-x86-64";
    "8305" = "root-arm64";
    "8306" = "srv";
    "8307" = "root-arm";
    "8308" = "dm-crypt";
    "8309" = "luks";
    "8310" = "var";
    "8311" = "tmp";
    "8312" = "user-home";
    "8E00" = "lvm";
    "EA00" = "xbootldr";
    "EF00" = "esp";
    "EF02" = "bios-boot";
    "FD00" = "raid";
  };
  bits = {
    "0" = "required";
    "1" = "no-block-io";
    "2" = "legacy-boot";
    "59" = "growfs";
    "60" = "read-only";
    "63" = "no-auto";
  };
in
{
  type =
    bad: text:
    let
      code = lib.toUpper text;
    in
    if builtins.match "[0-9A-Fa-f]{4}" text == null then
      lib.toLower text
    else
      codes.${code}
        or (bad "type = ${text}: Kiln knows of sgdisk's codes ${toString (builtins.attrNames codes)}; say the GUID of this one");

  attribute =
    bad: bit:
    bits.${toString bit}
      or (bad "attributes: bit ${toString bit} has no meaning; there are ${toString (builtins.attrNames bits)}");
}
