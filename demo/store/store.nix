# The store of the demo: one path per Debian package (or circle of packages), odd files for tests, and on top of
# them a system in the shape of NixOS. `work` is the folder that demo/make-store has filled, `arch` is what Debian calls
# the architecture of the system; it is built on any other one, too.
{ work, arch }:
let
  target = {
    arm64 = {
      platform = "aarch64-linux";
      triplet = "aarch64-linux-gnu";
      linker = "ld-linux-aarch64.so.1";
      console = "ttyAMA0";
      boardModules = "i2c-rk3x rk808-regulator dw_mmc-rockchip";
    };
    amd64 = {
      platform = "x86_64-linux";
      triplet = "x86_64-linux-gnu";
      linker = "ld-linux-x86-64.so.2";
      console = "ttyS0";
      boardModules = "";
    };
  }.${arch};
  version = "25.11.20261121.deb12";
  tools = builtins.path { path = work + "/tools"; name = "build-tools"; };

  # A derivation whose builder is a busybox shell; the attributes are the script's variables.
  build = name: script: attributes: derivation (attributes // {
    inherit name tools;
    system = builtins.currentSystem;
    builder = "${tools}/busybox";
    args = [ "ash" "-euo" "pipefail" script ];
    setup = ./setup.sh;
  });

  packages = builtins.mapAttrs
    (name: package: build package.name ./package.sh {
      inherit (target) triplet linker;
      debs = map
        ({ file, sha256 }: builtins.path {
          path = work + "/debs/${file}";
          name = builtins.replaceStrings [ "%3a" "~" ] [ "-" "-" ] file;
          inherit sha256;
          recursive = false;
        })
        package.debs;
      deps = map (dep: packages.${dep}) package.deps;
      glibc = if package.glibc then packages.glibc else "";
      bash = if package.interpreters then packages.bash else "";
      perl = if package.interpreters then packages.perl-base else "";
      # Drivers of desktop machines are a quarter of the kernel.
      omit = if name != "linux" then "" else toString (map (folder: "lib/modules/*/kernel/${folder}")
        [ "drivers/gpu" "drivers/media" "drivers/net/wireless" "sound" ]);
    })
    (builtins.fromJSON (builtins.readFile (work + "/packages.json")));
  inherit (packages) linux;
  busybox = packages.busybox-static;

  # Store paths that are single files: text, text with a reference, and a fixed output.
  plain-text = builtins.toFile "plain-text" "Text without references.\n";
  profile = builtins.toFile "profile" "# Text that refers to ${plain-text}\nexport PATH=/run/current-system/sw/bin\n";
  fixed-output = build "fixed-output.txt" (builtins.toFile "fixed-output.sh" "printf 'fixed\\n' > $out\n") {
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" "fixed\n";
  };
  edge-cases = build "edge-cases-1.0" ./edge-cases.sh { reference = packages.glibc; };
  multi = build "multi-1.0" ./multi-output.sh { outputs = [ "out" "dev" "lib" ]; };

  sw = build "system-path" ./environment.sh {
    packages = builtins.attrValues (removeAttrs packages [ "linux" "busybox-static" ]) ++ [ busybox ];
  };
  etc = build "etc" ./etc.sh {
    inherit (packages) bash tzdata;
    inherit profile version;
    certificates = packages.ca-certificates;
  };
  modules = build "kernel-modules" ./modules.sh { inherit linux; };
  initrd = build "initrd-linux" ./initrd.sh {
    inherit linux modules busybox;
    inherit (target) boardModules;
    init = ./initrd-init.sh;
  };
in
{
  inherit packages;
  toplevel = build "nixos-system-demo-${version}" ./toplevel.sh {
    inherit linux modules initrd etc sw busybox version;
    inherit (target) platform console;
    scripts = [ ./init.sh ./fill.sh ./grow.sh ./nix.sh ./zoo.sh ];
    extras = [ edge-cases multi.out profile fixed-output ];
  };
}
