#!@busybox@ sh
# Makes the RAUC of Debian 12 or 13 the one that the device has: serve 12 | 13
export PATH=@toplevel@/sw/bin
busybox() { @busybox@ "$@"; }
case $1 in
  12) program=@toplevel@/sw/bin/rauc ;;
  13) for program in @toplevel@/extras/*-rauc-*/bin/rauc; do :; done ;;
esac
busybox killall rauc 2> /dev/null
while busybox pidof rauc > /dev/null; do busybox sleep 0.1; done
busybox mkdir -p /run/bin
busybox ln -sf "$program" /run/bin/rauc
rauc=/run/bin/rauc
$rauc service > /run/rauc.log 2>&1 &
tries=0
until $rauc status > /run/status 2>&1; do
  tries=$((tries + 1))
  [ $tries -lt 50 ] || { busybox cat /run/rauc.log /run/status; exit 1; }
  busybox sleep 0.2
done
$rauc --version
