"""What a network program may wait for. Programs are generators: they yield one of these and get back ``(now, NetDone or None)``.

Answers are recorded by whoever runs a program, so that it can be run again to the same place: a program depends on nothing else.
"""

from collections.abc import Callable, Generator
from typing import Any

from msgspec import Struct, field

from cluster.sim import SECOND
from cluster.wire.packet import NetDone


class Call(Struct, frozen=True):
    """One exchange, see ``NetCall``."""

    protocol: str
    dst: str
    port: int
    payload: Any = None
    timeout: int = 0
    patience: int = 0


class Pause(Struct, frozen=True):
    """Sleep ``duration`` ns."""

    duration: int


Effect = Call | Pause
Run = Generator[Effect, tuple[int, NetDone | None], int]


class Resolver(Struct, frozen=True):
    """``/etc/resolv.conf`` and ``/etc/hosts``."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: int = 5 * SECOND
    attempts: int = 2
    hosts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    options: tuple[str, ...] = ()

    def text(self) -> str:
        """The file as the kubelet writes it."""
        lines = [f"search {' '.join(self.search)}"] if self.search else []
        lines += [f"nameserver {one}" for one in self.nameservers]
        lines += [f"options {' '.join(self.options)}"] if self.options else []
        return "".join(f"{line}\n" for line in lines)

    def hosts_text(self) -> str:
        """``/etc/hosts``."""
        head = "# Kubernetes-managed hosts file.\n"
        return head + "".join(f"{address}\t{chr(9).join(names)}\n" for address, names in self.hosts)


class Console(Struct):
    """What a program sees of its surroundings. ``local``: runs a command that needs no network: (lines, status)."""

    resolver: Resolver
    hostname: str = ""
    image: str = ""
    env: dict[str, str] = field(default_factory=dict)
    now: int = 0
    deadline: int = 0
    """Look-ups end then (curl's ``-m``); 0: resolv.conf's own timeouts."""
    pieces: list[tuple[int, str]] = field(default_factory=list)
    stdin: str = ""
    """What is piped into the program."""
    held: int = -1
    """Pieces from here on go into a pipe and are not on the screen yet; -1: none."""
    local: Callable[[list[str]], tuple[list[str], int]] | None = None
    has: Callable[[str], bool] | None = None

    def out(self, text: str) -> None:
        """Print on standard output."""
        if text:
            self.pieces.append((1, text))

    def err(self, text: str) -> None:
        """Print on standard error."""
        if text:
            self.pieces.append((2, text))

    def ready(self) -> int:
        """How many pieces may be shown."""
        return len(self.pieces) if self.held < 0 else self.held

    @property
    def busybox(self) -> bool:
        """Whether the image's tools are BusyBox's."""
        return self.image in ("busybox", "alpine", "curl")
