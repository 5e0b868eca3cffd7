# A package with several outputs that refer to each other.
. "$setup"
mkdir -p "$out/bin" "$dev/include" "$lib/lib"
echo "uses $lib" > "$out/bin/program"
echo "describes $out and $lib" > "$dev/include/header.h"
echo library > "$lib/lib/library.so"
