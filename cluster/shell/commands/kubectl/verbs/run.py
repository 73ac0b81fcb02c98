"""``kubectl run``: one pod from an image; with ``-i`` (and ``--rm``) its output is shown until it ends.

Simplified here: there is no terminal, so a shell that waits for what one types is refused by name; lines can be piped into it.
"""

import orjson

from cluster.api.patch import merge_patch
from cluster.shell.commands.kubectl import builders, printers
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import ARRAY, BOOL, DRY_RUN, OUTPUT, STRING, Flag
from cluster.shell.commands.kubectl.streaming import needs_terminal, talk
from cluster.shell.commands.kubectl.verbs import logs
from cluster.shell.commands.kubectl.waiting import gone, until
from cluster.shell.interpreter import Run

NAMES = ("run",)
FLAGS = {
    **DRY_RUN,
    **OUTPUT,
    "image": STRING,
    "restart": Flag(default="Always"),
    "labels": Flag(short="l"),
    "env": ARRAY,
    "port": STRING,
    "overrides": STRING,
    "override-type": Flag(default="merge"),
    "command": BOOL,
    "image-pull-policy": STRING,
    "annotations": ARRAY,
    "rm": BOOL,
    "stdin": Flag("bool", "i", False),
    "tty": Flag("bool", "t", False),
    "attach": BOOL,
    "quiet": Flag("bool", "q", False),
    "expose": BOOL,
    "privileged": BOOL,
}


def run(k: Kubectl) -> Run:
    """``pod/web created``."""
    if not k.args:
        raise Failure("NAME is required for run\nSee 'kubectl run -h' for help and examples")
    name, command = k.args[0], k.args[1:]
    if not k.flags["image"]:
        raise Failure('required flag(s) "image" not set')
    attached = bool(k.flags["stdin"] or k.flags["attach"])
    _check_attached(k, name, command, attached)
    if k.flags["restart"] not in ("Always", "OnFailure", "Never"):
        raise Failure(f"invalid restart policy: {k.flags['restart']}")
    container = {}
    if k.flags["stdin"]:
        container |= {"stdin": True, "stdinOnce": True}
    if k.flags["tty"]:
        container["tty"] = True
    if command:
        container["command" if k.flags["command"] else "args"] = command
    if k.flags["env"]:
        container["env"] = [dict(zip(("name", "value"), each.split("=", 1), strict=False)) for each in k.flags["env"]]
    if k.flags["port"]:
        container["ports"] = [{"containerPort": int(k.flags["port"])}]
    if k.flags["image-pull-policy"]:
        container["imagePullPolicy"] = k.flags["image-pull-policy"]
    labels = {"run": name}
    if k.flags["labels"]:
        labels = dict(each.split("=", 1) for each in k.flags["labels"].split(",") if "=" in each)
    doc = builders.pod(name, k.flags["image"], labels, k.flags["restart"], container)
    if k.flags["overrides"]:
        try:
            doc = merge_patch(doc, orjson.loads(k.flags["overrides"]))
        except orjson.JSONDecodeError as error:
            raise Failure(f"Invalid Overrides: {error}") from None
    if k.dry_run == "client":
        if k.given.get("namespace"):
            doc = {**doc, "metadata": {**doc["metadata"], "namespace": k.namespace}}
    else:
        where = f"/api/v1/namespaces/{k.namespace}/pods"
        doc = yield from k.client.call("POST", where, k.write_query("kubectl-run"), doc)
    if attached and k.dry_run == "none":
        return (yield from _attend(k, doc))
    if k.flags["output"]:
        k.out(printers.structured(doc, k.flags["output"], k.flags))
    else:
        k.out(f"pod/{doc['metadata']['name']} created{k.dry_suffix}\n")
    return 0


def _check_attached(k: Kubectl, name: str, command: list[str], attached: bool) -> None:
    """What kubectl refuses, and what this console does."""
    if k.flags["tty"] and not k.flags["stdin"]:
        raise Failure("-i/--stdin is required for containers with -t/--tty=true")
    if k.flags["rm"] and not attached:
        raise Failure("--rm should only be used for attached containers")
    if attached and k.dry_run != "none":
        raise Failure(
            f"--dry-run={k.dry_run} can't be used with attached containers options (--attach, --stdin, or --tty)"
        )
    if k.flags["stdin"] and not k.ctx.has_stdin and (not command or needs_terminal(command)):
        image = k.flags["image"]
        raise Failure(
            f"kubectl run -i {name} would wait for what you type, and this console has no terminal: name a command that ends "
            f"(kubectl run {name} --rm -i --restart=Never --image={image} -- hostname), or let it sleep and use "
            f"kubectl exec (kubectl run {name} --image={image} -- sleep 3600)"
        )


def _attend(k: Kubectl, doc: dict) -> Run:
    """Wait for it, show what it prints, and say how it ended; ``--rm``: delete it."""
    name = doc["metadata"]["name"]
    (target,) = (yield from k.named([f"pod/{name}"]))[1]
    path = f"/api/v1/namespaces/{k.namespace}/pods/{name}"
    yield from until(k, target, lambda pod: pod is None or _begun(pod), 60 * 1_000_000_000)
    pod = yield from k.client.call("GET", path)
    phase = (pod.get("status") or {}).get("phase")
    if phase == "Running":
        query = [("container", name), ("stdout", "true"), ("stderr", "true")]
        try:
            yield from talk(k, f"{path}/attach", query, k.ctx.stdin if k.flags["stdin"] else None)
        except Failure as error:  # it ended in between
            k.err(f"warning: couldn't attach to pod/{name}, falling back to streaming logs: {error}\n")
            yield from logs.show(k, pod)
    elif phase != "Pending":
        yield from logs.show(k, pod)
    else:
        k.err("error: timed out waiting for the condition\n")
    code = 0
    if k.flags["restart"] != "Always" and phase != "Pending":
        yield from until(
            k,
            target,
            lambda now: now is None or now["status"].get("phase") in ("Succeeded", "Failed"),
            60 * 1_000_000_000,
        )
        pod = yield from k.client.call("GET", path)
        ended = ((pod["status"].get("containerStatuses") or [{}])[0].get("state") or {}).get("terminated") or {}
        code = ended.get("exitCode", 0)
    if k.flags["rm"]:
        uid = pod["metadata"]["uid"]
        yield from k.client.call("DELETE", path)
        k.out(f'pod "{name}" deleted\n')
        yield from gone(k, target, uid, 60 * 1_000_000_000)
    if code:
        k.err(f"pod {k.namespace}/{name} terminated ({ended.get('reason', 'Error')})\n")
    return code


def _begun(pod: dict) -> bool:
    status = pod.get("status") or {}
    return status.get("phase") in ("Running", "Succeeded", "Failed")
