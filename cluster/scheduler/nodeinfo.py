"""What the scheduler knows of a Node: what it offers, what is asked of it already, and by whom.

In → Node and Pod documents; out → sums in integers (CPU in thousandths, the rest in units) that are adjusted by each event, so
that scheduling one Pod never adds up all Pods. Pods with equal labels are counted in groups: matching a selector
costs one comparison a group, not one a Pod.

Upstream: kubernetes pkg/scheduler/framework/types.go (NodeInfo, PodInfo), component-helpers/resource.
"""

from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from cluster.api import quantity
from cluster.clientgo import Doc

DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024
"""What a container without requests is taken to need when scores are computed (GetNonzeroRequests)."""


@lru_cache(maxsize=4096)
def amount(name: str, text: str) -> int:
    """A quantity of the resource ``name`` as an integer: CPU in thousandths."""
    parsed = quantity.parse(text)
    return parsed.milli() if name == "cpu" else parsed.value()


def _sums(resources: Doc | None) -> dict[str, int]:
    return {name: amount(name, str(text)) for name, text in (resources or {}).items()}


class PodFacts(Struct):
    """A Pod as the scheduler sees it."""

    key: str
    uid: str
    namespace: str
    name: str
    labels: dict[str, str]
    priority: int
    requests: dict[str, int]
    nonzero_cpu: int
    nonzero_memory: int
    ports: list[tuple[str, str, int]]
    """(host IP, protocol, host port)."""
    group: str
    """Pods of one namespace with equal labels are one group."""
    created: str
    start: str
    terminating: bool
    doc: Doc


def pod_facts(pod: Doc) -> PodFacts:
    """Read once what is needed many times."""
    meta, spec = pod["metadata"], pod.get("spec") or {}
    labels = meta.get("labels") or {}
    namespace = meta.get("namespace", "")
    requests: dict[str, int] = {}
    cpu = memory = 0
    ports: list[tuple[str, str, int]] = []
    for container in spec.get("containers") or ():
        wanted = _sums((container.get("resources") or {}).get("requests"))
        for name, count in wanted.items():
            requests[name] = requests.get(name, 0) + count
        cpu += wanted.get("cpu", DEFAULT_MILLI_CPU)
        memory += wanted.get("memory", DEFAULT_MEMORY)
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                ports.append((port.get("hostIP") or "0.0.0.0", port.get("protocol", "TCP"), port["hostPort"]))
    requests, cpu, memory = _with_init_containers(spec, requests, cpu, memory)
    for name, count in _sums(spec.get("overhead")).items():
        requests[name] = requests.get(name, 0) + count
    group = namespace + "|" + "|".join(f"{key}={labels[key]}" for key in sorted(labels))
    return PodFacts(
        key=f"{namespace}/{meta['name']}", uid=meta.get("uid", ""), namespace=namespace, name=meta["name"], labels=labels,
        priority=spec.get("priority") or 0, requests=requests, nonzero_cpu=cpu, nonzero_memory=memory, ports=ports,
        group=group, created=meta.get("creationTimestamp") or "", start=(pod.get("status") or {}).get("startTime") or "",
        terminating=bool(meta.get("deletionTimestamp")), doc=pod,
    )  # fmt: skip


def _with_init_containers(
    spec: Doc, requests: dict[str, int], cpu: int, memory: int
) -> tuple[dict[str, int], int, int]:
    """Init containers run one after another before the others: the most that is needed at any time counts. Those that
    restart always (sidecars) stay, so they count together with everything after them."""
    sidecars: dict[str, int] = {}
    most: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        wanted = _sums((container.get("resources") or {}).get("requests"))
        if container.get("restartPolicy") == "Always":
            for name, count in wanted.items():
                sidecars[name] = sidecars.get(name, 0) + count
                requests = {**requests, name: requests.get(name, 0) + count}
            cpu += wanted.get("cpu", DEFAULT_MILLI_CPU)
            memory += wanted.get("memory", DEFAULT_MEMORY)
            wanted = sidecars
        else:
            wanted = {n: wanted.get(n, 0) + sidecars.get(n, 0) for n in {**wanted, **sidecars}}
        for name, count in wanted.items():
            most[name] = max(most.get(name, 0), count)
    total = {name: max(requests.get(name, 0), most.get(name, 0)) for name in {**requests, **most}}
    return total, max(cpu, most.get("cpu", 0)), max(memory, most.get("memory", 0))


class NodeInfo(Struct):
    """One Node. ``doc`` None: Pods say they are on it, but the Node hasn't been seen yet."""

    name: str
    doc: Doc | None = None
    generation: int = 0
    """Grows with every change that a plug-in could see."""
    labels: dict[str, str] = field(default_factory=dict)
    taints: list[Doc] = field(default_factory=list)
    unschedulable: bool = False
    allocatable: dict[str, int] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    """Normalised image name → bytes."""
    requested: dict[str, int] = field(default_factory=dict)
    nonzero_cpu: int = 0
    nonzero_memory: int = 0
    pods: dict[str, PodFacts] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    """Group → Pods of it here that aren't terminating."""
    group_samples: dict[str, PodFacts] = field(default_factory=dict)
    ports: dict[tuple[str, str, int], int] = field(default_factory=dict)
    with_affinity: dict[str, None] = field(default_factory=dict)
    """Keys of Pods with pod affinity or anti-affinity of any kind."""
    with_required_anti_affinity: dict[str, None] = field(default_factory=dict)

    def set_node(self, node: Doc) -> None:
        """The Node document is (now) this."""
        spec, status = node.get("spec") or {}, node.get("status") or {}
        self.doc = node
        self.generation += 1
        self.labels = node["metadata"].get("labels") or {}
        self.taints = spec.get("taints") or []
        self.unschedulable = bool(spec.get("unschedulable"))
        self.allocatable = _sums(status.get("allocatable") or status.get("capacity"))
        self.images = {
            normalized_image(name): image.get("sizeBytes", 0)
            for image in status.get("images") or () for name in image.get("names") or ()
        }  # fmt: skip

    def add(self, pod: PodFacts) -> None:
        """``pod`` is here."""
        self.pods[pod.key] = pod
        self._count(pod, 1)

    def remove(self, key: str) -> PodFacts | None:
        """The Pod of that key isn't here any more."""
        pod = self.pods.pop(key, None)
        if pod is not None:
            self._count(pod, -1)
        return pod

    def _count(self, pod: PodFacts, sign: int) -> None:
        self.generation += 1
        for name, count in pod.requests.items():
            self.requested[name] = self.requested.get(name, 0) + sign * count
        self.nonzero_cpu += sign * pod.nonzero_cpu
        self.nonzero_memory += sign * pod.nonzero_memory
        for port in pod.ports:
            _bump(self.ports, port, sign)
        if not pod.terminating:
            _bump(self.groups, pod.group, sign)
            if pod.group in self.groups:
                self.group_samples.setdefault(pod.group, pod)
            else:
                self.group_samples.pop(pod.group, None)
        affinity = pod.doc["spec"].get("affinity")
        if affinity and (affinity.get("podAffinity") or affinity.get("podAntiAffinity")):
            required = (affinity.get("podAntiAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
            for table, applies in ((self.with_affinity, True), (self.with_required_anti_affinity, bool(required))):
                if applies and sign > 0:
                    table[pod.key] = None
                elif applies:
                    table.pop(pod.key, None)

    def without(self, keys: set[str]) -> "NodeInfo":
        """What it would be if these Pods were gone."""
        other = NodeInfo(
            self.name, self.doc, 0, self.labels, self.taints, self.unschedulable, self.allocatable, self.images
        )
        for key, pod in self.pods.items():
            if key not in keys:
                other.add(pod)
        return other


def _bump(table: dict[Any, int], key: Any, by: int) -> None:
    count = table.get(key, 0) + by
    if count > 0:
        table[key] = count
    else:
        table.pop(key, None)


def normalized_image(name: str) -> str:
    """``nginx`` is ``nginx:latest``."""
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"
