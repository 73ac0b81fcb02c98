"""``kubectl top``: needs the metrics API, which this cluster (as a fresh one) doesn't have."""

from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import BOOL, SELECTOR, STRING, Flag
from cluster.shell.interpreter import Run

NAMES = ("top",)


def _refuse(k: Kubectl) -> Run:
    every = yield from k.client.mappings()
    if not any(mapping.group == "metrics.k8s.io" for mapping in every):
        raise Failure("Metrics API not available")
    raise Failure("metrics are not supported in this console")


_FLAGS = {
    **SELECTOR,
    "all-namespaces": Flag("bool", "A", False),
    "containers": BOOL,
    "sort-by": STRING,
    "no-headers": BOOL,
}
SUBCOMMANDS = dict.fromkeys(("node", "nodes", "no", "pod", "pods", "po"), (_FLAGS, _refuse))
