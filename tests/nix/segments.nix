# File systems of one closure without segments, and with segments that are made before, each alone and all together.
{ images, closure }:
let
  # `keys` are what file systems and segments are told alike.
  ways =
    make: keys: own: segment:
    let
      store =
        segments:
        make (
          keys
          // own
          // {
            name = "store";
            inherit closure segments;
          }
        );
    in
    {
      without = store false;
      apart = store true;
      together = store (
        images.mkSegments (
          keys
          // segment
          // {
            inherit closure;
            whole = true;
          }
        )
      );
    };
in
{
  segments = ways images.mkSquashfs { level = 1; } { } { };
  btrfs-segments = ways images.mkBtrfs { level = 1; } { compression = "zstd"; } { format = "btrfs"; };
  erofs-segments = ways images.mkErofs {
    compression = "lz4hc";
    level = 3;
    cluster-size = "64KiB";
  } { label = "nix-store"; } { format = "erofs"; };
}
