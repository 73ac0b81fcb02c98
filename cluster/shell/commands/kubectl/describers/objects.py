"""Nodes, Services, namespaces, configuration and access rules, in words.

Upstream: kubectl/pkg/describe/describe.go.
"""

from base64 import b64decode
from typing import Any

from cluster.api.quantity import canonical
from cluster.shell.commands.kubectl import describing as d
from cluster.shell.commands.kubectl.client import Asking
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.describers.common import head, pairs
from cluster.shell.commands.kubectl.failures import ApiFailure

Doc = dict[str, Any]


def service(k: Kubectl, target: Target) -> Asking:
    """A Service with its endpoints."""
    doc = target.doc or {}
    spec = doc["spec"]
    query = [("labelSelector", f"kubernetes.io/service-name={target.name}")]
    listed = yield from k.client.call(
        "GET", f"/apis/discovery.k8s.io/v1/namespaces/{target.namespace}/endpointslices", query
    )
    out = (
        head(doc)
        + pairs(doc)
        + d.line(0, f"Selector:\t{d.selector(spec.get('selector'))}")
        + d.line(0, f"Type:\t{spec.get('type', '')}")
    )
    if spec.get("ipFamilyPolicy"):
        out += d.line(0, f"IP Family Policy:\t{spec['ipFamilyPolicy']}")
    if spec.get("ipFamilies"):
        out += d.line(0, f"IP Families:\t{','.join(spec['ipFamilies'])}")
    out += d.line(0, f"IP:\t{spec.get('clusterIP', '')}")
    if spec.get("clusterIPs"):
        out += d.line(0, f"IPs:\t{','.join(spec['clusterIPs'])}")
    if spec.get("externalIPs"):
        out += d.line(0, f"External IPs:\t{','.join(spec['externalIPs'])}")
    if spec.get("externalName"):
        out += d.line(0, f"External Name:\t{spec['externalName']}")
    ingress = ((doc.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if ingress:
        out += d.line(
            0, "LoadBalancer Ingress:\t" + ", ".join(each.get("ip") or each.get("hostname", "") for each in ingress)
        )
    for port in spec.get("ports") or ():
        name, protocol = port.get("name") or "<unset>", port.get("protocol", "TCP")
        out += d.line(0, f"Port:\t{name}  {port['port']}/{protocol}")
        out += d.line(0, f"TargetPort:\t{port.get('targetPort')}/{protocol}")
        if port.get("nodePort"):
            out += d.line(0, f"NodePort:\t{name}  {port['nodePort']}/{protocol}")
        out += d.line(0, f"Endpoints:\t{_backends(listed.get('items') or (), port.get('name') or '')}")
    out += d.line(0, f"Session Affinity:\t{spec.get('sessionAffinity', 'None')}")
    if spec.get("externalTrafficPolicy"):
        out += d.line(0, f"External Traffic Policy:\t{spec['externalTrafficPolicy']}")
    if spec.get("internalTrafficPolicy"):
        out += d.line(0, f"Internal Traffic Policy:\t{spec['internalTrafficPolicy']}")
    return out


def _backends(slices: Any, name: str) -> str:
    found = []
    for each in slices:
        for port in each.get("ports") or ():
            if (port.get("name") or "") == name:
                for endpoint in each.get("endpoints") or ():
                    if (endpoint.get("conditions") or {}).get("ready", True):
                        found += [f"{address}:{port['port']}" for address in endpoint["addresses"]]
    if not found:
        return ""
    return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")


def endpoints(k: Kubectl, target: Target) -> str:
    """Endpoints: ready and not ready addresses."""
    doc = target.doc or {}
    out = head(doc) + pairs(doc) + d.line(0, "Subsets:")
    for subset in doc.get("subsets") or ():
        for title, key in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            out += d.line(1, f"{title}:\t" + (",".join(each["ip"] for each in subset.get(key) or ()) or d.NONE))
        if subset.get("ports"):
            out += d.line(1, "Ports:") + d.line(2, "Name\tPort\tProtocol") + d.line(2, "----\t----\t--------")
            out += "".join(
                d.line(2, f"{p.get('name') or '<unset>'}\t{p['port']}\t{p.get('protocol', 'TCP')}")
                for p in subset["ports"]
            )
        out += "\n"
    return out


def namespace(k: Kubectl, target: Target) -> Asking:
    """A namespace in words."""
    doc = target.doc or {}
    out = head(doc, namespace=False) + pairs(doc) + d.line(0, f"Status:\t{(doc.get('status') or {}).get('phase', '')}")
    quotas = yield from k.client.call("GET", f"/api/v1/namespaces/{target.name}/resourcequotas")
    ranges = yield from k.client.call("GET", f"/api/v1/namespaces/{target.name}/limitranges")
    out += "\n"
    if quotas.get("items"):
        out += d.line(0, "Resource Quotas") + "".join(_quota_rows(each, 1) for each in quotas["items"])
    else:
        out += d.line(0, "No resource quota.")
    out += "\n"
    if ranges.get("items"):
        return out + d.line(0, "Resource Limits") + "".join(_limit_rows(each, " ") for each in ranges["items"])
    return out + d.line(0, "No LimitRange resource.")


def _quota_rows(doc: Doc, level: int) -> str:
    status = doc.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    out = d.line(level, f"Name:\t{doc['metadata']['name']}") if level else ""
    out += d.line(level, "Resource\tUsed\tHard") + d.line(
        level, "--------\t----\t----" if not level else "--------\t---\t---"
    )
    for name in sorted(hard):
        out += d.line(level, f"{name}\t{canonical(str(used.get(name, '0')))}\t{canonical(str(hard[name]))}")
    return out


def quota(k: Kubectl, target: Target) -> str:
    """A quota in words."""
    doc = target.doc or {}
    return head(doc) + _quota_rows(doc, 0)


def _limit_rows(doc: Doc, indent: str) -> str:
    rows = ["Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio"]
    rows.append("----\t--------\t---\t---\t---------------\t-------------\t-----------------------")
    for limit in doc["spec"].get("limits") or ():
        keys = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")
        names = sorted({name: True for key in keys for name in limit.get(key) or {}})
        for name in names:
            cells = [
                canonical(str((limit.get(key) or {})[name])) if name in (limit.get(key) or {}) else "-" for key in keys
            ]
            rows.append("\t".join([limit["type"], name, *cells]))
    return "".join(f"{indent}{row}\n" for row in rows)


def limit_range(k: Kubectl, target: Target) -> str:
    """A limit range in words."""
    doc = target.doc or {}
    return head(doc) + _limit_rows(doc, "")


def secret(k: Kubectl, target: Target) -> str:
    """A Secret: how long its values are (the token of an account is shown)."""
    doc = target.doc or {}
    out = (
        head(doc)
        + pairs(doc)
        + "\n"
        + d.line(0, f"Type:\t{doc.get('type', '')}")
        + "\n"
        + d.line(0, "Data")
        + d.line(0, "====")
    )
    for key in sorted(doc.get("data") or {}):
        value = b64decode(doc["data"][key])
        if key == "token" and doc.get("type") == "kubernetes.io/service-account-token":
            out += d.line(0, f"{key}:\t{value.decode('utf-8', 'replace')}")
        else:
            out += d.line(0, f"{key}:\t{len(value)} bytes")
    return out


def config_map(k: Kubectl, target: Target) -> str:
    """A config map in words."""
    doc = target.doc or {}
    out = head(doc) + pairs(doc) + "\n" + d.line(0, "Data") + d.line(0, "====")
    for key in sorted(doc.get("data") or {}):
        out += f"{key}:\n----\n{doc['data'][key]}\n\n"
    out += "\nBinaryData\n====\n"
    for key in sorted(doc.get("binaryData") or {}):
        out += f"{key}: {len(b64decode(doc['binaryData'][key]))} bytes\n"
    return out + "\n"


def service_account(k: Kubectl, target: Target) -> Asking:
    """A service account in words."""
    doc = target.doc or {}
    pulls = [each["name"] for each in doc.get("imagePullSecrets") or ()]
    mounts = [each["name"] for each in doc.get("secrets") or ()]
    tokens = []
    listed = yield from k.client.call("GET", f"/api/v1/namespaces/{target.namespace}/secrets", [("limit", "500")])
    for each in listed.get("items") or ():
        owner = (each["metadata"].get("annotations") or {}).get("kubernetes.io/service-account.name")
        if each.get("type") == "kubernetes.io/service-account-token" and owner == target.name:
            tokens.append(each["metadata"]["name"])
    out = head(doc) + pairs(doc)
    for title, names in (("Image pull secrets", pulls), ("Mountable secrets", mounts), ("Tokens", tokens)):
        out += d.multiline(title, names)
    return out


def rules(k: Kubectl, target: Target) -> str:
    """The rules of a Role or ClusterRole as a table."""
    doc = target.doc or {}
    out = d.line(0, f"Name:\t{target.name}") + pairs(doc) + d.line(0, "PolicyRule:")
    out += d.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs") + d.line(
        1, "---------\t-----------------\t--------------\t-----"
    )
    return out + "".join(d.line(1, row) for row in d.rule_rows(doc.get("rules") or []))


def binding(k: Kubectl, target: Target) -> str:
    """Whom a binding gives which role."""
    doc = target.doc or {}
    out = d.line(0, f"Name:\t{target.name}") + pairs(doc) + d.line(0, "Role:")
    out += (
        d.line(1, f"Kind:\t{doc['roleRef']['kind']}")
        + d.line(1, f"Name:\t{doc['roleRef']['name']}")
        + d.line(0, "Subjects:")
    )
    out += d.line(1, "Kind\tName\tNamespace") + d.line(1, "----\t----\t---------")
    return out + "".join(
        d.line(1, f"{s['kind']}\t{s['name']}\t{s.get('namespace', '')}") for s in doc.get("subjects") or ()
    )


def _quantity_rows(title: str, found: Doc) -> str:
    return d.line(0, f"{title}:") + "".join(
        d.line(1, f"{name}:\t{canonical(str(found[name]))}") for name in sorted(found)
    )


def node(k: Kubectl, target: Target) -> Asking:
    """A Node: conditions, capacity, and what its pods ask for."""
    doc = target.doc or {}
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    prefix = "node-role.kubernetes.io/"
    roles = sorted(key.removeprefix(prefix) for key in doc["metadata"].get("labels") or {} if key.startswith(prefix))
    out = d.line(0, f"Name:\t{target.name}") + d.line(0, f"Roles:\t{','.join(roles) or d.NONE}") + pairs(doc)
    out += d.line(0, f"CreationTimestamp:\t{d.date(doc['metadata'].get('creationTimestamp'))}")
    taints = [f"{t['key']}{'=' + t['value'] if t.get('value') else ''}:{t['effect']}" for t in spec.get("taints") or ()]
    out += d.multiline("Taints", sorted(taints)) + d.line(
        0, f"Unschedulable:\t{'true' if spec.get('unschedulable') else 'false'}"
    )
    try:
        lease = yield from k.client.call(
            "GET", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{target.name}"
        )
        held = lease.get("spec") or {}
        out += d.line(0, "Lease:") + d.line(1, f"HolderIdentity:\t{held.get('holderIdentity', '<unset>')}")
        out += d.line(1, "AcquireTime:\t<unset>") + d.line(1, f"RenewTime:\t{d.date(held.get('renewTime'))}")
    except ApiFailure as error:
        out += d.line(0, f"Lease:\tFailed to get lease: {error.message}")
    if status.get("conditions"):
        out += d.line(0, "Conditions:") + d.line(
            1, "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage"
        )
        out += d.line(1, "----\t------\t-----------------\t------------------\t------\t-------")
        for each in status["conditions"]:
            times = f"{d.date(each.get('lastHeartbeatTime'))} \t{d.date(each.get('lastTransitionTime'))} "
            out += d.line(
                1, f"{each['type']} \t{each['status']} \t{times}\t{each.get('reason', '')} \t{each.get('message', '')}"
            )
    out += d.line(0, "Addresses:") + "".join(
        d.line(1, f"{each['type']}:\t{each['address']}") for each in status.get("addresses") or ()
    )
    out += _quantity_rows("Capacity", status.get("capacity") or {}) + _quantity_rows(
        "Allocatable", status.get("allocatable") or {}
    )
    info = status.get("nodeInfo") or {}
    out += d.line(0, "System Info:")
    for title, key in (
        ("Machine ID", "machineID"), ("System UUID", "systemUUID"), ("Boot ID", "bootID"), ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"), ("Operating System", "operatingSystem"), ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"), ("Kubelet Version", "kubeletVersion"),
        ("Kube-Proxy Version", "kubeProxyVersion"),
    ):  # fmt: skip
        out += d.line(1, f"{title}:\t{info.get(key, '')}")
    if spec.get("podCIDR"):
        out += d.line(0, f"PodCIDR:\t{spec['podCIDR']}")
    if spec.get("podCIDRs"):
        out += d.line(0, f"PodCIDRs:\t{','.join(spec['podCIDRs'])}")
    if spec.get("providerID"):
        out += d.line(0, f"ProviderID:\t{spec['providerID']}")
    fields = f"spec.nodeName={target.name},status.phase!=Failed,status.phase!=Succeeded"
    listed = yield from k.client.call("GET", "/api/v1/pods", [("fieldSelector", fields), ("limit", "500")])
    return out + _node_pods(k, listed.get("items") or [])


def _node_pods(k: Kubectl, pods: list[Doc]) -> str:
    out = d.line(0, f"Non-terminated Pods:\t({len(pods)} in total)")
    out += d.line(1, "Namespace\tName\t\tAge") + d.line(1, "---------\t----\t\t---")
    for pod in pods:
        metadata = pod["metadata"]
        out += d.line(
            1,
            f"{metadata['namespace']}\t{metadata['name']}\t\t{d.age(metadata.get('creationTimestamp'), k.client.now_unix)}",
        )
    return out


def ingress(k: Kubectl, target: Target) -> str:
    """An Ingress: hosts, paths and backends."""
    doc = target.doc or {}
    spec = doc["spec"]
    out = (
        d.line(0, f"Name:\t{target.name}")
        + d.labels(doc["metadata"].get("labels"))
        + d.line(0, f"Namespace:\t{target.namespace}")
    )
    given = ((doc.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    out += d.line(0, "Address:\t" + ",".join(each.get("ip") or each.get("hostname", "") for each in given))
    out += d.line(0, f"Ingress Class:\t{spec.get('ingressClassName') or d.NONE}")
    default = spec.get("defaultBackend")
    out += d.line(0, f"Default backend:\t{_backend(default) if default else '<default>'}")
    out += d.line(0, "Rules:\n  Host\tPath\tBackends\n  ----\t----\t--------")
    for rule in spec.get("rules") or ():
        out += d.line(1, f"{rule.get('host') or '*'}\t")
        for path in (rule.get("http") or {}).get("paths") or ():
            out += d.line(1, f"\t{path.get('path', '')} \t{_backend(path['backend'])}")
    return out + d.annotations(doc["metadata"].get("annotations"))


def _backend(backend: Doc) -> str:
    service = backend.get("service")
    if not service:
        return f"APIGroup: {(backend.get('resource') or {}).get('apiGroup', '')}, Kind: {(backend.get('resource') or {}).get('kind', '')}"
    port = service.get("port") or {}
    return f"{service['name']}:{port.get('number') or port.get('name', '')}"
