# The initial RAM disk: busybox, the kernel modules that lead to a root file system ($wanted), and an init script.
. "$setup"

mkdir -p root/bin root/dev root/proc root/sys root/mnt root/modules
cp "$busybox/bin/busybox" root/bin/
cp "$init" root/init
chmod 755 root/init

# add NAME: copies a module after those it depends on; the numbers in the names keep that order.
cd root
count=100
kernel_modules=$(echo "$linux"/lib/modules/*)
add() {
  local line file
  [ -z "$(find modules -name "[0-9]*-$1.ko")" ] || return 0
  if ! line=$(grep "/$1\.ko:" "$modules"/lib/modules/*/modules.dep); then
    grep -q "/$1\.ko$" "$kernel_modules/modules.builtin" && return
    echo "no module $1"
    exit 1
  fi
  file=${line%%:*}
  for dep in ${line#*:}; do dep=${dep##*/}; add "${dep%.ko}"; done
  cp "$kernel_modules/$file" "modules/$count-${file##*/}"
  count=$((count + 1))
}
for module in $wanted; do add "$module"; done

mkdir "$out"
find . -exec touch -h -d @1 {} +
find . | sort | cpio -o -H newc --renumber-inodes --ignore-devno | gzip -9 > "$out/initrd"
