"""``kubectl scale``: how many replicas, by the ``scale`` subresource."""

from cluster.shell.commands.kubectl.client import JSON
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure, text
from cluster.shell.commands.kubectl.flags import BOOL, DRY_RUN, FILES, OUTPUT, SELECTOR, STRING, Flag
from cluster.shell.interpreter import Run

NAMES = ("scale",)
FLAGS = {
    **DRY_RUN,
    **OUTPUT,
    **FILES,
    **SELECTOR,
    "replicas": Flag("int", default=-1),
    "current-replicas": Flag("int", default=-1),
    "resource-version": STRING,
    "all": BOOL,
    "timeout": Flag(default="0s"),
}


def run(k: Kubectl) -> Run:
    """``deployment.apps/web scaled``."""
    if "replicas" not in k.given:
        raise Failure('required flag(s) "replicas" not set')
    if k.flags["replicas"] < 0:
        raise Failure("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    status = 0
    if k.flags["filename"]:
        targets = yield from k.file_targets()
    else:
        kinds, targets = yield from k.named()
        if not kinds and not targets:
            raise Failure("You must provide one or more resources by argument or filename.")
        for mapping in kinds if not targets else ():
            if not (k.flags["all"] or k.flags["selector"]):
                raise Failure("resource(s) were provided, but no name was specified")
            targets += yield from k.listed(mapping)
    if not targets:
        raise Failure("no objects passed to scale")
    for target in targets:
        where = target.mapping.path(target.namespace, target.name, "scale")
        try:
            if k.flags["current-replicas"] >= 0 or k.flags["resource-version"]:
                scale = yield from k.client.call("GET", where)
                have = (scale.get("spec") or {}).get("replicas", 0)
                if 0 <= k.flags["current-replicas"] != have:
                    raise Failure(f"Expected replicas to be {k.flags['current-replicas']}, was {have}")
                doc = {**scale, "spec": {**scale["spec"], "replicas": k.flags["replicas"]}}
                if k.dry_run != "client":
                    yield from k.client.call("PUT", where, k.write_query("kubectl"), doc)
            elif k.dry_run != "client":
                patch = {"spec": {"replicas": k.flags["replicas"]}}
                query = [each for each in k.write_query("kubectl") if each[0] == "dryRun"]
                yield from k.client.call(
                    "PATCH", where, query, patch, accept=JSON, content="application/merge-patch+json"
                )
            if not k.flags["output"]:
                k.out(f"{target.shown} scaled{k.dry_suffix}\n")
            elif k.flags["output"] == "name":
                k.out(f"{target.shown}\n")
        except ApiFailure as error:
            k.err(text(error))
            status = 1
    return status
