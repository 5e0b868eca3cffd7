# The /etc of the system.
. "$setup"
mkdir -p "$out/etc/ssl/certs"
cd "$out/etc"
echo "root:x:0:0:root:/root:$bash/bin/bash" > passwd
echo 'root:x:0:' > group
echo 'root:!:1::::::' > shadow
echo demo > hostname
ln -s "$tzdata/share/zoneinfo/UTC" localtime
ln -s "$profile" profile
cat "$certificates"/share/ca-certificates/mozilla/*.crt > ssl/certs/ca-bundle.crt
cat > os-release <<END
NAME="Kiln demo"
ID=kiln-demo
VERSION="$version"
VERSION_ID="25.11"
PRETTY_NAME="Kiln demo system, made of Debian packages"
END
