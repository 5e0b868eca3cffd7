# The reference of the modules' options, docs/module-options.md, from their declarations; nix/docs/generate writes it.
{
  lib ? import ../../tests/nix/stub-nixpkgs/lib.nix,
}:
let
  inherit (builtins)
    attrNames
    concatStringsSep
    isAttrs
    isList
    isString
    replaceStrings
    ;

  # A value as Nix writes it.
  shown =
    value:
    if isAttrs value && (value._type or "") == "literalExpression" then
      value.text
    else if isAttrs value then
      if value == { } then
        "{ }"
      else
        "{ ${concatStringsSep " " (map (name: "${name} = ${shown value.${name}};") (attrNames value))} }"
    else if isList value then
      if value == [ ] then "[ ]" else "[ ${concatStringsSep " " (map shown value)} ]"
    else if isString value then
      ''"${replaceStrings [ "\"" ] [ "\\\"" ] value}"''
    else if value == null then
      "null"
    else if value == true then
      "true"
    else if value == false then
      "false"
    else
      toString value;

  trimmed =
    text:
    let
      found = builtins.match "(.*[^\n])\n*" text;
    in
    if found == null then text else builtins.head found;
  fenced =
    text:
    if builtins.match ".*\n.*" text == null then
      " `${text}`"
    else
      "\n\n  ```nix\n  ${replaceStrings [ "\n" ] [ "\n  " ] (trimmed text)}\n  ```";

  entry =
    path: option:
    concatStringsSep "\n" (
      [
        "### `${path}`"
        ""
        (trimmed option.description)
        ""
        "* type: ${option.type.description}"
      ]
      ++ lib.optional (option ? default) "* default:${fenced (shown (option.defaultText or option.default))}"
      ++ lib.optional (option ? example) "* example:${fenced (shown option.example)}"
      ++ [ "" ]
    );

  flatten =
    path: options:
    lib.concatMap (
      name:
      let
        here = if path == "" then name else "${path}.${name}";
        option = options.${name};
      in
      if (option._type or "") == "option" then [ (entry here option) ] else flatten here option
    ) (builtins.filter (name: name != "fileSystems" && name != "swapDevices") (attrNames options));

  optionsOf =
    module:
    (import module {
      inherit lib;
      config = throw "a default needs a defaultText";
      options = { };
      pkgs = {
        inherit lib;
        stdenv.hostPlatform.efiArch = "x64";
      };
      modulesPath = "";
    }).options;
  section = title: text: module: ''
    ## ${title}

    ${text}

    ${concatStringsSep "\n" (flatten "" (optionsOf module))}'';
in
''
  # Options of the NixOS modules

  Generated from the modules by `nix/docs/generate`; [the guide](guide-nix.md) shows them at work.

''
+ section "All modules" "Which Kiln makes the image, and on which machine: what the modules share." ../modules/kiln.nix
+ "\n"
+ section "`nixosModules.image` and `nixosModules.sd-image`" "What is on a disk beside its layout." ../modules/options.nix
+ "\n"
+ section "`nixosModules.image`" "An image of a NixOS system in `system.build.image`, or as one of `image.modules`: `nixosModules.variants` has `kiln-sd`, `kiln-efi` and `kiln-sd-image` ready, and those [of virtual machines and clouds](guide-vm.md#variants-of-a-nixos-configuration)." ../modules/image.nix
+ "\n"
+ section "`kiln.layout = \"appliance\"`" "What an appliance is like, beside nixpkgs' own `system.image`, `boot.uki`, `systemd.sysupdate` and `systemd.repart`: [its guide](guide-appliance-nix.md)." ../modules/appliance.nix
+ "\n"
+ section "`nixosModules.sd-image`" "nixpkgs' `sdImage`, and the image in `system.build.sdImage`. Kiln's specification of it is under `specification` there, and its parts are under `parts`." ../modules/sd-image.nix
+ "\n"
+ section "`nixosModules.disko`" "An image of the disk that `disko.devices` says, beside disko's own module." ../modules/disko.nix
+ "\n"
+ section "`nixosModules.netboot`" "The options `netboot.*` are nixpkgs' own; one is beside them, and `system.build.netbootRamdisk` is Kiln's." ../modules/netboot.nix
+ "\n"
+ section "`nixosModules.repart`" "The options `image.repart.*` are nixpkgs' own; one is beside them." ../modules/repart.nix
+ "\n"
+ section "`nixosModules.sane-image`" "The options `sane.image.*`, and the image in `system.build.img`, with `passthru.bootFsImg`, `nixFsImg` and `withoutBootloader`." ../modules/sane-image.nix
