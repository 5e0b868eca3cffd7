# The channel that nixos-install leaves for root: nixpkgs itself, so that `nixos-rebuild` on the machine has it.
{
  config,
  lib,
  pkgs,
  # Files are the same for all machines, so that the builder's own makes them.
  buildPkgs,
}:
let
  inherit (config.system) nixos;
  profiles = "/nix/var/nix/profiles/per-user/root";
in
rec {
  package = buildPkgs.runCommand "nixos-${nixos.version}" { } ''
    mkdir -p "$out"
    cp -prd ${lib.cleanSource pkgs.path} "$out/nixos"
    chmod -R u+w "$out/nixos"
    if [ ! -e "$out/nixos/nixpkgs" ]; then ln -s . "$out/nixos/nixpkgs"; fi
    rm -rf "$out/nixos/.git"
    printf '%s' ${lib.escapeShellArg (nixos.versionSuffix or "")} > "$out/nixos/.version-suffix"
  '';
  symlinks = {
    "${profiles}/channels" = "channels-1-link";
    "${profiles}/channels-1-link" = "${package}";
    "/root/.nix-defexpr/channels" = "${profiles}/channels";
  };
  attributes = [
    {
      path = "/root{,/.nix-defexpr}";
      mode = "0700";
    }
  ];
}
