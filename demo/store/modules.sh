# The kernel's modules as a folder of links, with the dependency list that Debian makes at installation.
. "$setup"
release=$(ls "$linux/lib/modules")
folder=$out/lib/modules/$release
mkdir -p "$folder"
ln -s "$linux/lib/modules/$release"/* "$folder/"
depmod -n -b "$linux" "$release" | grep '\.ko:' | sort > "$folder/modules.dep"
