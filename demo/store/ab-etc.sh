# The /etc of the system that updates itself; what is about its slots comes from the image's specification.
. "$setup"
mkdir -p "$out/etc/dbus-1/services"
cd "$out/etc"
# RAUC fetches bundles as nobody.
cat > passwd <<END_OF_USERS
root:x:0:0:root:/root:$bash/bin/bash
nobody:x:65534:65534:nobody:/:/bin/false
END_OF_USERS
printf 'root:x:0:\nnogroup:x:65534:\n' > group
echo 'root:!:1::::::' > shadow
echo demo > hostname
ln -s "$tzdata/share/zoneinfo/UTC" localtime
ln -s /proc/self/mounts mtab
cat > os-release <<END_OF_RELEASE
NAME="Kiln demo"
ID=kiln-demo
VERSION="$version"
VERSION_ID="25.11"
PRETTY_NAME="Kiln demo system that updates itself, made of Debian packages"
END_OF_RELEASE
# Only root is at work on this machine. See ab-serve.sh.
cat > dbus-1/services/de.pengutronix.rauc.service <<END_OF_SERVICE
[D-BUS Service]
Name=de.pengutronix.rauc
User=root
Exec=/run/current-system/checks/serve
END_OF_SERVICE
cat > dbus-1/system.conf <<END_OF_BUS
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <fork/>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <servicedir>/etc/dbus-1/services</servicedir>
  <limit name="service_start_timeout">300000</limit>
  <policy context="default">
    <allow user="root"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
END_OF_BUS
