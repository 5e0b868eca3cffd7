# What systemd calls the architecture of a platform, and the types that are short for it.
platform:
let
  names = {
    arm = "arm";
    arm64 = "arm64";
    i386 = "x86";
    loongarch = "loongarch64";
    powerpc = "ppc64-le";
    riscv = if platform.isRiscV32 or false then "riscv32" else "riscv64";
    s390 = "s390x";
    x86_64 = "x86-64";
  };
  name =
    names.${platform.linuxArch}
      or (throw "image.repart: systemd has no name for the architecture ${platform.linuxArch}; say types that have one in their names, such as root-arm64");
  secondary =
    {
      arm64 = "arm";
      x86-64 = "x86";
    }
    .${name} or null;
  kinds = [
    ""
    "-verity"
    "-verity-sig"
  ];
  short =
    base: target: architecture:
    map (kind: {
      name = base + kind;
      value = "${target}-${architecture}${kind}";
    }) kinds;
in
{
  inherit name;
  types = builtins.listToAttrs (
    short "root" "root" name
    ++ short "usr" "usr" name
    ++ (
      if secondary == null then
        [ ]
      else
        short "root-secondary" "root" secondary ++ short "usr-secondary" "usr" secondary
    )
  );
}
