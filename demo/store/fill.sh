#!@busybox@ sh
# Uses up what the image promises to have left in its root file system: fill BYTES:INODES
#
# Makes a folder with files, as many together as there are inodes promised, and writes into one of them until nothing
# more fits. What all of this takes must come to the promised bytes. Removes it in the end.
busybox() { @busybox@ "$@"; }
bytes=${1%:*} inodes=${1#*:}
busybox mkdir /fill && cd /fill || exit 1
busybox seq 3 "$inodes" | busybox xargs @busybox@ touch
busybox dd if=/dev/zero of=data bs=64k 2> /run/fill.log
busybox sync
made=$(($(busybox find . | busybox wc -l)))
used=$(($(busybox du -s -k . | busybox cut -f 1) * 1024))
echo "$used bytes and $made inodes; promised are $bytes and $inodes"
cd /
busybox rm -r /fill
busybox sync
[ "$used" -ge "$bytes" ] && [ "$made" -ge "$inodes" ]
