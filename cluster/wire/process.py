"""What a kubelet and a process that is a container of its node say to each other.

Most containers are a model inside the kubelet; kube-proxy and CoreDNS are processes of the world. Their container's runtime starts and
kills them; what they write on standard error is their container's log.
"""

from msgspec import Struct


class ProcessBooted(Struct, frozen=True, tag=True):
    """To the kubelet: I was executed; what is my container?"""


class Terminate(Struct, frozen=True, tag=True):
    """SIGTERM: end what is under way, then end yourself."""


class ProcessBegin(Struct, frozen=True, tag=True):
    """To the process: the container it runs in. ``files``: what its volumes hold, by name."""

    uid: str
    pod: str
    container: str
    address: str
    files: dict[str, str]
    adopted: bool = False
    """The kubelet was restarted; the process was not."""


class ProcessOutput(Struct, frozen=True, tag=True):
    """To the kubelet: lines for the log."""

    lines: tuple[str, ...]


class ProcessEnded(Struct, frozen=True, tag=True):
    """To the kubelet: the process has ended by itself with ``code``."""

    code: int
    lines: tuple[str, ...] = ()
