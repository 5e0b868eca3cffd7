# The system: what NixOS calls system.build.toplevel.
. "$setup"
mkdir -p "$out/bin" "$out/extras" "$out/checks"
kernel=$(ls "$linux"/boot/vmlinuz-*)
parameters="console=$console loglevel=4 panic=-1"
ln -s "$kernel" "$out/kernel"
ln -s "$initrd/initrd" "$out/initrd"
for folder in "$linux"/lib/linux-image-*; do
  [ ! -d "$folder" ] || ln -s "$folder" "$out/dtbs"
done
ln -s "$modules" "$out/kernel-modules"
ln -s "$etc/etc" "$out/etc"
ln -s "$sw" "$out/sw"
for extra in $extras; do ln -s "$extra" "$out/extras/"; done

printf %s "$platform" > "$out/system"
printf %s "$version" > "$out/nixos-version"
printf %s "$parameters" > "$out/kernel-params"
printf 1 > "$out/init-interface-version"
for script in $scripts; do
  name=${script##*/*-}
  case $name in
    init.sh) to=$out/init ;;
    *) to=$out/checks/${name%.sh} ;;
  esac
  sed "s|@busybox@|$busybox/bin/busybox|g; s|@toplevel@|$out|g" "$script" > "$to"
  chmod 755 "$to"
done
cat > "$out/boot.json" <<END
{
  "org.nixos.bootspec.v1": {
    "init": "$out/init",
    "initrd": "$initrd/initrd",
    "kernel": "$kernel",
    "kernelParams": ["${parameters// /\", \"}"],
    "label": "NixOS demo $version",
    "system": "$platform",
    "toplevel": "$out"
  },
  "org.nixos.specialisation.v1": {}
}
END
printf '#!%s/bin/bash\necho "nothing to switch in the demo"\n' "$sw" > "$out/bin/switch-to-configuration"
chmod 755 "$out/bin/switch-to-configuration"
