# Options of sdImage that have other names by now, or are gone.
{ lib, ... }:
let
  renamed =
    from: to:
    lib.mkRenamedOptionModuleWith {
      sinceRelease = 2505;
      inherit from to;
    };
in
{
  imports = [
    (renamed
      [
        "sdImage"
        "imageBaseName"
      ]
      [
        "image"
        "baseName"
      ]
    )
    (renamed
      [
        "sdImage"
        "imageName"
      ]
      [
        "image"
        "fileName"
      ]
    )
    (lib.mkRemovedOptionModule
      [
        "sdImage"
        "bootPartitionID"
      ]
      "The FAT holds the board's firmware; its id is sdImage.firmwarePartitionID."
    )
    (lib.mkRemovedOptionModule
      [
        "sdImage"
        "bootSize"
      ]
      "Kernels lie in the root; the size of the firmware's FAT is sdImage.firmwareSize."
    )
  ];
}
