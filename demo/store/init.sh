#!@busybox@ sh
# Stage 2, process 1 of the demo system: checks that the image is what was put into it, one line per check, and
# powers the machine off. The root file system may be read-only.
export PATH=@toplevel@/sw/bin
cd /

busybox() { @busybox@ "$@"; }
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
for folder in /run /tmp /etc; do busybox mount -t tmpfs tmpfs $folder; done
busybox cp -a @toplevel@/etc/. /etc/
busybox ln -s @toplevel@ /run/current-system
busybox ln -s @toplevel@ /run/booted-system
echo "STAGE2 @toplevel@"

# check NAME COMMAND…: runs it; the first line of what it prints is the answer.
check() {
  local name=$1 answer
  shift
  if answer=$("$@" 2>&1 < /dev/null); then
    echo "CHECK ok $name: $(echo "$answer" | busybox head -n 1)"
  else
    echo "CHECK FAIL $name: $answer"
  fi
}

check bash bash -c 'echo $BASH_VERSION'
check coreutils uname -a
check systemctl systemctl --version
check perl perl -e 'print "$^V\n"'

# All of the store has the time stamp 1.
mtimes() {
  local stamps
  stamps=$(busybox find /nix/store -mindepth 1 -exec @busybox@ stat -c %Y {} + | busybox sort -u | busybox head -n 5)
  echo "$stamps"
  [ "$stamps" = 1 ]
}
check mtimes mtimes

# Nix wants to write to the store's folder and to its own state, so both are in memory.
busybox mkdir -p /run/nix /run/store/upper /run/store/work
echo 'build-users-group =' > /run/nix/nix.conf
export HOME=/run NIX_CONF_DIR=/run/nix NIX_STATE_DIR=/run/nix/var NIX_LOG_DIR=/run/nix/log
busybox mount -t overlay -o lowerdir=/nix/store,upperdir=/run/store/upper,workdir=/run/store/work overlay /nix/store
check nix-store nix-store --version

# The registration describes the store: Nix reads every file and compares hashes.
count() {
  local there registered
  there=$(ls /nix/store | wc -l)
  registered=$(nix-store --query --requisites @toplevel@ | wc -l)
  echo "$there entries in /nix/store, $registered in the closure"
  [ "$there" = "$registered" ]
}
verify() {
  local complaints
  complaints=$(nix-store --verify --check-contents 2>&1) && echo "Nix finds nothing wrong" && return
  echo "$complaints"
  return 1
}
if [ -e /nix-path-registration ]; then
  check load-db busybox sh -c 'nix-store --load-db < /nix-path-registration && echo loaded'
  check count count
  check verify verify
else
  echo "CHECK skip verify: no /nix-path-registration"
fi

for argument in $(busybox cat /proc/cmdline); do
  case $argument in
    zoo=1) @toplevel@/zoo squashfs ;;
    zoo=*) @toplevel@/zoo "${argument#zoo=}" ;;
  esac
done

echo BOOT-DONE
busybox sync
busybox poweroff -f
