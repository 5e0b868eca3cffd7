#!@busybox@ sh
# Stage 2, process 1 of the system that updates itself: extends the disk at the first boot, starts RAUC, and then does what
# the host says. The root file system is read-only; what has to stay is in the partition called data.
#
# The host speaks through the virtio port called kiln, one command of a shell per line. Each is answered with what it
# prints, and a line with the byte 1, "status" and its status. Before the first comes such a line with "ready" and the
# slot. All of it is on the console, too.
export PATH=/run/bin:@toplevel@/sw/bin
cd /

busybox() { @busybox@ "$@"; }
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
for folder in /run /tmp /var; do busybox mount -t tmpfs tmpfs $folder; done
busybox mkdir -p /run/etc/upper /run/etc/work /run/dbus /run/lock /var/lib
busybox ln -s /run /var/run
busybox ln -s /run/lock /var/lock
# The image's own /etc says what is about the slots, the closure's the rest.
busybox mount -t overlay overlay /etc \
  -o lowerdir=/etc:@toplevel@/etc,upperdir=/run/etc/upper,workdir=/run/etc/work
busybox ln -s @toplevel@ /run/current-system
echo "STAGE2 @toplevel@"

# links: names for the partitions, as udev makes them. The kernel knows those that it has found itself.
links() {
  local entry name
  busybox mkdir -p /dev/disk/by-partlabel
  for entry in /sys/class/block/vda?; do
    name=$(busybox sed -n 's/^PARTNAME=//p' "$entry/uevent")
    [ -n "$name" ] || name=$(blkid -p -o value -s PART_ENTRY_NAME "/dev/${entry##*/}")
    [ -z "$name" ] || busybox ln -sf "/dev/${entry##*/}" "/dev/disk/by-partlabel/$name"
  done
}
links
# What systemd does at every boot: the partitions that are missing, and what fstab says.
$(busybox sed -n 's/^ExecStart=\(..*\)/\1/p' /etc/systemd/system/systemd-repart.service.d/*.conf)
links
busybox mount -a
busybox mkdir -p /data/rauc /run/rauc

busybox ifconfig lo 127.0.0.1 up
busybox ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
busybox route add default gw 10.0.2.2

dbus-daemon --config-file=/etc/dbus-1/system.conf
@toplevel@/checks/serve 12

slot=$(busybox sed -n 's/.*rauc\.slot=\([^ ]*\).*/\1/p' /proc/cmdline)
for port in /sys/class/virtio-ports/*; do
  [ "$(busybox cat "$port/name")" != kiln ] || break
done
exec 3<> "/dev/${port##*/}"
echo "READY slot $slot"
printf '\001ready %s\n' "$slot" >&3
while read -r line <&3; do
  echo "> $line"
  status=0
  busybox sh -c "$line" > /run/answer 2>&1 3>&- < /dev/null || status=$?
  busybox cat /run/answer
  echo "> status $status"
  busybox cat /run/answer >&3
  printf '\001status %s\n' "$status" >&3
done
echo "the host says nothing more"
busybox poweroff -f
