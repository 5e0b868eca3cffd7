#!/bin/busybox sh
# shellcheck shell=dash
# The appliance's initrd: opens the root that the command line names by `roothash=`, as systemd's generator would, has the TPM
# told of the phase, and tries what a TPM opens in this phase only.
/bin/busybox --install -s /usr/bin 2> /dev/null
export PATH=/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=755 run /run
# said KEY: what the command line says.
said() { tr ' ' '\n' < /proc/cmdline | sed -n "s/^$1=//p"; }
/usr/lib/kiln/modules
mount -t efivarfs efivarfs /sys/firmware/efi/efivars

# fail TEXT: the kernel panics, and starts anew as `panic=` says, so that boot counting counts.
fail() {
  echo "INITRD failed: $1"
  exit 1
}
# partition DIGITS: the device of the partition with this GUID.
partition() { /usr/sbin/findfs "PARTUUID=$(echo "$1" | sed 's/\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)/\1-\2-\3-\4-/')"; }
while [ ! -b /dev/vda ]; do sleep 0.1; done
hash=$(said roothash)
data=$(partition "$(echo "$hash" | cut -c 1-32)")
tree=$(partition "$(echo "$hash" | cut -c 33-64)")
if [ ! -b "$data" ] || [ ! -b "$tree" ]; then fail "no partitions of roothash=$hash"; fi
set -- open "$data" root "$tree" "$hash"
case $(said systemd.verity_root_options) in *panic-on-corruption*) set -- "$@" --panic-on-corruption ;; esac
# The signature is in the partition whose text is about this hash.
for entry in /sys/class/block/vda?*; do
  device=/dev/${entry##*/}
  text=$(head -c 4096 "$device" | tr -d '\0')
  case $text in
    "{\"rootHash\":\"$hash\""*)
      echo "$text" | sed 's/.*"signature":"\([^"]*\)".*/\1/' | base64 -d > /run/signature
      set -- "$@" --root-hash-signature=/run/signature
      ;;
  esac
done
veritysetup "$@" || fail "no root under roothash=$hash"
mount -t erofs -o ro /dev/mapper/root /root || fail "no file system in the root"
echo "INITRD root $data"

# The stub leaves what came with the image in /.extra; the TPM's tools are those of the root, which is trusted by now.
for folder in dev proc sys run; do mount --move "/$folder" "/root/$folder"; done
mkdir -p /root/run/systemd
for file in tpm2-pcr-signature.json tpm2-pcr-public-key.pem; do
  [ ! -e "/.extra/$file" ] || cp "/.extra/$file" /root/run/systemd/
done
if [ -e /root/sys/class/tpm/tpm0 ]; then
  pcrextend="chroot /root /usr/lib/systemd/systemd-pcrextend --graceful"
  $pcrextend enter-initrd
  echo "INITRD pcr11 $(cat /root/sys/class/tpm/tpm0/pcr-sha256/11)"
  secret=/.extra/global_credentials/secret.cred
  if [ -e "$secret" ]; then
    cp "$secret" /root/run/secret.cred
    echo "INITRD secret $(chroot /root systemd-creds --name=secret decrypt /run/secret.cred - 2>&1)"
  fi
  $pcrextend leave-initrd
fi
exec switch_root /root /usr/lib/systemd/systemd
