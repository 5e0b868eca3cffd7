# The system's environment: one folder of links to the programs and data of all $packages; the first one wins.
. "$setup"
for package in $packages; do
  for folder in bin sbin lib/systemd/system share/zoneinfo share/ca-certificates; do
    case $folder in
      sbin) to=$out/bin ;;
      *) to=$out/$folder ;;
    esac
    for entry in "$package/$folder"/*; do
      [ -e "$entry" ] || continue
      mkdir -p "$to"
      [ -e "$to/${entry##*/}" ] || ln -s "$entry" "$to/"
    done
  done
done
ln -s bin "$out/sbin"
ln -sf bash "$out/bin/sh"
