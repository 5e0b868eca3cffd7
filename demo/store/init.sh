#!@busybox@ sh
# Stage 2, process 1 of the demo system: checks that the image is what was put into it, one line per check, and
# powers the machine off. The root file system may be read-only.
#
# More checks are asked for by the kernel's argument kiln.checks=LIST or by QEMU's -fw_cfg name=opt/kiln.checks,string=LIST
# (demo/boot --checks). They are separated by commas:
#   fill:BYTES:INODES  that much can be written to the root file system
#   zoo:FSTYPE         what is on the second disk
export PATH=@toplevel@/sw/bin
cd /

busybox() { @busybox@ "$@"; }
busybox mkdir -p /proc /sys /dev /run /tmp /etc
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
for folder in /run /tmp /etc; do busybox mount -t tmpfs tmpfs $folder; done
busybox cp -a @toplevel@/etc/. /etc/
busybox ln -s @toplevel@ /run/current-system
busybox ln -s @toplevel@ /run/booted-system
echo "STAGE2 @toplevel@"

# check NAME COMMAND…: runs it; the first line of what it prints is the answer. Status 77 says that it does not apply.
check() {
  local name=$1 answer status=0
  shift
  answer=$("$@" 2>&1 < /dev/null) || status=$?
  case $status in
    0) echo "CHECK ok $name: $(echo "$answer" | busybox head -n 1)" ;;
    77) echo "CHECK skip $name: $answer" ;;
    *) echo "CHECK FAIL $name: $answer" ;;
  esac
}

# writable: can the root file system be written?
writable() { busybox grep -q '^[^ ]* / [^ ]* rw' /proc/mounts; }

# What is asked for, as words.
words=$(
  {
    busybox cat /proc/cmdline
    echo
    busybox cat /sys/firmware/qemu_fw_cfg/by_name/opt/kiln.checks/raw 2> /dev/null | busybox sed 's/^/kiln.checks=/'
  } | busybox tr ' ' '\n' | busybox sed -n 's/^kiln\.checks=//p' | busybox tr ',' '\n'
)

for word in $words; do
  case $word in
    fill:*) check fill @toplevel@/checks/fill "${word#fill:}" ;;
  esac
done
check grow @toplevel@/checks/grow

check bash bash -c 'echo $BASH_VERSION'
check coreutils uname -a
check systemctl systemctl --version
check perl perl -e 'print "$^V\n"'

# All of the store has the time stamp 1: nothing is newer, and everything is newer than 0.
mtimes() {
  local others
  busybox touch -d @0 /run/0
  busybox touch -d @1 /run/1
  others=$(busybox find /nix/store/* '(' -newer /run/1 -o ! -newer /run/0 ')' | busybox head -n 5)
  echo "${others:-1}"
  [ -z "$others" ]
}
check mtimes mtimes

. @toplevel@/checks/nix

for word in $words; do
  case $word in
    zoo:*) @toplevel@/checks/zoo "${word#zoo:}" ;;
  esac
done

# The kernel has found nothing wrong in the file systems.
kernel_log() {
  local complaints
  complaints=$(busybox dmesg | busybox grep -E 'EXT4-fs (error|warning)|FAT-fs.*error|SQUASHFS error|I/O error')
  echo "${complaints:-no complaints}"
  [ -z "$complaints" ]
}
check kernel-log kernel_log

echo BOOT-DONE
busybox sync
busybox mount -o remount,ro / 2> /dev/null
busybox poweroff -f
