# Oracle's cloud.
{ lib, ... }:
{
  imports = [
    (import ./guest.nix {
      build = "OCIImage";
      tag = "oci";
      extension = "qcow2";
      diskSize = 8 * 1024;
      efi = config: config.oci.efi;
    })
  ];
  options.oci.efi = lib.mkOption {
    type = lib.types.bool;
    default = true;
  };
  config.virtualisation.diskSizeAutoSupported = false;
}
