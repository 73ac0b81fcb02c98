"""``kubectl run``: one pod from an image."""

import orjson

from cluster.api.patch import merge_patch
from cluster.shell.commands.kubectl import builders, printers
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import ARRAY, BOOL, DRY_RUN, OUTPUT, STRING, Flag
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
    if k.flags["stdin"] or k.flags["tty"] or k.flags["attach"] or k.flags["rm"]:
        raise Failure("attaching to a pod (-i, -t, --attach, --rm) is not supported in this console")
    if k.flags["restart"] not in ("Always", "OnFailure", "Never"):
        raise Failure(f"invalid restart policy: {k.flags['restart']}")
    container = {}
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
    if k.flags["output"]:
        k.out(printers.structured(doc, k.flags["output"], k.flags))
    else:
        k.out(f"pod/{doc['metadata']['name']} created{k.dry_suffix}\n")
    return 0
