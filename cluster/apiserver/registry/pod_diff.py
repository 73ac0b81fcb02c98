"""What differs between two pod specs, printed as the real server prints it: Go's structural diff.

In → two specs as documents; out → lines with ``-`` and ``+``, two unchanged neighbours around each change, the rest
counted. Fields stand under their Go names in the order of Kubernetes' internal types.

Simplified here: list elements are compared place by place (go-cmp looks for the shortest edit); structs other than
PodSpec and Container have the field order of the published types.

Upstream: github.com/google/go-cmp ``cmp.Diff``, pkg/apis/core/types.go.
"""

from collections.abc import Sequence
from typing import Any

from cluster.api import field
from cluster.api.schema import OMIT_NONE, BoolNode, ListNode, MapNode, Node, StructNode, struct_node

Doc = dict[str, Any]
_CONTEXT = 2
_NBSP = "\u00a0"
"""go-cmp marks its lines with no-break spaces in half of all binaries; those of Kubernetes 1.32 are of that half."""
_ABSENT = object()

_IN_SECURITY_CONTEXT = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ORDERS = {
    "PodSpec": _words("""
        volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds
        activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName automountServiceAccountToken nodeName
        securityContext imagePullSecrets hostname subdomain setHostnameAsFQDN affinity schedulerName tolerations
        hostAliases priorityClassName priority preemptionPolicy dnsConfig readinessGates runtimeClassName overhead
        enableServiceLinks topologySpreadConstraints os schedulingGates resourceClaims resources
    """),
    "Container": _words("""
        name image command args workingDir ports envFrom env resources resizePolicy restartPolicy volumeMounts
        volumeDevices livenessProbe readinessProbe startupProbe lifecycle terminationMessagePath
        terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty
    """),
    "PodSecurityContext": _words("""
        hostNetwork hostPID hostIPC shareProcessNamespace hostUsers seLinuxOptions windowsOptions runAsUser runAsGroup
        runAsNonRoot supplementalGroups supplementalGroupsPolicy fsGroup fsGroupChangePolicy sysctls seccompProfile
        appArmorProfile seLinuxChangePolicy
    """),
}
_NAMES = {
    "apiVersion": "APIVersion", "dnsPolicy": "DNSPolicy", "dnsConfig": "DNSConfig", "tty": "TTY", "os": "OS",
    "httpGet": "HTTPGet", "tcpSocket": "TCPSocket", "grpc": "GRPC", "fsGroup": "FSGroup", "nfs": "NFS", "csi": "CSI",
    "iscsi": "ISCSI", "rbd": "RBD", "fc": "FC", "ip": "IP", "httpHeaders": "HTTPHeaders",
}  # fmt: skip
_EMBEDDED = {
    "Volume": ("VolumeSource", lambda key: key != "name"),
    "Probe": ("ProbeHandler", lambda key: key in ("exec", "httpGet", "tcpSocket", "grpc")),
    **dict.fromkeys(
        ("ConfigMapProjection", "SecretProjection", "ConfigMapVolumeSource", "ConfigMapKeySelector",
         "SecretKeySelector", "ConfigMapEnvSource", "SecretEnvSource"),
        ("LocalObjectReference", lambda key: key == "name"),
    ),
}  # fmt: skip
"""Fields that the Go struct holds in an embedded struct."""
_NOT_POINTERS = frozenset({("ServiceAccountTokenProjection", "expirationSeconds")})
"""Numbers that are pointers in the published types only."""


def spec_diff(old: Doc, new: Doc) -> str:
    """The difference as text, ending with a newline."""
    node = struct_node("io.k8s.api.core.v1.PodSpec")
    assert isinstance(node, StructNode)
    lines = ["  core.PodSpec{", *_struct(_internal(old), _internal(new), node, 1), "  }"]
    return "".join(f"{line[:2].replace(' ', _NBSP)}{line[2:]}\n" for line in lines)


def _internal(spec: Doc) -> Doc:
    """The internal type keeps host namespaces in the security context and has no ``serviceAccount``."""
    moved = {name: spec[name] for name in _IN_SECURITY_CONTEXT if name in spec}
    out = {k: v for k, v in spec.items() if k not in moved and k != "serviceAccount"}
    if moved:
        out["securityContext"] = {**moved, **(spec.get("securityContext") or {})}
    return out


def go_name(key: str) -> str:
    """``dnsPolicy`` → ``DNSPolicy``."""
    return _NAMES.get(key, key[:1].upper() + key[1:])


_BOOL = BoolNode("bool")


def _child(node: Node | None, key: str) -> Node | None:
    found = node.child(key) if node is not None else None
    return _BOOL if found is None and key in _IN_SECURITY_CONTEXT else found


def _go_type(node: Node | None) -> str:
    if isinstance(node, ListNode):
        return f"[]{_go_type(node.element)}"
    if isinstance(node, StructNode):
        return f"core.{node.name}"
    return node.go_type if node is not None else ""


def _zero(node: Node | None, pointer: bool) -> str:
    if pointer or isinstance(node, ListNode | MapNode):
        return "nil"
    if isinstance(node, StructNode):
        return "{}"
    return {"string": '""', "int": "0", "bool": "false"}.get(node.op if node is not None else "", "nil")


def _value(value: Any, node: Node | None, pointer: bool = False, typed: bool = False) -> str:
    """On one line, without zero fields, as go-cmp prints what is equal."""
    if value is None or value is _ABSENT:
        return _zero(node, pointer)
    mark = "&" if pointer else ""
    kind = _go_type(node) if typed else ""
    if isinstance(value, list):
        element = node.element if isinstance(node, ListNode) else None
        return f"{kind}{{{', '.join(_value(item, element) for item in value)}}}"
    if isinstance(value, dict):
        if not isinstance(node, StructNode):
            child = node.child("") if node is not None else None
            inner = ", ".join(f"{field.quote(k)}: {_value(value[k], child)}" for k in sorted(value))
            return f"{mark}{kind}{{{inner}}}"
        parts: list[str] = []
        embedded, belongs = _EMBEDDED.get(node.name, ("", None))
        held: list[str] = []
        for key in _order(node):
            if value.get(key) in (None, "", 0, False, []):
                continue
            text = f"{go_name(key)}: {_value(value[key], _child(node, key), _pointer(node, key))}"
            (held if belongs is not None and belongs(key) else parts).append(text)
        if held:
            whole = f"{embedded}: {{{', '.join(held)}}}"
            parts = [whole, *parts] if embedded == "LocalObjectReference" else [*parts, whole]
        return f"{mark}{kind}{{{', '.join(parts)}}}"
    if isinstance(value, bool):
        return f"{mark}{'true' if value else 'false'}"
    return f"{mark}{field.quote(value) if isinstance(value, str) else value}"


def _order(node: StructNode) -> Sequence[str]:
    return _ORDERS.get(node.name) or list(node.fields)


def _pointer(node: StructNode, key: str) -> bool:
    found = node.fields.get(key)
    if key in ("shareProcessNamespace", "hostUsers"):
        return True
    if found is None or isinstance(found.node, ListNode | MapNode) or (node.name, key) in _NOT_POINTERS:
        return False
    return found.omit == OMIT_NONE


Record = tuple[str, str, list[str]]
"""(sign, "Key: " or "", lines of the value without indentation)."""


def _layout(records: list[Record], depth: int) -> list[str]:
    """Keys of neighbouring one-line records are aligned."""
    lines: list[str] = []
    start = 0
    while start < len(records):
        end = start
        while end < len(records) and len(records[end][2]) == 1 and records[end][1]:
            end += 1
        width = max((len(key) for _, key, _ in records[start:end]), default=0)
        for sign, key, value in records[start : max(end, start + 1)]:
            tabs = "\t" * depth
            padded = key.ljust(width) if len(value) == 1 else key
            lines.append(f"{sign} {tabs}{padded}{value[0]}")
            lines.extend(value[1:])
        start = max(end, start + 1)
    return lines


def _struct(old: Doc, new: Doc, node: StructNode, depth: int) -> list[str]:
    entries = [(key, old.get(key), new.get(key)) for key in _order(node)]
    records: list[Record] = []
    for place, group in enumerate(groups := _groups([a == b for _, a, b in entries])):
        same, first, last = group
        members = entries[first:last]
        if same:
            low, high = _kept(len(members), place, len(groups))
            hidden = len(members) - low - high
            for i, (key, value, _) in enumerate(members):
                if i < low or i >= len(members) - high:
                    text = _value(value, _child(node, key), _pointer(node, key))
                    records.append((" ", f"{go_name(key)}: ", [f"{text},"]))
                elif i == low:
                    records.append((" ", "", [f"... // {hidden} identical fields"]))
            continue
        for key, before, after in members:
            records += _change(f"{go_name(key)}: ", before, after, _child(node, key), _pointer(node, key), depth)
    return _layout(records, depth)


def _groups(same: list[bool]) -> list[tuple[bool, int, int]]:
    """Runs of equal and of different members: (equal, first, after last)."""
    found: list[tuple[bool, int, int]] = []
    for i, equal in enumerate(same):
        if found and found[-1][0] is equal:
            found[-1] = (equal, found[-1][1], i + 1)
        else:
            found.append((equal, i, i + 1))
    return found


def _kept(count: int, place: int, groups: int) -> tuple[int, int]:
    """How many of ``count`` equal members are shown at the start and at the end of their run."""
    low = min(_CONTEXT, count) if place else 0
    high = min(_CONTEXT, count - low) if place < groups - 1 else 0
    return low, high + 1 if count - low - high == 1 else high


def _change(key: str, old: Any, new: Any, node: Node | None, pointer: bool, depth: int) -> list[Record]:
    tabs = "\t" * depth
    if isinstance(old, dict) and isinstance(new, dict) and isinstance(node, StructNode):
        kind = f"{'&' if pointer else ''}{_go_type(node) if key else ''}"
        return [(" ", key, [f"{kind}{{", *_struct(old, new, node, depth + 1), f"  {tabs}}},"])]
    if isinstance(old, list) and isinstance(new, list) and isinstance(node, ListNode):
        return [(" ", key, [f"{_go_type(node)}{{", *_list(old, new, node, depth + 1), f"  {tabs}}},"])]
    return [
        ("-", key, [f"{_value(old, node, pointer, typed=True)},"]),
        ("+", key, [f"{_value(new, node, pointer, typed=True)},"]),
    ]


def _list(old: list[Any], new: list[Any], node: ListNode, depth: int) -> list[str]:
    count = max(len(old), len(new))
    pairs = [(old[i] if i < len(old) else _ABSENT, new[i] if i < len(new) else _ABSENT) for i in range(count)]
    records: list[Record] = []
    for place, (same, first, last) in enumerate(groups := _groups([a == b for a, b in pairs])):
        members = pairs[first:last]
        if same:
            low, high = _kept(len(members), place, len(groups))
            for i, (item, _) in enumerate(members):
                if i < low or i >= len(members) - high:
                    records.append((" ", "", [f"{_value(item, node.element)},"]))
                elif i == low:
                    records.append((" ", "", [f"... // {len(members) - low - high} identical elements"]))
            continue
        for before, after in members:
            if before is _ABSENT or after is _ABSENT:
                sign, item = ("+", after) if before is _ABSENT else ("-", before)
                records.append((sign, "", [f"{_value(item, node.element)},"]))
            else:
                records += _change("", before, after, node.element, False, depth)
    return _layout(records, depth)
