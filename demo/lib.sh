# Functions that the demo's scripts share. Sourced, never run.
# shellcheck shell=bash

# The Debian release that the demo's store and boot loader come from.
suite=${SUITE:-bookworm}

# The tools that the demo takes from Debian: command or file, package, what the demo needs it for.
demo_tools() {
  cat <<'END'
nix-build             nix-bin                 makes the store (in its own folder, /nix is never touched)
busybox               busybox-static          the shell and the tools inside Nix's build sandbox
patchelf              patchelf                points Debian's programs at libraries in the store
dpkg-deb              dpkg                    reads Debian packages
cc                    build-essential         compiles the C libraries inside kiln
python3               python3                 groups Debian packages into store paths
qemu-system-aarch64   qemu-system-arm         boots the arm64 images
/usr/lib/u-boot/qemu_arm64/u-boot.bin  u-boot-qemu  the boot loader of QEMU's arm64 machine
qemu-system-x86_64    qemu-system-x86         boots the amd64 image
/usr/share/ovmf/OVMF.fd  ovmf                 the UEFI firmware of QEMU's amd64 machine
swtpm                 swtpm                   is the TPM of that machine
tpm2                  tpm2-tools              prepares it
readelf               binutils                finds the libraries that an appliance's programs need
xz                    xz-utils                unpacks its kernel's modules
zstd                  zstd                    packs its initrd
openssl               openssl                 makes keys and certificates for signed bundles
/usr/sbin/nginx       nginx-light             serves bundles to the device that updates itself
/usr/share/keyrings/debian-archive-keyring.gpg  debian-archive-keyring  checks the packages' signatures
END
}

# Who speaks: what lines begin with.
speaker=demo

# say TEXT…: one line about what happens now.
say() { printf '%s: %s\n' "$speaker" "$*"; }

# die TEXT…: says what is wrong and stops.
die() { printf '%s: error: %s\n' "$speaker" "$*" >&2; exit 1; }

# have THING: is this command, or this file, here?
have() { case $1 in /*) [ -e "$1" ] ;; *) command -v "$1" >/dev/null ;; esac; }

# need THING…: stops unless all of them are here.
need() {
  local thing
  for thing; do
    have "$thing" || die "$thing is missing: run demo/install first"
  done
}

# beside COMMAND…: runs it in the background; what it says is kept until `join`.
beside() {
  beside_log=$(mktemp)
  "$@" > "$beside_log" 2>&1 &
  beside_pid=$!
}

# join: waits for what runs beside, says what it said, and fails as it did. Nothing to wait for is no error.
join() {
  local status=0
  [ -n "${beside_pid:-}" ] || return 0
  wait "$beside_pid" || status=$?
  cat "$beside_log"
  rm -f "$beside_log"
  beside_pid=
  return "$status"
}

# install_missing < TABLE: installs what is missing from Debian's packages, and says why. The table's lines are like those
# of demo_tools. Installs nothing and needs no rights when everything is here already.
install_missing() {
  local thing package why packages=() sudo=() log
  while read -r thing package why; do
    have "$thing" && continue
    say "installing $package: $why"
    packages+=("$package")
  done
  [ "${#packages[@]}" -gt 0 ] || return 0
  have apt-get || die "no apt-get here: the tools come from Debian 12 packages (${packages[*]})"
  if [ "$(id -u)" != 0 ]; then
    have sudo || die "not root and no sudo: have someone run apt-get install ${packages[*]}"
    sudo=(sudo)
  fi
  log=$(mktemp)
  if ! { "${sudo[@]}" apt-get -q update &&
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${packages[@]}"
  } > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install ${packages[*]}"
  fi
  rm -f "$log"
}

# debian_mirror: the address of the archive that this machine's own apt uses; MIRROR overrides it.
debian_mirror() {
  local mirror=${MIRROR:-}
  if [ -z "$mirror" ]; then
    # shellcheck disable=SC2016 # apt-get replaces $(REPO_URI)
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' |
      sort -u | head -n 1)
  fi
  [ -n "$mirror" ] || die "apt knows no Debian archive: run apt-get update, or set MIRROR"
  printf '%s\n' "$mirror"
}

# debian_apt ARCH DIR ARGS…: apt-get for Debian's packages of an architecture, with lists and state of its own under DIR.
debian_apt() {
  local arch=$1 dir=$2 keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror
  shift 2
  if [ ! -e "$dir/updated" ]; then
    need apt-get "$keyring"
    mirror=$(debian_mirror)
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    : > "$dir/status"
    echo "deb [signed-by=$keyring] $mirror $suite main" > "$dir/sources.list"
    cat > "$dir/apt.conf" <<END
APT::Architecture "$arch";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
Dir::State::Lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/nonexistent";
#clear APT::Architectures;
APT::Architectures:: "$arch";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
END
    apt-get -qq -c "$dir/apt.conf" update
    : > "$dir/updated"
  fi
  apt-get -qq -c "$dir/apt.conf" "$@"
}
