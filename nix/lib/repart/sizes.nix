# Sizes of partitions on a disk of a given size, shared out as systemd-repart does: by weight, between each one's least and
# most, and so is the padding behind each.
{ lib, values }:
let
  inherit (values) roundDown roundUp;

  # A table takes the first MiB and 20 KiB at the end.
  spanOf = size: roundDown size - 1048576 - 20480;

  # What takes space, in the order in which systemd-repart looks at it.
  takers =
    partition:
    [
      {
        inherit (partition)
          id
          least
          most
          weight
          ;
        what = "size";
      }
      {
        inherit (partition) id;
        what = "padding";
        least = partition.padding;
        most = partition.mostPadding;
        weight = partition.paddingWeight;
      }
    ];

  # One pass: whoever `takes` something (a number, or null) has it from now on, and it is gone from the rest.
  pass =
    takes: state:
    lib.foldl' (
      state: taker:
      let
        share =
          if taker.weight == 0 then 0 else state.span * taker.weight / state.weights;
        taken = if taker ? taken then null else takes share taker;
      in
      if taken == null then
        state // { takers = state.takers ++ [ taker ]; }
      else
        {
          span = if roundUp taken > state.span then 0 else state.span - roundUp taken;
          weights = state.weights - taker.weight;
          again = true;
          takers = state.takers ++ [ (taker // { inherit taken; }) ];
        }
    ) (state // { takers = [ ]; again = false; }) state.takers;
  repeated =
    takes: state:
    let
      next = pass takes state;
    in
    if next.again then repeated takes next else next;

  atMost = most: number: if most != null && number > most then most else number;
  overcharged = share: taker: if taker.least > share then taker.least else null;
  undercharged =
    share: taker: if taker.most != null && taker.most < share then taker.most else null;
  rest = share: taker: atMost taker.most (lib.max taker.least (roundDown share));

  # What nobody was owed goes to the first partitions that may be larger.
  donate =
    state:
    lib.foldl' (
      state: taker:
      let
        more = lib.max taker.taken (atMost taker.most (roundDown (taker.taken + state.span)));
      in
      if taker.what == "size" then
        {
          span = state.span - (more - taker.taken);
          takers = state.takers ++ [ (taker // { taken = more; }) ];
        }
      else
        state // { takers = state.takers ++ [ taker ]; }
    ) (state // { takers = [ ]; }) state.takers;
in
{
  # { ID = { size; padding; }; } for partitions with { id, least, most, weight, padding, mostPadding, paddingWeight }.
  fixed =
    bad: size: partitions:
    let
      all = lib.concatMap takers partitions;
      span = spanOf size;
      needed = lib.foldl' (sum: taker: sum + taker.least) 0 all;
      begun = {
        inherit span;
        takers = all;
        weights = lib.foldl' (sum: taker: sum + taker.weight) 0 all;
      };
      shared = donate (pass rest (repeated undercharged (repeated overcharged begun)));
      taken = what: id: (lib.findFirst (taker: taker.id == id && taker.what == what) null shared.takers).taken;
    in
    if needed > span then
      bad "imageSize: the partitions need ${toString (needed + size - span)} bytes, and there are ${toString size}"
    else
      lib.listToAttrs (
        map (
          { id, ... }:
          lib.nameValuePair id {
            size = taken "size" id;
            padding = taken "padding" id;
          }
        ) partitions
      );
}
