# Shell that fills a folder, where nixpkgs' extlinux-conf-builder.sh may be called. That is a program of the target, which
# another machine cannot run; Kiln makes the same menu, byte for byte. So the call is taken out, and the menu said where it
# would have been:
#
#   ${populateCmd} -c ${toplevel} -d ./files/boot      →      menu = "/boot"
#
# Any other call stays as it is, with a menu of null.
{ config, lib }:
folder: commands:
let
  inherit (builtins)
    appendContext
    elemAt
    getContext
    length
    match
    ;
  plain = builtins.unsafeDiscardStringContext;
  extlinux = config.boot.loader.generic-extlinux-compatible;
  call = extlinux.populateCmd;
  pieces = lib.splitString (plain call) (plain commands);
  found = match "[ \t]+-c[ \t]+\"?([^ \t\"]+)\"?[ \t]+-d[ \t]+\"?([.]/)?${folder}(/[^ \t\n;&|\"]*)?\"?[ \t]*([\n;].*)?" (
    elemAt pieces 1
  );
  isOurs =
    extlinux.enable
    && length pieces == 2
    && found != null
    && elemAt found 0 == plain "${config.system.build.toplevel}";
  text = value: if value == null then "" else value;
  place = text (elemAt found 2);
in
if isOurs then
  {
    menu = if place == "" then "/" else place;
    # What the builder is made of is no longer asked for.
    commands = appendContext "${elemAt pieces 0}mkdir -p ${folder}${place}${text (elemAt found 3)}" (
      removeAttrs (getContext commands) (builtins.attrNames (getContext call))
    );
  }
else
  {
    menu = null;
    inherit commands;
  }
