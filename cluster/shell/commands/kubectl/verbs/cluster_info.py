"""``kubectl cluster-info``: where the control plane and the cluster's own services are."""

from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.interpreter import Run

NAMES = ("cluster-info",)


def run(k: Kubectl) -> Run:
    """The recorded lines, coloured as at a terminal they would be; here plain."""
    if k.args[:1] == ["dump"]:
        raise Failure("cluster-info dump is not supported in this console")
    query = [("labelSelector", "kubernetes.io/cluster-service=true")]
    services = yield from k.client.call("GET", "/api/v1/namespaces/kube-system/services", query)
    server = k.client.identity.server
    k.out(f"Kubernetes control plane is running at {server}\n")
    for item in services.get("items") or ():
        metadata = item["metadata"]
        shown = (metadata.get("labels") or {}).get("kubernetes.io/name") or metadata["name"]
        ports = (item.get("spec") or {}).get("ports") or [{}]
        name = metadata["name"] + (f":{ports[0]['name']}" if ports[0].get("name") else "")
        k.out(f"{shown} is running at {server}/api/v1/namespaces/{metadata['namespace']}/services/{name}/proxy\n")
    k.out("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n")
    return 0
