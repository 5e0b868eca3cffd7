# What Nix knows of packages and no store does: licences, homepages, CPEs. A text for Kiln's [sbom], keyed by store paths.
#
# A store has no `meta`, and evaluation knows it only of what it is given: of `packages`, of all that these are linked with
# (buildInputs, propagatedBuildInputs), and of the C library and the compiler that their stdenv has.
{ lib }:
packages:
let
  inherit (builtins)
    concatMap
    deepSeq
    filter
    genericClosure
    isAttrs
    isList
    isString
    listToAttrs
    toJSON
    tryEval
    unsafeDiscardStringContext
    ;

  # A value, or another one where it cannot be had: nixpkgs refuses broken and unfree packages when they are looked at.
  try =
    value: other:
    let
      tried = tryEval (deepSeq value value);
    in
    if tried.success then tried.value else other;
  isPackage = value: try (isAttrs value && value.type or "" == "derivation") false;
  listed = value: if isList value then value else [ value ];
  given = lib.filterAttrs (_: value: value != null && value != [ ]);

  pathOf = drv: try (unsafeDiscardStringContext "${drv.outPath}") null;
  wrap =
    value:
    let
      key = pathOf value;
    in
    if isPackage value && key != null then
      [
        {
          inherit key;
          drv = value;
        }
      ]
    else
      [ ];
  # Lists in lists are allowed there.
  flat =
    value:
    let
      tried = tryEval value;
    in
    if !tried.success then
      [ ]
    else if isList tried.value then
      concatMap flat tried.value
    else
      [ tried.value ];
  partsOf =
    drv:
    concatMap flat [
      (drv.buildInputs or [ ])
      (drv.propagatedBuildInputs or [ ])
      (drv.stdenv.cc.libc or [ ])
      (drv.stdenv.cc.cc or [ ])
    ];
  all = genericClosure {
    startSet = concatMap wrap (listed packages);
    operator = item: concatMap wrap (partsOf item.drv);
  };

  text = value: if isString value then unsafeDiscardStringContext value else null;
  texts = value: filter isString (listed value);
  licence =
    licence:
    if isString licence then
      licence
    else
      given {
        spdxId = text (licence.spdxId or null);
        fullName = text (licence.fullName or licence.shortName or null);
        url = text (licence.url or null);
      };
  entry =
    drv: output:
    let
      meta = drv.meta or { };
      identifiers = meta.identifiers.v1 or meta.identifiers or { };
    in
    given {
      pname = text (drv.pname or null);
      version = text (drv.version or null);
      output = if output == "out" then null else output;
      description = text (meta.description or null);
      homepage = texts (meta.homepage or [ ]);
      licenses = map licence (listed (meta.license or [ ]));
      cpe = text (identifiers.cpe or null);
      purls = texts (identifiers.purls or identifiers.purl or [ ]);
    };
  outputs =
    { drv, ... }:
    let
      of = output: {
        name = pathOf (drv.${output} or drv);
        value = try (entry drv output) { };
      };
    in
    filter (one: one.name != null && one.value != { }) (map of (try (drv.outputs or [ "out" ]) [ "out" ]));
in
toJSON (listToAttrs (concatMap outputs all))
