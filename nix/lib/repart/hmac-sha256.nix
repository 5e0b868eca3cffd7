# HMAC-SHA256 (RFC 2104, FIPS 180-4) over lists of bytes. Nix hashes texts alone, and what systemd-repart hashes are the bytes
# of ids, some of which are zeros.
let
  inherit (builtins)
    bitAnd
    bitOr
    bitXor
    concatMap
    elemAt
    foldl'
    genList
    length
    ;
  word = number: bitAnd number 4294967295;
  powers = genList (power: foldl' (all: _: all * 2) 1 (genList (index: index) power)) 33;
  right = count: number: number / elemAt powers count;
  rotated = count: number: bitOr (right count number) (word (number * elemAt powers (32 - count)));
  xor = one: other: third: bitXor (bitXor one other) third;

  start = [
    1779033703
    3144134277
    1013904242
    2773480762
    1359893119
    2600822924
    528734635
    1541459225
  ];
  constants = [
    1116352408
    1899447441
    3049323471
    3921009573
    961987163
    1508970993
    2453635748
    2870763221
    3624381080
    310598401
    607225278
    1426881987
    1925078388
    2162078206
    2614888103
    3248222580
    3835390401
    4022224774
    264347078
    604807628
    770255983
    1249150122
    1555081692
    1996064986
    2554220882
    2821834349
    2952996808
    3210313671
    3336571891
    3584528711
    113926993
    338241895
    666307205
    773529912
    1294757372
    1396182291
    1695183700
    1986661051
    2177026350
    2456956037
    2730485921
    2820302411
    3259730800
    3345764771
    3516065817
    3600352804
    4094571909
    275423344
    430227734
    506948616
    659060556
    883997877
    958139571
    1322822218
    1537002063
    1747873779
    1955562222
    2024104815
    2227730452
    2361852424
    2428436474
    2756734187
    3204031479
    3329325298
  ];

  # Big-endian words out of bytes, and back.
  words =
    bytes:
    genList (
      index: foldl' (sum: place: sum * 256 + elemAt bytes (4 * index + place)) 0 [ 0 1 2 3 ]
    ) (length bytes / 4);
  bytesOf = number: map (count: bitAnd (right count number) 255) [ 24 16 8 0 ];

  # The sixteen words of a block, and what follows from them.
  schedule =
    block:
    foldl' (
      all: index:
      let
        at = elemAt all;
        older = at (index - 15);
        newer = at (index - 2);
        one = xor (rotated 7 older) (rotated 18 older) (right 3 older);
        two = xor (rotated 17 newer) (rotated 19 newer) (right 10 newer);
        sum = word (at (index - 16) + one + at (index - 7) + two);
      in
      builtins.seq sum (all ++ [ sum ])
    ) block (genList (index: index + 16) 48);

  round =
    expanded: state: index:
    let
      at = elemAt state;
      a = at 0;
      b = at 1;
      c = at 2;
      e = at 4;
      sums = xor (rotated 6 e) (rotated 11 e) (rotated 25 e);
      choice = bitXor (bitAnd e (at 5)) (bitAnd (bitXor e 4294967295) (at 6));
      one = at 7 + sums + choice + elemAt constants index + elemAt expanded index;
      majority = xor (bitAnd a b) (bitAnd a c) (bitAnd b c);
      two = xor (rotated 2 a) (rotated 13 a) (rotated 22 a) + majority;
      first = word (one + two);
      fifth = word (at 3 + one);
    in
    builtins.seq first (
      builtins.seq fifth [
        first
        a
        b
        c
        fifth
        e
        (at 5)
        (at 6)
      ]
    );

  compress =
    state: block:
    let
      ended = foldl' (round (schedule block)) state (genList (index: index) 64);
    in
    genList (index: word (elemAt state index + elemAt ended index)) 8;

  sha256 =
    bytes:
    let
      count = length bytes;
      zeros = 63 - (count + 8 - (count + 8) / 64 * 64);
      padded = words (
        bytes ++ [ 128 ] ++ genList (_: 0) zeros ++ bytesOf (right 32 (count * 8)) ++ bytesOf (word (count * 8))
      );
      blocks = genList (block: genList (index: elemAt padded (16 * block + index)) 16) (length padded / 16);
    in
    concatMap bytesOf (foldl' compress start blocks);

  # A key of no more bytes than a block has.
  masked = mask: key: map (bitXor mask) (key ++ genList (_: 0) (64 - length key));
in
key: message: sha256 (masked 92 key ++ sha256 (masked 54 key ++ message))
