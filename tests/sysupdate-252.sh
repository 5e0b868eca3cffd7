#!/usr/bin/env bash
# Compiles systemd-sysupdate and what it starts, in the root that tests/long has put its source into.
set -euo pipefail
export PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C.UTF-8 CC=gcc
without=(acl apparmor audit bpf-framework dbus efi elfutils gcrypt glib gnutls kmod libcryptsetup libfido2 libidn2 libiptc lz4 man
  microhttpd p11kit pam pcre2 polkit pwquality qrencode seccomp selinux tests tpm2 xkbcommon zstd)
options=("${without[@]/#/-D}")
options=("${options[@]/%/=false}")
meson setup /build /src -Dmode=release -Doptimization=0 -Ddebug=false -Dsysupdate=true -Dimportd=true -Dblkid=true -Dfdisk=true \
  -Dlibcurl=true -Dopenssl=true -Dbzip2=true -Dxz=true -Dzlib=true "${options[@]}"
ninja -C /build systemd-sysupdate systemd-pull
mkdir -p /usr/lib/systemd /lib/systemd
cp /build/systemd-sysupdate /usr/lib/systemd/
cp /build/systemd-pull /lib/systemd/
cp /build/src/shared/libsystemd-shared-252.so /usr/lib/
