# Files that image builders get wrong.
. "$setup"
mkdir "$out"
cd "$out"

# repeat TEXT COUNT
repeat() { printf "$1%.0s" $(seq 1 "$2"); }

mkdir names
echo latin1 > "names/$(printf 'latin1-\351')"
echo utf8 > 'names/ü-名前'
echo control > "names/$(printf 'control-\001-tab\t-newline\n-end')"
echo quote > "names/quote\"'\\back slash"
echo dash > names/-dash
echo dots > names/...
echo upper > names/Case
echo lower > names/case
echo long > "names/$(repeat L 255)"

mkdir many sizes duplicates empty-folder links
for i in $(seq 1 3000); do echo "$i" > "many/file-number-$i"; done
deep=deep$(repeat /level 40)
mkdir -p "$deep"
echo bottom > "$deep/leaf"

for size in 0 1 59 60 61 159 160 4095 4096 4097 65536 131071 131072 131073 1048575 1048576 1048577; do
  { yes "$size" || true; } | head -c "$size" > "sizes/$size"
done
for i in $(seq 1 64); do cp sizes/131073 "duplicates/copy-$i"; done
truncate -s 20M all-zero
truncate -s 3M zeros-then-text
echo text >> zeros-then-text
echo text > text-then-zeros
truncate -s 3M text-then-zeros
: > empty-file
echo 'echo executable' > executable
chmod 755 executable

for length in 59 60 61 100 500 4000; do ln -s "$(repeat t "$length")" "links/target-$length"; done
ln -s "$out/executable" links/absolute
ln -s ../executable links/relative
ln -s /nonexistent/target links/dangling
ln -s . links/loop
echo "$out" > self-reference
echo "$reference" > reference
