# A system that comes over a network: a kernel, an initrd with the whole store in it, and the scripts that load them.
{ mkImages }:
{
  name,
  # Packages whose closure is in the store, the system among them.
  closure,
  # Keys of [fs.NAME] for the store, which is a squashfs unless `format` says erofs.
  store ? { },
  # Keys of [netboot].
  netboot ? { },
  ...
}@args:
let
  format = store.format or "squashfs";
in
mkImages (
  {
    only = [ "netboot" ];
    hydra.netboot = netboot.initrd-file or "initrd";
  }
  // removeAttrs args [ "store" ]
  // {
    fs = args.fs or { } // {
      store = {
        inherit format;
        closure = true;
        # It is mounted at /nix/store, and the system reads its registration there.
        closure-at = "/";
        registration = "/nix-path-registration";
      }
      // store;
    };
    netboot = {
      store = "fs.store";
    }
    // netboot;
    passthru = {
      filePath = netboot.initrd-file or "initrd";
    }
    // args.passthru or { };
  }
)
