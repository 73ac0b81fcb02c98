"""The network tools of a node: one file each, in the real tools' own words.

``run(kernel, words, stdin, now)`` → (standard output, standard error, status, families whose tables were emptied). A tool reads the simulated
kernel and, where the real one would, changes it. A name that isn't here is not found; an option that isn't here is refused by name.
The folder is the registry: a file defines ``NAMES`` and ``run(kernel, words, stdin, now)``.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import orjson
from msgspec import Struct, field

from cluster.network.servers import Answer
from cluster.wire.http import HttpResponse


class Printed(Struct):
    """What a tool prints; ``flushed``: families (iptables, nftables, ipvs) that lost rules."""

    out: str = ""
    err: str = ""
    code: int = 0
    flushed: list[str] = field(default_factory=list)


def run(kernel: Any, words: list[str], stdin: str, now: int) -> tuple[str, str, int, list[str]]:
    """Run one tool."""
    name = words[0].rsplit("/", 1)[-1] if words else ""
    tool = TOOLS.get(name)
    if tool is None:
        return "", f"bash: {name}: command not found\n", 127, []
    printed: Printed = tool.run(kernel, [name, *words[1:]], stdin, now)
    return printed.out, printed.err, printed.code, printed.flushed


def http_answer(response: HttpResponse) -> Answer:
    """A process's answer (an API server's, kube-proxy's) as a client of the pod network gets it."""
    body = orjson.dumps(response.doc, option=orjson.OPT_INDENT_2).decode() if response.doc is not None else response.body.decode("utf-8", "replace")  # fmt: skip
    kind = next((value for name, value in response.headers if name == "content-type"), "application/json")
    others = tuple(("-".join(part.capitalize() for part in name.split("-")), value) for name, value in response.headers
                   if name not in ("content-type", "content-length"))  # fmt: skip
    return Answer(response.code, body, kind, headers=others)


TOOLS: dict[str, Any] = {}
for _info in sorted(iter_modules(__path__), key=lambda each: each.name):
    _module = import_module(f"{__name__}.{_info.name}")
    for _name in getattr(_module, "NAMES", ()):
        TOOLS[_name] = _module
