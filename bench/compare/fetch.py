"""nginx serves a cache (zstd) of the demo's closure on this machine; Kiln makes an ext4 of it, which equals the one out
of the local store. Beside it, curl, zstd and `nix-store --restore` fetch and unpack the same NARs, as many at once as
there are cores, each in processes of its own, and check nothing. Kiln checks signatures and hashes, and waits until the
image is on the disk."""

import os
import subprocess
import time
from contextlib import contextmanager

from .measure import Failure, Program, bash, run
from .setting import Result
from .trees import file_difference

TITLE = "A closure out of a binary cache"
ROUNDS = 3
PORT = 8917
ADDRESS = f"http://127.0.0.1:{PORT}"
RESTORE = r"""
export address=$1 cache=$2 out=$3
restored() {
  url=$(sed -n 's/^URL: //p' "$1")
  path=$(sed -n 's|^StorePath: /nix/store/||p' "$1")
  curl -sf "$address/$url" | zstd -dc | nix-store --restore "$out/$path"
}
export -f restored
mkdir "$out"
find "$cache" -name '*.narinfo' -print0 | xargs -0 -P "$(nproc)" -I % bash -c 'set -euo pipefail; restored %'
sync -f "$out"
"""
SERVER = """
daemon off; master_process off; pid {0}/nginx.pid; error_log {0}/nginx.log;
events {{}}
http {{
  access_log off; sendfile on;
  client_body_temp_path {0}/t; proxy_temp_path {0}/t; fastcgi_temp_path {0}/t; uwsgi_temp_path {0}/t; scgi_temp_path {0}/t;
  server {{ listen 127.0.0.1:{1}; root {0}/cache; }}
}}
"""


def fill(folder, store, toplevel):
    """Fills a binary cache, and answers the key that vouches for it."""
    environment = os.environ | {"HOME": str(folder / "home")}
    nix = ["nix", "--extra-experimental-features", "nix-command"]
    secret = folder / "secret"
    secret.write_text(run([*nix, "key", "generate-secret", "--key-name", "bench-1"], env=environment))
    options = f"compression=zstd&write-nar-listing=true&parallel-compression=true&secret-key={secret}"
    run([*nix, "copy", "--store", store, "--to", f"file://{folder}/cache?{options}", toplevel], env=environment)
    with open(secret, "rb") as key:
        said = subprocess.run([*nix, "key", "convert-secret-to-public"], stdin=key, stdout=subprocess.PIPE, env=environment, check=True)
    return said.stdout.decode().strip()


@contextmanager
def served(folder):
    """nginx, which serves the cache."""
    config, log = folder / "nginx.conf", folder / "nginx.log"
    config.write_text(SERVER.format(folder, PORT))
    server = subprocess.Popen(["nginx", "-e", log, "-g", "user root;" if os.geteuid() == 0 else "", "-c", config])
    try:
        for _ in range(100):
            if subprocess.run(["curl", "-sf", "-o", "/dev/null", f"{ADDRESS}/nix-cache-info"]).returncode == 0:
                break
            time.sleep(0.1)
        else:
            raise Failure(f"nginx does not serve: {log.read_text()}")
        yield
    finally:
        server.terminate()
        server.wait()


def compare(setting):
    """Runs both, and compares Kiln's image with the one out of the local store."""
    folder, closure, toplevel = setting.folder, setting.closure(), setting.toplevel()
    key = fill(folder, closure.root, toplevel)
    local, ours, restored = folder / "local.ext4", folder / "kiln.ext4", folder / "restored"
    run([setting.kiln, "ext4", "--closure", closure.info, "--store-root", closure.root, "--out", local])
    with served(folder):
        runs = setting.in_turn(ROUNDS, [
            Program("kiln", [setting.kiln, "ext4", "--closure", ADDRESS, "--path", toplevel, "--trusted-key", key, "--out", ours], ours),
            Program("curl, zstd, nix-store", bash(RESTORE, ADDRESS, folder / "cache", restored), restored, waits=True),
        ])
    if difference := file_difference(ours, local):
        raise Failure(difference)
    return Result(f"{closure.nar_bytes} bytes of NAR", runs, "kiln")
