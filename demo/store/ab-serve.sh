#!@busybox@ sh
# Which RAUC the device has: serve 12 | 13 starts the one of that release of Debian. D-Bus starts it, by `serve` alone, and
# says when it is there.
export PATH=@toplevel@/sw/bin
busybox() { @busybox@ "$@"; }
case ${1-} in
  12) program=@toplevel@/sw/bin/rauc ;;
  13) for program in @toplevel@/extras/*-rauc-*/bin/rauc; do :; done ;;
  '') exec /run/bin/rauc service > /run/rauc.log 2>&1 ;;
esac
busybox killall rauc 2> /dev/null
while busybox pidof rauc > /dev/null; do busybox sleep 0.1; done
busybox mkdir -p /run/bin
busybox ln -sf "$program" /run/bin/rauc
dbus-send --system --print-reply --reply-timeout=300000 --dest=org.freedesktop.DBus /org/freedesktop/DBus \
  org.freedesktop.DBus.StartServiceByName string:de.pengutronix.rauc uint32:0 > /run/started 2>&1 ||
  { busybox cat /run/started /run/rauc.log; exit 1; }
