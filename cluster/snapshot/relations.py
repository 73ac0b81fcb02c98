"""Who belongs to whom: an object among its owners, what it owns, and those that point to it or that it points to.

In → a ``Scene`` and a name; out → ``{"nodes": […], "edges": […]}``. Every edge points from the one that leads to the one that follows:
Deployment → ReplicaSet → Pod → Node, Service → EndpointSlice → Pod, role → binding → subject. Nodes have a ``level``: negative what leads
to the object at hand, positive what it leads to. ``owns`` is an ownerReference (the garbage collector follows it); every other
word is a reference by name or by labels that the kinds themselves define.

Errors: KeyError when there is no such object now.

Simplified here: relations are followed two steps each way, ``FAN`` objects a relation; what is left out is counted in ``more``.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from cluster.api import selectors
from cluster.api.scheme import Resource
from cluster.snapshot.kinds import documents, resolve, served, stored_name
from cluster.snapshot.objects import node_ready, pod_shape
from cluster.snapshot.scene import Scene
from cluster.snapshot.thing import key_of

Doc = dict[str, Any]
FAN = 12
"""Objects shown of one relation of one object."""
DEPTH = 2
WORKLOADS = ("deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "replicationcontrollers")


class Link(Struct, frozen=True):
    """A relation to an object by name. It may not exist: a reference is only a promise."""

    word: str
    resource: str
    namespace: str
    name: str
    to_it: bool
    """The arrow goes from the object at hand to that one; else the other way."""


def relations(scene: Scene, resource: str, namespace: str, name: str) -> Doc:
    """The graph around an object. KeyError."""
    return Graph(scene).around(resolve(scene, resource), namespace, name)


class Graph:
    """One walk from one object."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.kinds = {one.group_resource: one for one in served(scene)}
        self.by_kind = {(one.group, one.kind): one for one in self.kinds.values()}
        self.nodes: dict[tuple[str, str, str], Doc] = {}
        self.edges: dict[tuple[str, str, str], Doc] = {}
        self.dependants: dict[str, list[tuple[Resource, Doc]]] | None = None

    def around(self, kind: Resource, namespace: str, name: str) -> Doc:
        """Walk against the arrows, then along them."""
        if key_of(kind, namespace, name) not in documents(self.scene, kind):
            raise KeyError(f"{kind.group_resource}/{name}")
        start = self._node(kind.group_resource, namespace, name, 0)
        for step in (-1, 1):
            edge = [start]
            for depth in range(1, DEPTH + 1):
                edge = [found for node in edge for found in self._step(node, step, depth)]
        return {"nodes": list(self.nodes.values()), "edges": list(self.edges.values())}

    def _step(self, node: Doc, step: int, depth: int) -> list[Doc]:
        kind = self.kinds.get(node["resource"])
        if kind is None or not node["exists"]:
            return []
        doc = documents(self.scene, kind)[key_of(kind, node["namespace"], node["name"])]
        found, seen = [], dict[str, int]()
        for link in self.links(kind, doc):
            if link.to_it is not (step > 0):
                continue
            seen[link.word] = seen.get(link.word, 0) + 1
            if seen[link.word] > FAN:
                node.setdefault("more", {})[link.word] = seen[link.word] - FAN
                continue
            known = (link.resource, link.namespace, link.name) in self.nodes
            other = self._node(link.resource, link.namespace, link.name, step * depth)
            pair = (node, other) if link.to_it else (other, node)
            self.edges.setdefault(
                (pair[0]["id"], pair[1]["id"], link.word),
                {"from": pair[0]["id"], "to": pair[1]["id"], "word": link.word},
            )
            if not known:
                found.append(other)
        return found

    def _node(self, resource: str, namespace: str, name: str, level: int) -> Doc:
        key = (resource, namespace, name)
        if key not in self.nodes:
            kind = self.kinds.get(resource)
            doc = documents(self.scene, kind).get(key_of(kind, namespace, name)) if kind is not None else None
            node = {
                "id": f"n{len(self.nodes)}",
                "resource": resource,
                "kind": kind.kind if kind is not None else resource,
                "namespace": namespace,
                "name": name,
                "level": level,
                "exists": doc is not None or (kind is None and resource in ("users", "groups")),
            }
            if doc is not None and resource == "pods":
                node["shape"] = pod_shape(doc)
            if doc is not None and resource == "nodes":
                node["ready"] = node_ready(doc)
            if doc is not None and "deletionTimestamp" in doc["metadata"]:
                node["deleting"] = True
            self.nodes[key] = node
        return self.nodes[key]

    # -- one step -------------------------------------------------------------------------------------------------

    def links(self, kind: Resource, doc: Doc) -> Iterator[Link]:
        """Owners and what it owns, then what it names or chooses, then what names or chooses it."""
        meta, namespace = doc["metadata"], doc["metadata"].get("namespace", "")
        for owner in meta.get("ownerReferences") or ():
            found = self.by_kind.get((owner["apiVersion"].rpartition("/")[0], owner["kind"]))
            resource = found.group_resource if found is not None else owner["kind"].lower()
            where = namespace if found is None or found.namespaced else ""
            yield Link("owns", resource, where, owner["name"], False)
        for other, child in self._owned(meta.get("uid", "")):
            yield _link("owns", other.group_resource, child, True)
        yield from _NAMES.get(kind.group_resource, _nothing)(doc, namespace)
        yield from self._named_by(kind.group_resource, namespace, meta["name"], doc)

    def _owned(self, uid: str) -> list[tuple[Resource, Doc]]:
        if self.dependants is None:
            self.dependants = {}
            for kind in self.kinds.values():
                docs = documents(self.scene, kind)
                if kind.plural == "events":
                    continue
                for name in sorted(docs):
                    child = docs[name]
                    for owner in child["metadata"].get("ownerReferences") or ():
                        self.dependants.setdefault(owner["uid"], []).append((kind, child))
        return self.dependants.get(uid, []) if uid else []

    def _docs(self, resource: str, namespace: str = "") -> list[Doc]:
        docs = self.scene.objects.get(stored_name(self.kinds[resource]))
        return [docs[name] for name in sorted(docs) if not namespace or name.startswith(namespace + "/")]

    def _named_by(self, resource: str, namespace: str, name: str, doc: Doc) -> Iterator[Link]:
        """Objects of other kinds that name this one."""
        match resource:
            case "pods":
                labels = doc["metadata"].get("labels") or {}
                yield from self._slices_of(namespace, name)
                yield from self._selecting("poddisruptionbudgets.policy", namespace, labels, "selects")
                yield from self._selecting("networkpolicies.networking.k8s.io", namespace, labels, "isolates")
            case "nodes":
                for pod in self._docs("pods"):
                    if (pod.get("spec") or {}).get("nodeName") == name:
                        yield _link("runs on", "pods", pod, False)
            case "services":
                for ingress in self._docs("ingresses.networking.k8s.io", namespace):
                    if name in _backends(ingress):
                        yield _link("routes to", "ingresses.networking.k8s.io", ingress, False)
            case "serviceaccounts":
                for pod in self._docs("pods", namespace):
                    if (pod.get("spec") or {}).get("serviceAccountName") == name:
                        yield _link("acts as", "pods", pod, False)
                for binding_kind in ("clusterrolebindings", "rolebindings"):
                    for binding in self._docs(f"{binding_kind}.rbac.authorization.k8s.io"):
                        if any(_is_account(one, namespace, name) for one in binding.get("subjects") or ()):
                            yield _link("grants to", f"{binding_kind}.rbac.authorization.k8s.io", binding, False)
            case "roles.rbac.authorization.k8s.io" | "clusterroles.rbac.authorization.k8s.io":
                wanted = "Role" if resource.startswith("roles") else "ClusterRole"
                for binding_kind in ("clusterrolebindings", "rolebindings"):
                    full = f"{binding_kind}.rbac.authorization.k8s.io"
                    for binding in self._docs(full, namespace):
                        if binding["roleRef"]["kind"] == wanted and binding["roleRef"]["name"] == name:
                            yield _link("granted by", full, binding, True)
            case "configmaps" | "secrets" | "persistentvolumeclaims":
                for pod in self._docs("pods", namespace):
                    if any(link.resource == resource and link.name == name for link in _pod(pod, namespace)):
                        yield _link("uses", "pods", pod, False)
            case "deployments.apps" | "replicasets.apps" | "statefulsets.apps":
                for scaler in self._docs("horizontalpodautoscalers.autoscaling", namespace):
                    target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
                    if target.get("kind") == doc.get("kind") and target.get("name") == name:
                        yield _link("scales", "horizontalpodautoscalers.autoscaling", scaler, False)
            case "storageclasses.storage.k8s.io":
                for claim in self._docs("persistentvolumeclaims"):
                    if (claim.get("spec") or {}).get("storageClassName") == name:
                        yield _link("of class", "persistentvolumeclaims", claim, False)

    def _slices_of(self, namespace: str, pod: str) -> Iterator[Link]:
        for piece in self._docs("endpointslices.discovery.k8s.io", namespace):
            if any((one.get("targetRef") or {}).get("name") == pod for one in piece.get("endpoints") or ()):
                yield _link("leads to", "endpointslices.discovery.k8s.io", piece, False)

    def _selecting(self, resource: str, namespace: str, labels: dict[str, str], word: str) -> Iterator[Link]:
        for doc in self._docs(resource, namespace):
            spec = doc.get("spec") or {}
            selector = spec.get("podSelector") if "podSelector" in spec else spec.get("selector")
            if selector is not None and selectors.from_struct(selector).matches(labels):
                yield _link(word, resource, doc, False)


def _link(word: str, resource: str, doc: Doc, to_it: bool) -> Link:
    return Link(word, resource, doc["metadata"].get("namespace", ""), doc["metadata"]["name"], to_it)


def _nothing(doc: Doc, namespace: str) -> Iterator[Link]:
    yield from ()


def _pod(doc: Doc, namespace: str) -> Iterator[Link]:
    spec = doc.get("spec") or {}
    if spec.get("nodeName"):
        yield Link("runs on", "nodes", "", spec["nodeName"], True)
    if spec.get("serviceAccountName"):
        yield Link("acts as", "serviceaccounts", namespace, spec["serviceAccountName"], True)
    if spec.get("priorityClassName"):
        yield Link("of class", "priorityclasses.scheduling.k8s.io", "", spec["priorityClassName"], True)
    used: dict[tuple[str, str], None] = {}
    for volume in spec.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            for part, resource, key in (
                ("configMap", "configmaps", "name"),
                ("secret", "secrets", "secretName" if source is volume else "name"),
                ("persistentVolumeClaim", "persistentvolumeclaims", "claimName"),
            ):
                named = (source.get(part) or {}).get(key)
                if named:
                    used[(resource, named)] = None
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for source in container.get("envFrom") or ():
            for part, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
                if (source.get(part) or {}).get("name"):
                    used[(resource, source[part]["name"])] = None
        for variable in container.get("env") or ():
            origin = variable.get("valueFrom") or {}
            for part, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
                if (origin.get(part) or {}).get("name"):
                    used[(resource, origin[part]["name"])] = None
    for resource, named in used:
        yield Link("uses", resource, namespace, named, True)


def _claim(doc: Doc, namespace: str) -> Iterator[Link]:
    spec = doc.get("spec") or {}
    if spec.get("volumeName"):
        yield Link("bound to", "persistentvolumes", "", spec["volumeName"], True)
    if spec.get("storageClassName"):
        yield Link("of class", "storageclasses.storage.k8s.io", "", spec["storageClassName"], True)


def _volume(doc: Doc, namespace: str) -> Iterator[Link]:
    claim = (doc.get("spec") or {}).get("claimRef")
    if claim:
        yield Link("bound to", "persistentvolumeclaims", claim.get("namespace", ""), claim["name"], False)


def _binding(doc: Doc, namespace: str) -> Iterator[Link]:
    role = doc["roleRef"]
    kind = "roles" if role["kind"] == "Role" else "clusterroles"
    where = namespace if kind == "roles" else ""
    yield Link("granted by", f"{kind}.rbac.authorization.k8s.io", where, role["name"], False)
    for subject in doc.get("subjects") or ():
        kind = {"ServiceAccount": "serviceaccounts", "User": "users", "Group": "groups"}.get(subject["kind"], "users")
        where = (subject.get("namespace") or namespace) if kind == "serviceaccounts" else ""
        yield Link("grants to", kind, where, subject["name"], True)


def _slice(doc: Doc, namespace: str) -> Iterator[Link]:
    for endpoint in doc.get("endpoints") or ():
        target = endpoint.get("targetRef") or {}
        if target.get("kind") == "Pod":
            yield Link("leads to", "pods", target.get("namespace") or namespace, target["name"], True)


def _account(doc: Doc, namespace: str) -> Iterator[Link]:
    for secret in doc.get("secrets") or ():
        yield Link("token in", "secrets", namespace, secret["name"], True)
    for secret in doc.get("imagePullSecrets") or ():
        yield Link("pulls with", "secrets", namespace, secret["name"], True)


def _backends(ingress: Doc) -> list[str]:
    spec = ingress.get("spec") or {}
    paths = [path for rule in spec.get("rules") or () for path in (rule.get("http") or {}).get("paths") or ()]
    backends = [spec.get("defaultBackend") or {}, *(path.get("backend") or {} for path in paths)]
    return list(dict.fromkeys(b["service"]["name"] for b in backends if b.get("service")))


def _ingress(doc: Doc, namespace: str) -> Iterator[Link]:
    for service in _backends(doc):
        yield Link("routes to", "services", namespace, service, True)
    if (doc.get("spec") or {}).get("ingressClassName"):
        yield Link("of class", "ingressclasses.networking.k8s.io", "", doc["spec"]["ingressClassName"], True)


def _scaler(doc: Doc, namespace: str) -> Iterator[Link]:
    target = (doc.get("spec") or {}).get("scaleTargetRef") or {}
    plural = f"{target.get('kind', '').lower()}s"
    if plural in WORKLOADS:
        yield Link(
            "scales",
            f"{plural}.apps" if plural != "replicationcontrollers" else plural,
            namespace,
            target["name"],
            True,
        )


def _is_account(subject: Doc, namespace: str, name: str) -> bool:
    if subject["kind"] != "ServiceAccount":
        return False
    return subject["name"] == name and subject.get("namespace", namespace) == namespace


_NAMES = {
    "pods": _pod,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "endpointslices.discovery.k8s.io": _slice,
    "rolebindings.rbac.authorization.k8s.io": _binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _binding,
    "serviceaccounts": _account,
    "ingresses.networking.k8s.io": _ingress,
    "horizontalpodautoscalers.autoscaling": _scaler,
}
"""What an object of a kind names itself."""
