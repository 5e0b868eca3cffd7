#!@busybox@ sh
# Lists the file system on the second disk, so that a test can compare it with what it packed: zoo FSTYPE
#
# One line per file, sorted by the bytes of the name, between ZOO-BEGIN and ZOO-END:
#   ZOO <type> <mode> <size> <content> <path>
# type: f d l p s c b; mode: octal; size: bytes, 0 for folders; content: a file's sha256, a link's target, a device's
# major:minor in hex, "-" for the rest; path: begins with "./". In targets and paths every byte other than letters,
# digits and _ . , : + = @ / - is \ooo in octal.
#
# An emulator is slow, so two things are shortened. Of a file above 64 MiB the content is the sha256 of its first two
# MiB and what begins at its last whole MiB. And the entries of a folder that has more than 5000 of them get no lines
# of their own; behind the lines comes, with the sha256 of the lines "<mode and type in hex> <size> <path>" for them,
#   ZOO-CROWD <count> <sha256> <path>
# The paths of such folders have to consist of plain letters.
busybox() { @busybox@ "$@"; }
work=/run/zoo-work
busybox mkdir -p /run/zoo $work
busybox mount -t "$1" -o ro /dev/vdb /run/zoo || { echo "CHECK FAIL zoo: cannot mount /dev/vdb as $1"; exit 1; }
cd /run/zoo

# One program runs over many files at a time, as starting programs is slow in an emulator: first all names, then all
# states, then all hashes, in the same order.
export LC_ALL=C
busybox find . -print0 | busybox tr '\n\0' '?\n' | busybox awk '
  { sub("/[^/]*$", ""); count[$0]++ }
  END { for (folder in count) if (count[folder] > 5000) print folder }' | busybox sort > $work/crowds
set --
while read -r folder; do set -- "$@" -path "$folder/*" -prune -o; done < $work/crowds

busybox find . "$@" -print0 | busybox sort -z > $work/names
busybox xargs -0 @busybox@ stat -c '%a %s %t:%T' < $work/names > $work/states
busybox find . "$@" -type f ! -size +131072 -print0 | busybox sort -z | busybox xargs -0 @busybox@ sha256sum |
  busybox grep -aE '^[0-9a-f]{64}  \./' | busybox cut -c -64 > $work/hashes
cat > $work/ends.sh <<'END'
for path; do
  last=$(($(stat -c %s "$path") / 1048576 - 1))
  { dd if="$path" bs=1M count=2; dd if="$path" bs=1M skip=$last; } 2> /dev/null | sha256sum | cut -c -64
done
END
busybox find . "$@" -type f -size +131072 -print0 | busybox sort -z |
  busybox xargs -0 -r @busybox@ sh $work/ends.sh > $work/ends

cat > $work/types.sh <<'END'
escape() {
  case $1 in
    *[!A-Za-z0-9_.,:+=@/-]*)
      printf %s "$1" | od -An -v -t o1 -w1 | awk '
        BEGIN {
          for (i = 33; i < 127; i++) {
            c = sprintf("%c", i)
            if (c == "/" || c ~ /[A-Za-z0-9_.,:+=@-]/) plain[sprintf("%03o", i)] = c
          }
        }
        { printf "%s", $1 in plain ? plain[$1] : "\\" $1 }' ;;
    *) printf %s "$1" ;;
  esac
}
for path; do
  content=-
  if [ -L "$path" ]; then
    type=l
    content=$(readlink -n "$path"; echo x)
    content=$(escape "${content%x}")
  elif [ -f "$path" ]; then type=f
  elif [ -d "$path" ]; then type=d
  elif [ -p "$path" ]; then type=p
  elif [ -S "$path" ]; then type=s
  elif [ -c "$path" ]; then type=c
  else type=b
  fi
  printf '%s %s ' "$type" "$content"
  escape "$path"
  echo
done
END
busybox xargs -0 @busybox@ sh $work/types.sh < $work/names > $work/types

echo ZOO-BEGIN
busybox awk -v states=$work/states -v hashes=$work/hashes -v ends=$work/ends '{
  getline line < states
  split(line, state, " ")
  size = $1 == "d" ? 0 : state[2]
  content = $2
  if ($1 == "f" && size > 67108864) getline content < ends
  else if ($1 == "f") getline content < hashes
  if ($1 == "c" || $1 == "b") content = state[3]
  print "ZOO", $1, state[1], size, content, $3
}' $work/types
while read -r folder; do
  busybox find "$folder" -mindepth 1 -maxdepth 1 -print0 | busybox sort -z |
    busybox xargs -0 @busybox@ stat -c '%f %s %n' > $work/crowd
  hash=$(busybox sha256sum < $work/crowd)
  echo "ZOO-CROWD $(busybox wc -l < $work/crowd) ${hash%% *} $folder"
done < $work/crowds
echo ZOO-END
cd /
busybox umount /run/zoo
