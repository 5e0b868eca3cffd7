#!/bin/sh
# Does in the appliance what the host says, as demo/store/ab-init.sh does: the virtio port called kiln has one command of a
# shell per line. Each is answered with what it prints, and a line with the byte 1, "status" and its status. Before the first
# comes such a line with "ready" and the version that runs. All of it is on the console, too.
export PATH=/usr/bin:/usr/sbin HOME=/root
busybox() { /usr/bin/busybox "$@"; }
busybox ifconfig lo 127.0.0.1 up
busybox ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
for port in /sys/class/virtio-ports/*; do
  [ "$(busybox cat "$port/name")" != kiln ] || break
done
exec 3<> "/dev/${port##*/}"
. /etc/os-release
echo "READY version $IMAGE_VERSION"
printf '\001ready %s\n' "$IMAGE_VERSION" >&3
while read -r line <&3; do
  echo "> $line"
  status=0
  sh -c "$line" > /run/answer 2>&1 3>&- < /dev/null || status=$?
  busybox cat /run/answer
  echo "> status $status"
  busybox cat /run/answer >&3
  printf '\001status %s\n' "$status" >&3
done
