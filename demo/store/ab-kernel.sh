# A kernel ($package) for one machine: its image, and of its modules those that $keep names.
. "$setup"
mkdir -p "$out/boot"
cp -a "$package"/boot/. "$out/boot/"
cd "$package"
for release in lib/modules/*; do
  mkdir -p "$out/$release"
  cp -a "$release"/modules.* "$out/$release/"
  for pattern in $keep; do
    for entry in "$release/kernel"/$pattern; do
      mkdir -p "$out/${entry%/*}"
      cp -a "$entry" "$out/$entry"
    done
  done
done
chmod -R u+w "$out"
