"""``kubectl autoscale``: a HorizontalPodAutoscaler for a workload."""

from cluster.shell.commands.kubectl.command import Kubectl, finish
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import DRY_RUN, FILES, OUTPUT, STRING, Flag
from cluster.shell.interpreter import Run

NAMES = ("autoscale",)
FLAGS = {
    **DRY_RUN, **FILES, **OUTPUT, "min": Flag("int", default=-1), "max": Flag("int", default=-1),
    "cpu-percent": Flag("int", default=-1), "name": STRING,
}  # fmt: skip


def run(k: Kubectl) -> Run:
    """``horizontalpodautoscaler.autoscaling/web autoscaled``."""
    if k.flags["max"] < 1:
        raise Failure(
            'required flag(s) "max" not set'
            if "max" not in k.given
            else "--max=MAXPODS is required and must be at least 1"
        )
    if k.flags["min"] > k.flags["max"]:
        raise Failure(
            f"--max=MAXPODS must be larger or equal to --min=MINPODS, max: {k.flags['max']}, min: {k.flags['min']}"
        )
    for target in (yield from k.objects()):
        reference = {"apiVersion": target.mapping.api_version, "kind": target.mapping.kind, "name": target.name}
        spec = {"maxReplicas": k.flags["max"], "scaleTargetRef": reference}
        if k.flags["min"] > 0:
            spec["minReplicas"] = k.flags["min"]
        if k.flags["cpu-percent"] >= 0:
            spec["targetCPUUtilizationPercentage"] = k.flags["cpu-percent"]
        metadata = {"creationTimestamp": None, "name": k.flags["name"] or target.name}
        doc = {
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec,
            "status": {"currentReplicas": 0, "desiredReplicas": 0},
        }  # fmt: skip
        mapping = yield from k.client.mapping_of(doc)
        if k.dry_run != "client":
            where = mapping.path(target.namespace)
            doc = yield from k.client.call("POST", where, k.write_query("kubectl-autoscale"), doc)
        finish(k, k.target(mapping, metadata["name"]), doc, "autoscaled")
    return 0
