#!@busybox@ sh
# Lists the file system on the second disk, so that a test can compare it with what it packed: zoo FSTYPE
#
# One line per file, sorted by the bytes of the name, between ZOO-BEGIN and ZOO-END:
#   ZOO <type> <mode> <size> <content> <path>
# type: f d l p s c b; mode: octal; size: bytes, 0 for folders; content: a file's sha256, a link's target, a device's
# major:minor in hex, "-" for the rest; path: begins with "./". In targets and paths every byte other than letters,
# digits and _ . , : + = @ / - is \ooo in octal.
busybox() { @busybox@ "$@"; }
work=/run/zoo-work
busybox mkdir -p /run/zoo $work
busybox mount -t "$1" -o ro /dev/vdb /run/zoo || { echo "CHECK FAIL zoo: cannot mount /dev/vdb as $1"; exit 1; }
cd /run/zoo

# One program runs over many files at a time, as starting programs is slow in an emulator: first all names, then all
# states, then all hashes, in the same order.
export LC_ALL=C
busybox find . -print0 | busybox sort -z > $work/names
busybox xargs -0 @busybox@ stat -c '%a %s %t:%T' < $work/names > $work/states
busybox find . -type f -print0 | busybox sort -z | busybox xargs -0 @busybox@ sha256sum |
  busybox grep -aE '^[0-9a-f]{64}  \./' | busybox cut -c -64 > $work/hashes

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
busybox awk -v states=$work/states -v hashes=$work/hashes '{
  getline line < states
  split(line, state, " ")
  size = $1 == "d" ? 0 : state[2]
  content = $2
  if ($1 == "f") getline content < hashes
  if ($1 == "c" || $1 == "b") content = state[3]
  print "ZOO", $1, state[1], size, content, $3
}' $work/types
echo ZOO-END
cd /
busybox umount /run/zoo
