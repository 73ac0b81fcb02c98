"""Cells of pods, nodes, services and the other kinds of the core group (and of EndpointSlices and Leases).

The STATUS of a pod is the one worth reading: it is not a field. It is worked out from the phase, the init containers,
the containers' states and the deletion timestamp, in that order, each overruling the one before.
"""

from typing import Any

from cluster.apiserver.printers import text

Doc = dict[str, Any]


def _restarted_at(status: Doc, latest: str) -> str:
    finished = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""
    return max(latest, finished)


def _exit_text(terminated: Doc) -> str:
    if terminated.get("reason"):
        return terminated["reason"]
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _condition(status: Doc, kind: str) -> str:
    for each in status.get("conditions") or ():
        if each["type"] == kind:
            return each["status"]
    return ""


def pod_summary(doc: Doc) -> tuple[int, int, str, int, str]:
    """``(ready, total, status, restarts, when the last restart was)``: what the READY, STATUS and RESTARTS cells say."""
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    sidecars = {c["name"]: True for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
    total = len(spec.get("containers") or ()) + len(sidecars)
    reason = status.get("reason") or status.get("phase") or ""
    for each in status.get("conditions") or ():
        if each["type"] == "PodScheduled" and each.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"

    ready = restarts = sidecar_restarts = 0
    restarted = sidecar_restarted = ""
    initializing = False
    for index, each in enumerate(status.get("initContainerStatuses") or ()):
        state = each.get("state") or {}
        restarts += each.get("restartCount", 0)
        restarted = _restarted_at(each, restarted)
        if each["name"] in sidecars:
            sidecar_restarts += each.get("restartCount", 0)
            sidecar_restarted = _restarted_at(each, sidecar_restarted)
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if terminated is not None and terminated.get("exitCode", 0) == 0:
            continue
        if each["name"] in sidecars and each.get("started"):
            ready += 1 if each.get("ready") else 0
            continue
        if terminated is not None:
            reason = "Init:" + _exit_text(terminated)
        elif waiting is not None and waiting.get("reason") and waiting["reason"] != "PodInitializing":
            reason = "Init:" + waiting["reason"]
        else:
            reason = f"Init:{index}/{len(spec.get('initContainers') or ())}"
        initializing = True
        break

    if not initializing or _condition(status, "Initialized") == "True":
        restarts, restarted, running = sidecar_restarts, sidecar_restarted, False
        for each in reversed(status.get("containerStatuses") or ()):
            state = each.get("state") or {}
            restarts += each.get("restartCount", 0)
            restarted = _restarted_at(each, restarted)
            terminated, waiting = state.get("terminated"), state.get("waiting")
            if waiting is not None and waiting.get("reason"):
                reason = waiting["reason"]
            elif terminated is not None:
                reason = _exit_text(terminated)
            elif each.get("ready") and state.get("running") is not None:
                running = True
                ready += 1
        if reason == "Completed" and running:
            reason = "Running" if _condition(status, "Ready") == "True" else "NotReady"

    if doc["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            reason = "Terminating"
    return ready, total, reason, restarts, restarted


def pod(doc: Doc, now: float) -> list[Any]:
    ready, total, reason, restarts, restarted = pod_summary(doc)
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    times = f"{restarts} ({text.since(restarted, now)} ago)" if restarts and restarted else str(restarts)
    ips = status.get("podIPs") or ()
    gates = spec.get("readinessGates") or ()
    true = sum(1 for gate in gates if _condition(status, gate["conditionType"]) == "True")
    return [
        doc["metadata"]["name"],
        f"{ready}/{total}",
        reason,
        times,
        text.age(doc, now),
        ips[0]["ip"] if ips else status.get("podIP") or text.NONE,
        spec.get("nodeName") or text.NONE,
        status.get("nominatedNodeName") or text.NONE,
        f"{true}/{len(gates)}" if gates else text.NONE,
    ]


def pod_template(doc: Doc, now: float) -> list[Any]:
    template = doc.get("template") or {}
    names, images = text.containers(template.get("spec") or {})
    return [doc["metadata"]["name"], names, images, text.labels((template.get("metadata") or {}).get("labels"))]


def node_roles(doc: Doc) -> list[str]:
    """The roles a Node's labels claim, sorted."""
    found = {}
    for key, value in (doc["metadata"].get("labels") or {}).items():
        if key.startswith("node-role.kubernetes.io/") and len(key) > 24:
            found[key[24:]] = True
        elif key == "kubernetes.io/role" and value:
            found[value] = True
    return sorted(found)


def node(doc: Doc, now: float) -> list[Any]:
    status = doc.get("status") or {}
    ready = _condition(status, "Ready")
    words = ["Unknown" if not ready else "Ready" if ready == "True" else "NotReady"]
    if (doc.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    info = status.get("nodeInfo") or {}
    where: dict[str, str] = {each["type"]: each["address"] for each in reversed(status.get("addresses") or ())}
    return [
        doc["metadata"]["name"],
        ",".join(words),
        ",".join(node_roles(doc)) or text.NONE,
        text.age(doc, now),
        info.get("kubeletVersion", ""),
        where.get("InternalIP", text.NONE),
        where.get("ExternalIP", text.NONE),
        info.get("osImage") or text.UNKNOWN,
        info.get("kernelVersion") or text.UNKNOWN,
        info.get("containerRuntimeVersion") or text.UNKNOWN,
    ]


def _external_ip(doc: Doc) -> str:
    spec = doc.get("spec") or {}
    extra = spec.get("externalIPs") or []
    kind = spec.get("type", "ClusterIP")
    if kind in ("ClusterIP", "NodePort"):
        return ",".join(extra) or text.NONE
    if kind == "LoadBalancer":
        given = text.addresses(((doc.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ())
        return ",".join([*([given] if given else []), *extra]) or "<pending>"
    return spec.get("externalName", "") if kind == "ExternalName" else text.UNKNOWN


def service(doc: Doc, now: float) -> list[Any]:
    spec = doc.get("spec") or {}
    ports = [
        f"{p['port']}:{p['nodePort']}/{p.get('protocol', 'TCP')}"
        if p.get("nodePort")
        else f"{p['port']}/{p.get('protocol', 'TCP')}"
        for p in spec.get("ports") or ()
    ]
    return [
        doc["metadata"]["name"],
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or text.NONE,
        _external_ip(doc),
        ",".join(ports) or text.NONE,
        text.age(doc, now),
        text.labels(spec.get("selector")),
    ]


def join_host_port(host: str, port: int) -> str:
    """``net.JoinHostPort``: an IPv6 address gets brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def endpoint_texts(subsets: list[Doc]) -> list[str]:
    """Every ip:port of an Endpoints' ready addresses; bare addresses where a subset has no ports."""
    found: list[str] = []
    for subset in subsets:
        if not subset.get("ports"):
            found.extend(address["ip"] for address in subset.get("addresses") or ())
        for port in subset.get("ports") or ():
            found.extend(join_host_port(address["ip"], port["port"]) for address in subset.get("addresses") or ())
    return found


def endpoints(doc: Doc, now: float) -> list[Any]:
    subsets = doc.get("subsets") or []
    shown = text.at_most(endpoint_texts(subsets), 3, empty="") if subsets else text.NONE
    return [doc["metadata"]["name"], shown, text.age(doc, now)]


def endpoint_slice(doc: Doc, now: float) -> list[Any]:
    ports = [str(p["port"]) if p.get("port") is not None else p.get("name") or "*" for p in doc.get("ports") or ()]
    where = [address for each in doc.get("endpoints") or () for address in each.get("addresses") or ()]
    return [
        doc["metadata"]["name"],
        doc.get("addressType", ""),
        text.at_most(ports, 3, empty=text.UNSET),
        text.at_most(where, 3, empty=text.UNSET),
        text.age(doc, now),
    ]


def event(doc: Doc, now: float) -> list[Any]:
    about = doc.get("involvedObject") or doc.get("regarding") or {}
    source = doc.get("source") or doc.get("deprecatedSource") or {}
    first = doc.get("firstTimestamp") or doc.get("deprecatedFirstTimestamp") or doc.get("eventTime")
    last = doc.get("lastTimestamp") or doc.get("deprecatedLastTimestamp") or first
    count = doc.get("count") or doc.get("deprecatedCount") or 1
    series = doc.get("series")
    if series:
        last, count = series.get("lastObservedTime"), series.get("count", 0)
    component = source.get("component") or doc.get("reportingComponent") or doc.get("reportingController") or ""
    host = source.get("host") or doc.get("reportingInstance") or ""
    kind = about.get("kind", "").lower()
    return [
        text.since(last, now),
        doc.get("type", ""),
        doc.get("reason", ""),
        f"{kind}/{about['name']}" if about.get("name") else kind,
        about.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        (doc.get("message") or doc.get("note") or "").strip(),
        text.since(first, now),
        count,
        doc["metadata"]["name"],
    ]


def namespace(doc: Doc, now: float) -> list[Any]:
    return [doc["metadata"]["name"], (doc.get("status") or {}).get("phase", ""), text.age(doc, now)]


def secret(doc: Doc, now: float) -> list[Any]:
    return [doc["metadata"]["name"], doc.get("type", ""), len(doc.get("data") or ()), text.age(doc, now)]


def service_account(doc: Doc, now: float) -> list[Any]:
    return [doc["metadata"]["name"], len(doc.get("secrets") or ()), text.age(doc, now)]


def config_map(doc: Doc, now: float) -> list[Any]:
    count = len(doc.get("data") or ()) + len(doc.get("binaryData") or ())
    return [doc["metadata"]["name"], count, text.age(doc, now)]


def component_status(doc: Doc, now: float) -> list[Any]:
    status, message, error = "Unknown", "", ""
    for each in doc.get("conditions") or ():
        if each["type"] == "Healthy":
            status = "Healthy" if each["status"] == "True" else "Unhealthy"
            message, error = each.get("message", ""), each.get("error", "")
            break
    return [doc["metadata"]["name"], status, message, error]


def lease(doc: Doc, now: float) -> list[Any]:
    return [doc["metadata"]["name"], (doc.get("spec") or {}).get("holderIdentity") or "", text.age(doc, now)]


CELLS = {
    ("", "Pod"): pod,
    ("", "PodTemplate"): pod_template,
    ("", "Node"): node,
    ("", "Service"): service,
    ("", "Endpoints"): endpoints,
    ("discovery.k8s.io", "EndpointSlice"): endpoint_slice,
    ("", "Event"): event,
    ("events.k8s.io", "Event"): event,
    ("", "Namespace"): namespace,
    ("", "Secret"): secret,
    ("", "ServiceAccount"): service_account,
    ("", "ConfigMap"): config_map,
    ("", "ComponentStatus"): component_status,
    ("coordination.k8s.io", "Lease"): lease,
}
