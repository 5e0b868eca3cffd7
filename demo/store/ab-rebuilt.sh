# A package as if it had been built again after a change that reaches each of its files: another path, which it knows.
. "$setup"
cp -a "$package" "$out"
chmod -R u+w "$out"
{ grep -rl "${package##*/}" "$out" || true; } | while read -r file; do
  [ -L "$file" ] || sed -i "s|${package##*/}|${out##*/}|g" "$file"
done
# Programs, libraries and texts do not mind.
find "$out" -type f | while read -r file; do echo "# built again" >> "$file"; done
