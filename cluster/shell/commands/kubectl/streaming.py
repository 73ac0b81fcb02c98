"""Upgraded connections of ``kubectl exec``, ``attach`` and ``run -i``: what is piped in goes to the program, what it prints comes out.

Upstream: client-go/tools/remotecommand, websocket protocol v5.channel.k8s.io (0: stdin, 1: stdout, 2: stderr, 3: status, 255: a channel is closed).
"""

from typing import Any

import orjson

from cluster.network.filters import SHELLS, reads_input
from cluster.shell.commands.kubectl.client import Asking, document, failure
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.effects import Next, Write

UPGRADE = (
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "v5.channel.k8s.io"),
)
PIECE = 32 * 1024


def needs_terminal(command: list[str]) -> bool:
    """Whether somebody would have to type to it: a bare shell."""
    return bool(command) and command[0].rsplit("/", 1)[-1] in SHELLS and reads_input(command)


def talk(k: Kubectl, where: str, query: list[tuple[str, str]], stdin: str | None) -> Asking:
    """Pipe ``stdin`` in (None: nothing is read), print what comes; the final Status, {} if the connection ended without."""
    if stdin is not None:
        query = [*query, ("stdin", "true")]
    answer = yield from k.client.send("GET", where, query, headers=UPGRADE)
    if answer.code >= 400:
        status = failure(answer, document(answer), "GET", where)
        if status.reason == "InternalError":
            raise Failure(status.message)
        raise status
    if stdin is not None:
        data = stdin.encode()
        for at in range(0, len(data), PIECE):
            yield Write(answer.id, data[at : at + PIECE], 0)
        yield Write(answer.id, b"\0", 255)
    while True:
        piece = yield Next(answer.id)
        if piece.end:
            if piece.error:
                raise Failure(piece.error)
            return {}
        channel, data = (piece.channel, piece.body) if piece.channel >= 0 else (piece.body[0], piece.body[1:])
        if channel == 1:
            k.out(data.decode("utf-8", "replace"))
        elif channel == 2:
            k.err(data.decode("utf-8", "replace"))
        elif channel == 3:
            return piece.doc if piece.doc is not None else orjson.loads(data)


def exit_code(k: Kubectl, status: dict[str, Any]) -> int:
    """The last message: a Status; a program that failed has its code in the details."""
    if status.get("status", "Success") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            k.err(f"command terminated with exit code {cause['message']}\n")
            return int(cause["message"])
    raise Failure(status.get("message", "the connection was closed"))
