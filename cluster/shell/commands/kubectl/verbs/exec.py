"""``kubectl exec``: run a program in a container and show what it prints. No terminal, no standard input.

Upstream: client-go/tools/remotecommand, websocket protocol v5.channel.k8s.io (1: stdout, 2: stderr, 3: status).
"""

import orjson

from cluster.shell.commands.kubectl.client import document, failure
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import FILES, STRING, Flag
from cluster.shell.effects import Next
from cluster.shell.interpreter import Run

NAMES = ("exec",)
FLAGS = {
    **FILES, "container": Flag(short="c"), "stdin": Flag("bool", "i", False), "tty": Flag("bool", "t", False),
    "quiet": Flag("bool", "q", False), "pod-running-timeout": STRING,
}  # fmt: skip


def run(k: Kubectl) -> Run:
    """The program's exit status."""
    if not k.args:
        raise Failure("pod, type/name or --filename must be specified")
    command = k.args[1:]
    if not command:
        raise Failure("you must specify at least one command for the container")
    if k.flags["tty"]:
        k.err("Unable to use a TTY - input is not a terminal or the right kind of file\n")
    name = k.args[0].removeprefix("pod/").removeprefix("pods/").removeprefix("po/")
    if "/" in name:
        raise Failure("exec into a workload by type/name is not supported in this console: name a pod")
    pod = yield from k.client.call("GET", f"/api/v1/namespaces/{k.namespace}/pods/{name}")
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        raise Failure(f"cannot exec into a container in a completed pod; current phase is {pod['status']['phase']}")
    names = [each["name"] for each in pod["spec"]["containers"]]
    container = k.flags["container"] or names[0]
    if not k.flags["container"] and len(names) > 1:
        k.err(f'Defaulted container "{container}" out of: {", ".join(names)}\n')
    query = [("command", word) for word in command]
    query += [("container", container), ("stderr", "true"), ("stdout", "true")]
    where = f"/api/v1/namespaces/{k.namespace}/pods/{name}/exec"
    upgrade = (
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "v5.channel.k8s.io"),
    )
    answer = yield from k.client.send("GET", where, query, headers=upgrade)
    if answer.code >= 400:
        status = failure(answer, document(answer), "GET", where)
        if status.reason == "InternalError":
            raise Failure(status.message)
        raise status
    while True:
        piece = yield Next(answer.id)
        if piece.end:
            if piece.error:
                raise Failure(piece.error)
            return 0
        channel, data = (piece.channel, piece.body) if piece.channel >= 0 else (piece.body[0], piece.body[1:])
        if channel == 1:
            k.out(data.decode("utf-8", "replace"))
        elif channel == 2:
            k.err(data.decode("utf-8", "replace"))
        elif channel == 3:
            return _status(k, piece.doc if piece.doc is not None else orjson.loads(data))


def _status(k: Kubectl, status: dict) -> int:
    """The last message: a Status; a program that failed has its code in the details."""
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            k.err(f"command terminated with exit code {cause['message']}\n")
            return int(cause["message"])
    raise Failure(status.get("message", "the connection was closed"))
