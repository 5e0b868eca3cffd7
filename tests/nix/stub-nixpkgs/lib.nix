# As much of nixpkgs' lib as Kiln's Nix code and the modules of NixOS that it meets need, written for these tests. What is
# here has the names and the results that nixpkgs' has: tests/nix/conformance is evaluated with both.
let
  lib =
    import ./lib/basics.nix
    // import ./lib/strings.nix { inherit lib; }
    // import ./lib/options.nix { inherit lib; }
    // import ./lib/modules.nix { inherit lib; }
    // import ./lib/renames.nix { inherit lib; }
    // {
      types = import ./lib/types.nix { inherit lib; };
      systems = import ./lib/systems.nix { inherit lib; };

      # The configuration of modules on top of NixOS' own, with settings and the arguments that modules are called with.
      # A system among the settings takes the place of the one that would be made.
      evaluate =
        {
          modules,
          settings,
          arguments,
        }:
        let
          toplevel = settings.system.build.toplevel or null;
          build = removeAttrs (settings.system.build or { }) [ "toplevel" ];
          rest =
            settings
            // lib.optionalAttrs (settings ? system) { system = settings.system // { inherit build; }; };
        in
        (import ./nixos/lib/eval-config.nix {
          inherit lib;
          inherit (arguments) pkgs;
          specialArgs = removeAttrs arguments [
            "lib"
            "modulesPath"
            "pkgs"
          ];
          modules =
            modules ++ [ rest ] ++ lib.optional (toplevel != null) { stub = { inherit toplevel; }; };
        }).config;
    };
in
lib
