"""``kubectl exec``: run a program in a container, with what is piped in (``-i``), and show what it prints. No terminal.

Of a workload or a Service (``deploy/web``) the first of its Pods that is ready is taken.
"""

from cluster.shell.commands.kubectl.client import Asking
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import FILES, STRING, Flag
from cluster.shell.commands.kubectl.streaming import exit_code, needs_terminal, talk
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
    pod = yield from _pod(k, name)
    name = pod["metadata"]["name"]
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        raise Failure(f"cannot exec into a container in a completed pod; current phase is {pod['status']['phase']}")
    names = [each["name"] for each in pod["spec"]["containers"]]
    container = k.flags["container"] or names[0]
    if not k.flags["container"] and len(names) > 1:
        k.err(f'Defaulted container "{container}" out of: {", ".join(names)}\n')
    if k.flags["stdin"] and not k.ctx.has_stdin and needs_terminal(command):
        raise Failure(
            f"kubectl exec -i {name} -- {command[0]} waits for what you type, and this console has no terminal: give it a command "
            f"(kubectl exec {name} -- hostname), or lines (echo hostname | kubectl exec -i {name} -- {command[0]})"
        )
    query = [("command", word) for word in command]
    query += [("container", container), ("stderr", "true"), ("stdout", "true")]
    where = f"/api/v1/namespaces/{k.namespace}/pods/{name}/exec"
    status = yield from talk(k, where, query, k.ctx.stdin if k.flags["stdin"] else None)
    return exit_code(k, status)


def _pod(k: Kubectl, name: str) -> Asking:
    if "/" not in name:
        return (yield from k.client.call("GET", f"/api/v1/namespaces/{k.namespace}/pods/{name}"))
    _, targets = yield from k.named([name])
    doc = yield from k.fetch(targets[0])
    pairs = (doc["spec"].get("selector") or {}).get("matchLabels") or doc["spec"].get("selector") or {}
    if not pairs:
        raise Failure(f"cannot attach to {targets[0].shown}: it selects no pods")
    k.flags["selector"] = ",".join(f"{key}={value}" for key, value in sorted(pairs.items()))
    found = [one.doc for one in (yield from k.listed((yield from k.client.mapping("pods")))) if one.doc is not None]
    if not found:
        raise Failure("timed out waiting for the condition")
    return min(found, key=_worth)


def _worth(pod: dict) -> tuple[bool, bool]:
    """A ready one first, then one that runs."""
    status = pod.get("status") or {}
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ())
    return not ready, status.get("phase") != "Running"
