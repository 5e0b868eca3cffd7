# KubeVirt.
{
  imports = [
    (import ./guest.nix {
      build = "kubevirtImage";
      tag = "kubevirt";
      extension = "qcow2";
    })
  ];
  config.boot.kernelParams = [ "console=ttyS0" ];
  config.boot.loader.timeout = 0;
}
