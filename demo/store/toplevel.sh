# The system: what NixOS calls system.build.toplevel.
. "$setup"
mkdir -p "$out/bin" "$out/extras"
kernel=$(ls "$linux"/boot/vmlinuz-*)
parameters="console=ttyAMA0 loglevel=4"
ln -s "$kernel" "$out/kernel"
ln -s "$initrd/initrd" "$out/initrd"
ln -s "$(ls -d "$linux"/lib/linux-image-*)" "$out/dtbs"
ln -s "$modules" "$out/kernel-modules"
ln -s "$etc/etc" "$out/etc"
ln -s "$sw" "$out/sw"
for extra in $extras; do ln -s "$extra" "$out/extras/"; done

printf aarch64-linux > "$out/system"
printf %s "$version" > "$out/nixos-version"
printf %s "$parameters" > "$out/kernel-params"
printf 1 > "$out/init-interface-version"
for script in init zoo; do
  eval "from=\$$script"
  sed "s|@busybox@|$busybox/bin/busybox|g; s|@toplevel@|$out|g" "$from" > "$out/$script"
  chmod 755 "$out/$script"
done
cat > "$out/boot.json" <<END
{
  "org.nixos.bootspec.v1": {
    "init": "$out/init",
    "initrd": "$initrd/initrd",
    "kernel": "$kernel",
    "kernelParams": ["console=ttyAMA0", "loglevel=4"],
    "label": "NixOS demo $version",
    "system": "aarch64-linux",
    "toplevel": "$out"
  },
  "org.nixos.specialisation.v1": {}
}
END
printf '#!%s/bin/bash\necho "nothing to switch in the demo"\n' "$sw" > "$out/bin/switch-to-configuration"
chmod 755 "$out/bin/switch-to-configuration"
