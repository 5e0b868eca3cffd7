#!@busybox@ sh
# Grows the partition with the root file system to the end of the disk, and the file system with it, while it is mounted:
# what NixOS does at the first boot of an SD card. The partition must be the last one.
busybox() { @busybox@ "$@"; }
skip() { echo "$*"; exit 77; }
number() { busybox cat "$partition/$1"; }

partition=$(busybox readlink -f "/sys/dev/block/$(mountpoint -d /)")
[ -e "$partition/partition" ] || skip "the root file system is not in a partition"
device=/dev/${partition##*/} folder=${partition%/*}
disk=/dev/${folder##*/}
busybox grep -q "^[^ ]* / ext4 rw" /proc/mounts || skip "the root file system is not a writable ext4"

# Sectors behind the partition; one MiB may be lost to alignment and to the copy of a table.
behind() { echo $(($(busybox cat "$folder/size") - $(number start) - $(number size))); }
[ "$(behind)" -gt 2048 ] || skip "the disk ends with the partition"

# counts: the blocks and the inodes of the file system.
counts() { dumpe2fs -h "$device" 2> /dev/null | busybox sed -nE 's/^(Inode|Block) count: *//p' | busybox tr '\n' ' '; }
read -r inodes blocks <<END
$(counts)
END
start=$(busybox date +%s)
{
  echo ', +' | sfdisk --no-reread --partno "$(number partition)" "$disk" &&
    partx --update "$disk" &&
    resize2fs "$device"
} > /run/grow.log 2>&1 || { busybox cat /run/grow.log; exit 1; }
read -r inodes_now blocks_now <<END
$(counts)
END
echo "from $blocks to $blocks_now blocks, from $inodes to $inodes_now inodes in $(($(busybox date +%s) - start)) s"

# Less than a group, 128 MiB, may be left over.
[ "$(behind)" -le 2048 ] && [ "$blocks_now" -gt $(($(number size) / 8 - 32768)) ] && [ "$inodes_now" -gt "$inodes" ]
