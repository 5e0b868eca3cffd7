# Every build script begins with this: plain commands are busybox's, and patchelf runs with its own libraries.
mkdir "$TMPDIR/bin"
"$tools/busybox" --install -s "$TMPDIR/bin"
export PATH="$TMPDIR/bin"
umask 022

patchelf() { "$tools/loader" --library-path "$tools" "$tools/patchelf" "$@" 2> /dev/null; }
