# What Nix says of the store and of its database. Sourced by init, whose functions it uses.
#
# The image may have the registration of its store in /nix-path-registration, and a database that needs no loading; a
# root file system that can be written is finished here as NixOS does it at the first boot.
busybox mkdir -p /run/nix
echo 'build-users-group =' > /run/nix/nix.conf
export HOME=/run NIX_CONF_DIR=/run/nix

state_in_memory() { export NIX_STATE_DIR=/run/nix/var NIX_LOG_DIR=/run/nix/log; }
if writable; then
  # As NixOS does, so that no program writes into the store by chance; Nix knows how to.
  busybox mount --bind /nix/store /nix/store
  busybox mount -o remount,bind,ro /nix/store
else
  # Nix wants to write to the store's folder and to its own state.
  busybox mkdir -p /run/store/upper /run/store/work
  busybox mount -t overlay -o lowerdir=/nix/store,upperdir=/run/store/upper,workdir=/run/store/work overlay /nix/store
  state_in_memory
fi
check nix-store nix-store --version

# Nix reads every file and compares hashes.
verify() {
  local complaints
  complaints=$(nix-store --verify --check-contents 2>&1) && echo "Nix finds nothing wrong" && return
  echo "$complaints"
  return 1
}
count() {
  local there registered
  there=$(ls /nix/store | wc -l)
  registered=$(nix-store --query --requisites @toplevel@ | wc -l)
  echo "$there entries in /nix/store, $registered in the closure"
  [ "$there" = "$registered" ]
}

# What a database knows of the closure: its paths, their hashes, and all references.
known() {
  local paths
  paths=$(nix-store --query --requisites @toplevel@ | busybox sort)
  echo "$paths"
  # shellcheck disable=SC2086 # they are words
  nix-store --query --hash $paths && nix-store --query --graph $paths
}
# Nix has read every file for the database that came with the image, so it need not do so again when the registration
# says the same of each path.
verify_again() {
  local complaints known=/run/nix/known
  complaints=$(known > $known-now && nix-store --verify 2>&1 && busybox cmp $known $known-now 2>&1) &&
    echo "Nix finds nothing wrong" && return
  echo "$complaints"
  return 1
}

# The database that came with the image stays as it is while the registration is checked.
if writable && [ -e /nix/var/nix/db/db.sqlite ]; then
  check database count
  check database-verify verify
  known > /run/nix/known
  state_in_memory
fi
if [ -e /nix-path-registration ]; then
  check load-db busybox sh -c 'nix-store --load-db < /nix-path-registration && echo loaded'
  check count count
  if [ -e /run/nix/known ]; then check verify verify_again; else check verify verify; fi
else
  echo "CHECK skip verify: no /nix-path-registration"
fi

# nixos-rebuild wants a profile. Later boots, without the registration, leave all this out.
profile() {
  unset NIX_STATE_DIR NIX_LOG_DIR
  nix-env --profile /nix/var/nix/profiles/system --set @toplevel@ || return
  busybox rm /nix-path-registration || return
  busybox readlink -f /nix/var/nix/profiles/system
}
if writable && [ -e /nix-path-registration ]; then check profile profile; fi
