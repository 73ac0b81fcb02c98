"""``kubectl expose``: a Service for the pods of a deployment, replica set, pod or another service."""

from typing import Any

from cluster.shell.commands.kubectl import printers
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import DRY_RUN, FILES, OUTPUT, SELECTOR, STRING
from cluster.shell.interpreter import Run

NAMES = ("expose",)
FLAGS = {
    **DRY_RUN,
    **OUTPUT,
    **FILES,
    **SELECTOR,
    "name": STRING,
    "port": STRING,
    "target-port": STRING,
    "type": STRING,
    "protocol": STRING,
    "labels": STRING,
    "external-ip": STRING,
    "cluster-ip": STRING,
    "session-affinity": STRING,
    "load-balancer-ip": STRING,
}

Doc = dict[str, Any]


def run(k: Kubectl) -> Run:
    """``service/web exposed``."""
    selector_flag = k.flags["selector"]
    k.flags["selector"] = ""
    for target in (yield from k.objects()):
        doc = _service(k, target, selector_flag)
        if k.dry_run != "client":
            where = f"/api/v1/namespaces/{k.namespace}/services"
            doc = yield from k.client.call("POST", where, k.write_query("kubectl-expose"), doc)
        if k.flags["output"]:
            k.out(printers.structured(doc, k.flags["output"], k.flags))
        else:
            k.out(f"service/{doc['metadata']['name']} exposed{k.dry_suffix}\n")
    return 0


def _service(k: Kubectl, target: Target, selector_flag: str) -> Doc:
    doc = target.doc or {}
    spec = doc.get("spec") or {}
    kind = target.mapping.kind
    if kind not in ("Pod", "Service", "ReplicationController", "Deployment", "ReplicaSet"):
        raise Failure(f"cannot expose a {kind}.{target.mapping.group}".rstrip("."))
    if selector_flag:
        selector = dict(each.split("=", 1) for each in selector_flag.split(",") if "=" in each)
    elif kind == "Pod":
        selector = doc["metadata"].get("labels") or {}
    elif kind in ("Service", "ReplicationController"):
        selector = spec.get("selector") or {}
    else:
        if (spec.get("selector") or {}).get("matchExpressions"):
            raise Failure('couldn\'t convert expressions - "[{}]" to map-based selector format'.format(""))
        selector = (spec.get("selector") or {}).get("matchLabels") or {}
    if not selector:
        raise Failure(
            "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed"
        )
    ports = _ports(k, kind, spec)
    if not ports and k.flags["cluster-ip"] != "None":
        raise Failure(
            "couldn't find port via --port flag or introspection\nSee 'kubectl expose -h' for help and examples"
        )
    made: Doc = {"ports": ports} if ports else {}
    made["selector"] = selector
    for flag, field in (
        ("type", "type"),
        ("cluster-ip", "clusterIP"),
        ("session-affinity", "sessionAffinity"),
        ("load-balancer-ip", "loadBalancerIP"),
    ):
        if k.flags[flag]:
            made[field] = k.flags[flag]
    if k.flags["external-ip"]:
        made["externalIPs"] = [k.flags["external-ip"]]
    labels = doc["metadata"].get("labels") or {}
    if k.flags["labels"]:
        labels = dict(each.split("=", 1) for each in k.flags["labels"].split(",") if "=" in each)
    metadata: Doc = {"creationTimestamp": None, "name": k.flags["name"] or target.name}
    if labels:
        metadata["labels"] = labels
    if k.dry_run != "client":
        metadata["namespace"] = k.namespace
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": made, "status": {"loadBalancer": {}}}


def _ports(k: Kubectl, kind: str, spec: Doc) -> list[Doc]:
    pod_spec = spec if kind == "Pod" else ((spec.get("template") or {}).get("spec") or {})
    if kind == "Service":
        found = [(each["port"], each.get("protocol", "TCP")) for each in spec.get("ports") or ()]
    else:
        found = [
            (port["containerPort"], port.get("protocol", "TCP"))
            for each in pod_spec.get("containers") or ()
            for port in each.get("ports") or ()
        ]
    if k.flags["port"]:
        found = [(int(each), k.flags["protocol"] or "TCP") for each in k.flags["port"].split(",")]
    ports = []
    for number, (port, protocol) in enumerate(found, 1):
        target: Any = k.flags["target-port"] or port
        target = int(target) if str(target).isdigit() else target
        entry: Doc = {"port": port, "protocol": k.flags["protocol"] or protocol, "targetPort": target}
        ports.append({"name": f"port-{number}", **entry} if len(found) > 1 else entry)
    return ports
