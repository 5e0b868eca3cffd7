# What the scripts that test Kiln share. Sourced, never run; the caller has sourced demo/lib.sh.
# shellcheck shell=bash

# Programs of administrators are not on everybody's PATH, nor is what cargo installs.
export PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/usr/sbin:/sbin
# The newer RAUC, btrfs-progs, erofs-utils, ukify and sysupdates that `tests/run install` fetches, and what checks bills of
# materials.
newer=$(realpath -m "$(dirname "${BASH_SOURCE[0]}")/../demo/out")
PATH=$PATH:$newer/rauc-newer:$newer/btrfs-progs-newer:$newer/erofs-utils-newer:$newer/ukify-newer:$newer/sysupdate-newer:$newer/sbom-tools

# Everything is compiled in one profile (see Cargo.toml), and in one folder.
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR=$target

# cargo_tool NAME OPTION…: installs a program with cargo where it is missing. Compiled once and run for seconds, so
# compiled fast.
cargo_tool() {
  have "$1" && return
  say "installing $1 with cargo"
  env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    cargo install --quiet --locked "$@"
}

# sysupdate_device ROOT VERSION: makes sysupdate-VERSION beside ROOT, a root with a systemd-sysupdate and what it needs.
sysupdate_device() {
  local root=$1 version=$2 program
  program=$(dirname "$root")/sysupdate-$version
  mkdir -p "$root/t" "$root/etc/systemd"
  : > "$root/etc/systemd/import-pubring.gpg"
  rm -f "$root/etc/os-release"
  : > "$root/etc/os-release"
  cat > "$program" <<END
#!/bin/sh
# sysupdate-$version FOLDER ARGUMENT…: a device whose disk, definitions, key ring (import-pubring.gpg) and os-release lie in FOLDER, which is
# /t for it.
exec unshare --mount --pid --fork sh -c '
  set -e
  root=$root folder=\$(realpath "\$1")
  shift
  mount --make-rprivate /
  mount --bind "\$root" "\$root"
  mount -t proc proc "\$root/proc"
  mount --rbind /dev "\$root/dev"
  mount -t tmpfs tmpfs "\$root/run"
  mount -t tmpfs tmpfs "\$root/var/tmp"
  mount --bind "\$folder" "\$root/t"
  mount --bind "\$folder/import-pubring.gpg" "\$root/etc/systemd/import-pubring.gpg"
  mount --bind "\$folder/os-release" "\$root/etc/os-release"
  exec chroot "\$root" /usr/lib/systemd/systemd-sysupdate "\$@"' sh "\$@"
END
  chmod +x "$program"
}

# The profile of .config/nextest.toml: how long tests may take.
profile=default

# nextest ARGUMENT…: runs tests; a missing tool fails them. Only root unpacks files that belong to others, and becomes
# another user.
nextest() {
  local root=()
  cargo nextest run --cargo-profile ci --locked --profile "$profile" --no-run "$@"
  [ "$(id -u)" = 0 ] || root=(sudo --preserve-env env "PATH=$PATH")
  KILN_ORACLES=required "${root[@]}" cargo nextest run --cargo-profile ci --locked --profile "$profile" "$@"
}

# slowest COUNT: the slowest tests of the last run, with their seconds.
slowest() {
  local report=$target/nextest/$profile/junit.xml
  [ -e "$report" ] || return 0
  python3 - "$report" "$1" << 'END'
import sys
import xml.etree.ElementTree as xml

tests = [(float(case.get("time")), case.get("classname"), case.get("name"))
         for case in xml.parse(sys.argv[1]).iter("testcase")]
print(f"\nthe slowest of {len(tests)} tests, which took {sum(test[0] for test in tests):.0f} s one after the other:")
for seconds, where, name in sorted(tests, reverse=True)[:int(sys.argv[2])]:
    print(f"{seconds:7.1f} s  {where} {name}")
END
}

# run_steps NAME…: calls step_NAME for each, and says how long each took.
run_steps() {
  local times=''
  trap '[ -z "${step:-}" ] || printf "\n── %s FAILED after %d s\n" "$step" $((SECONDS - start)) >&2' EXIT
  for step; do
    start=$SECONDS
    printf '\n── %s (at %d s)\n' "$step" "$start"
    "step_$step"
    times+=" $step $((SECONDS - start))"
  done
  step=
  [[ " $* " != *' test'* ]] || slowest 20
  printf '\n── all done in %d s:%s\n' "$SECONDS" "$times"
}
