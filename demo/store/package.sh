# Turns Debian packages ($debs) into one store path: unpacks them, drops the /usr level, and points links, programs
# and scripts at this path and the ones it depends on ($deps). $glibc, $bash and $perl are empty in what those
# three depend on. $omit names what is left out.
. "$setup"

# merge FROM TO: moves all entries of a folder into another one, which may have folders of the same names.
merge() {
  local entry to
  for entry in "$1"/* "$1"/.[!.]*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    to=$2/${entry##*/}
    if [ -d "$to" ] && [ -d "$entry" ] && [ ! -L "$entry" ]; then merge "$entry" "$to"; else mv "$entry" "$2/"; fi
  done
}

mkdir "$out"
cd "$out"
for deb in $debs; do
  ar -p "$deb" data.tar.xz | xz -dc | tar -x --no-same-owner --no-same-permissions
done
if [ -d usr ]; then
  mv usr .usr
  merge .usr .
  rm -r .usr
fi
rm -rf $omit # patterns
[ ! -x bin/bash ] || bash=$out
[ ! -x bin/perl ] || perl=$out

# Links: absolute ones, and those that dangle now, lead to the same name in this path or a dependency.
find . -type l | while read -r link; do
  target=$(readlink "$link")
  case $target in
    /*) name=${target#/} ;;
    *) [ -e "$link" ] && continue; name=$(echo "$target" | sed 's|^\(\.\./\)*||') ;;
  esac
  for root in "$out" $deps; do
    for name in "${name#usr/}" "$(dirname "$link")/$target"; do
      if [ -e "$root/$name" ] && [ ! "$root/$name" -ef "$link" ]; then ln -sfn "$root/${name#./}" "$link"; break 2; fi
    done
  done
done

# Where this path's programs may find libraries; patchelf keeps what each one needs.
libraries=
for root in "$out" $deps; do
  for folder in "lib/$triplet" "lib/$triplet/systemd" "lib/$triplet"/perl/*/CORE lib/nix; do
    [ -d "$root/$folder" ] && libraries=$libraries${libraries:+:}$root/$folder
  done
done

# interpreter LINE: the store's program for the first line of a script, with its arguments; or nothing.
interpreter() {
  local words program
  words=${1#??}
  set -- $words
  case ${1##*/} in
    env) shift; program=$1 ;;
    *) program=${1##*/} ;;
  esac
  shift
  case $program in
    sh | bash | dash) [ -z "$bash" ] || echo "$bash/bin/bash${*:+ $*}" ;;
    perl) [ -z "$perl" ] || echo "$perl/bin/perl${*:+ $*}" ;;
  esac
}

elf=$(printf '\177ELF')
find . -type f \( -perm -100 -o -name '*.so*' \) | while read -r file; do
  magic=
  IFS= read -r -n 4 magic < "$file" || true
  case $magic in
    "$elf")
      [ -n "$glibc" ] || continue
      patchelf --set-interpreter "$glibc/lib/$triplet/$linker" --set-rpath "$libraries" "$file" ||
        patchelf --set-rpath "$libraries" "$file" ||
        continue # statically linked
      patchelf --shrink-rpath "$file"
      ;;
    '#!'*)
      read -r line < "$file"
      program=$(interpreter "$line")
      [ -z "$program" ] || sed -i "1s|.*|#!$program|" "$file"
      ;;
  esac
done
