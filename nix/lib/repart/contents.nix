# What is in a partition's file system: keys of [fs.NAME] out of CopyFiles and its siblings.
{ lib, values }:
let
  inherit (values)
    each
    expand
    place
    withContextOf
    words
    ;

  # src[:dst[:options]], each with its specifiers.
  copy =
    bad: known: line:
    let
      parts = map (part: withContextOf line (expand bad "CopyFiles" known part)) (lib.splitString ":" line);
      source = lib.head parts;
      target = if lib.length parts > 1 && lib.elemAt parts 1 != "" then lib.elemAt parts 1 else source;
      options = lib.optionals (lib.length parts > 2) (lib.splitString "," (lib.elemAt parts 2));
      unknown = lib.filter (option: !lib.elem option [ "" "fsverity=off" ]) options;
    in
    if lib.hasInfix "\\" line || lib.length parts > 3 then
      bad "CopyFiles = ${line}: must be SOURCE, SOURCE:TARGET or SOURCE:TARGET:OPTIONS, without backslashes"
    else if !lib.hasPrefix "/" source then
      bad "CopyFiles = ${line}: ${source} is no absolute path"
    else if lib.elem "fsverity=copy" unknown then
      bad "CopyFiles = ${line}: fsverity=copy is not supported: Kiln's file systems have no fs-verity; leave it out"
    else if unknown != [ ] then
      bad "CopyFiles = ${line}: ${toString unknown}: no option; there are fsverity=off and fsverity=copy"
    else
      {
        inherit source;
        target = place bad "CopyFiles = ${line}" target;
      };

  link =
    bad: known: word:
    let
      parts = map (part: withContextOf word (expand bad "MakeSymlinks" known part)) (
        lib.splitString ":" word
      );
    in
    if lib.length parts != 2 || lib.last parts == "" then
      bad "MakeSymlinks = ${word}: must be LINK:TARGET"
    else
      lib.nameValuePair (place bad "MakeSymlinks = ${word}" (lib.head parts)) (lib.last parts);

  # Patterns, which begin at the folder that is copied: paths of sources (`from = "source"`) or in the file system.
  excluded =
    bad: copies: key: from: paths:
    let
      only = lib.head copies;
      base = if only.${from} == "/" then "" else only.${from};
      pattern =
        path:
        if lib.hasPrefix "${base}/" path && path != "${base}/" then
          lib.removePrefix base (if lib.hasSuffix "/" path then "${path}**" else path)
        else
          bad "${key} = ${path}: is not below ${only.${from}}, which CopyFiles takes";
    in
    if paths == [ ] then
      [ ]
    else if lib.length copies != 1 then
      bad "${key}: Kiln excludes from one source of CopyFiles, and there are ${toString (lib.length copies)}; make a folder of what shall be copied"
    else
      map (path: builtins.unsafeDiscardStringContext (pattern path)) paths;
in
{
  # Whether a definition puts anything into a file system.
  isAny =
    config: contents: storePaths:
    contents != { }
    || storePaths != [ ]
    || lib.any (key: config ? ${key} && each config.${key} != [ ]) [
      "CopyFiles"
      "MakeDirectories"
      "MakeSymlinks"
    ];

  keys =
    bad: known: config: contents:
    let
      copies =
        map (copy bad known) (lib.filter (line: line != "") (each (config.CopyFiles or [ ])))
        ++ lib.mapAttrsToList (target: entry: {
          source = "${entry.source}";
          target = place bad "contents" target;
        }) contents;
      # Several sources at one place become one folder.
      files = lib.foldl' (
        all: copy:
        all
        // {
          ${copy.target} = all.${copy.target} or [ ] ++ [ copy.source ];
        }
      ) { } copies;
      said = key: each (config.${key} or [ ]);
      exclude =
        excluded bad copies "ExcludeFiles" "source" (said "ExcludeFiles")
        ++ excluded bad copies "ExcludeFilesTarget" "target" (said "ExcludeFilesTarget");
    in
    {
      files = lib.mapAttrs (
        _: sources: if lib.length sources == 1 then lib.head sources else sources
      ) files;
      directories = map (
        path: place bad "MakeDirectories" (expand bad "MakeDirectories" known path)
      ) (words (config.MakeDirectories or [ ]));
      symlinks = lib.listToAttrs (map (link bad known) (words (config.MakeSymlinks or [ ])));
    }
    // lib.optionalAttrs (exclude != [ ]) { inherit exclude; };
}
