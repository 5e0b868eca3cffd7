# What is known of a system's name.
{ lib }:
rec {
  elaborate =
    given:
    let
      system = if builtins.isAttrs given then given.system else given;
      cpu = builtins.head (lib.splitString "-" system);
      known = {
        aarch64 = {
          efiArch = "aa64";
          linuxArch = "arm64";
          qemuArch = "aarch64";
        };
        x86_64 = {
          efiArch = "x64";
          linuxArch = "x86_64";
          qemuArch = "x86_64";
        };
        riscv64 = {
          efiArch = "riscv64";
          linuxArch = "riscv";
          qemuArch = "riscv64";
        };
      };
    in
    known.${cpu}
    // {
      inherit system;
      config = "${cpu}-unknown-linux-gnu";
      isAarch64 = cpu == "aarch64";
      isAarch32 = false;
      isx86_64 = cpu == "x86_64";
      isx86 = cpu == "x86_64";
      isRiscV = cpu == "riscv64";
      isLinux = true;
      is64bit = true;
      isEfi = true;
      canExecute = other: other.system == system;
      linux-kernel = {
        name = cpu;
        target = if cpu == "x86_64" then "bzImage" else "Image";
        DTB = cpu != "x86_64";
      };
    };
}
