"""What can be set from outside: the environment variables, read in one place."""

import os
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent


class Config(Struct, frozen=True):
    """Ports, host and data folder."""

    host: str
    port: int
    api_port: int
    etcd_port: int
    data: Path


class BadConfig(ValueError):
    """A variable makes no sense; the text is one clear line."""


def _port(name: str, default: int) -> int:
    text = os.environ.get(name, "") or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise BadConfig(f"{name} must be a port number from 1 to 65535, not {text!r}.")
    return int(text)


def read() -> Config:
    """The configuration now. BadConfig names the variable that is wrong."""
    data = Path(os.environ.get("CLEARPLANE_DATA") or ROOT / "var")
    return Config(
        host=os.environ.get("CLEARPLANE_HOST") or "127.0.0.1",
        port=_port("CLEARPLANE_PORT", 8000),
        api_port=_port("CLEARPLANE_API_PORT", 6443),
        etcd_port=_port("CLEARPLANE_ETCD_PORT", 2379),
        data=data.resolve(),
    )


def etcd_ports(config: Config, members: int = 3) -> list[int]:
    """Ports of the default cluster's members: every second one from the first, as 2380 is a member's peer port."""
    return [config.etcd_port + 2 * n for n in range(members)]
