"""DaemonSet: one Pod on every Node that suits.

In → a DaemonSet, the Nodes, its Pods; out → a Pod for each suitable Node that has none, bound to it by node affinity (the default
scheduler then places it), deletions where there are too many or the Node doesn't suit any more; a rolling update Node by
Node within maxUnavailable; a ControllerRevision per template; status.

It runs again with every change of one of its Pods; so the sums of its status are kept by ``Census``, and the Nodes are gone over
only when some Node needs something.

Its Pods tolerate the taints that a Node gets when it is sick or cordoned: an agent should stay.

Simplified here: maxSurge is treated as 0; a collision of revision names is answered by trying again with a higher count.

Upstream: kubernetes pkg/controller/daemon/{daemon_controller,update}.go, daemon/util/daemonset_util.go.
"""

from typing import Any

from cluster.api import selectors
from cluster.clientgo import Doc, reason_of
from cluster.controllers.lib.census import NOTHING, TROUBLED, Census, Row
from cluster.controllers.lib.history import HASH_LABEL, equal, hash_of, new_revision
from cluster.controllers.lib.meta import annotations_of, deleting, labels_of, owner_reference, path, spec_of, status_of
from cluster.controllers.lib.podcontrol import PodControl
from cluster.controllers.lib.pods import from_template, is_available, is_ready, phase, ready_since
from cluster.controllers.lib.rollout import scaled
from cluster.controllers.lib.taints import untolerated
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpResponse

GENERATION = "deprecated.daemonset.template.generation"
_SICK = (("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule"),
         ("memory-pressure", "NoSchedule"), ("pid-pressure", "NoSchedule"), ("unschedulable", "NoSchedule"))  # fmt: skip


class DaemonSetController(PodControl):
    """Keys are ``namespace/name`` of DaemonSets."""

    name = "daemonset"
    user = "daemon-set-controller"
    watches = ("daemonsets", "pods", "nodes", "controllerrevisions")
    workers = 2
    resource = "daemonsets"
    owner_kind = "DaemonSet"

    def __init__(self, manager: Any) -> None:
        super().__init__(manager)
        self._censuses: dict[str, Census] = {}

    # -- events ---------------------------------------------------------------------------------------------------

    def on_daemonsets(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = f"{new['metadata']['namespace']}/{new['metadata']['name']}"
        if event_type == "DELETED":
            self.forget(key)
            self._censuses.pop(key, None)
        self.enqueue(out, key)

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = self.owner_key(new, "DaemonSet")
        before = self.owner_key(old, "DaemonSet") if old is not None else None
        if before is not None and before != key and before in self._censuses:
            self._censuses[before].remove(new)
        if key is None:
            return
        census = self._censuses.get(key)
        if census is not None:
            census.heard(event_type, target_node(new), new)
        self.observe(key, event_type, new)
        self.enqueue(out, key)

    def on_nodes(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if (
            event_type == "MODIFIED"
            and old is not None
            and labels_of(old) == labels_of(new)
            and (spec_of(old).get("taints") == spec_of(new).get("taints"))
        ):
            return
        for census in self._censuses.values():
            census.touch(new["metadata"]["name"])
        for daemonset in self.store("daemonsets"):
            self.enqueue(out, f"{daemonset['metadata']['namespace']}/{daemonset['metadata']['name']}")

    # -- one run --------------------------------------------------------------------------------------------------

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        daemonset = self.store("daemonsets").get(key)
        if daemonset is None:
            self.forget(key)
            return
        if deleting(daemonset):
            return
        current = self._revision(daemonset, out)
        if current is None:
            return  # it is being written; its event brings us back
        if not self.may_count(key, now):
            self._write_status(key, daemonset, current, now, out)
            return
        create: list[Doc] = []
        delete: list[Doc] = []
        if not self._settled(key, daemonset, current):
            create, delete = self._differences(daemonset, current, out)
            if not create and not delete:
                delete = self._outdated(daemonset, current, now)
        if create or delete:
            text = f"DaemonSet {key} creates {len(create)} and deletes {len(delete)} Pods to have one on every suitable Node."
            self.note(out, f"daemonsets/{key}", text)
        if not self.manage(key, daemonset, create, delete, now, out):
            self._write_status(key, daemonset, current, now, out)

    def finished(self, key: str, now: int, out: Outbox) -> None:
        daemonset = self.store("daemonsets").get(key)
        current = self._revision(daemonset, out) if daemonset is not None else None
        if daemonset is not None and current is not None:
            self._write_status(key, daemonset, current, now, out)

    def _census(self, key: str, daemonset: Doc, current: Doc) -> Census | None:
        """None: Pods become available by waiting, so they must be looked at."""
        spec, uid, wanted = daemonset["spec"], daemonset["metadata"]["uid"], hash_of(current)
        if spec.get("minReadySeconds", 0):
            return None
        census = self._censuses.get(key)
        if census is None or not census.suits(uid, spec, wanted):
            nodes = self.store("nodes")

            def count(name: str, pods: list[Doc]) -> Row:
                return row_of(daemonset, wanted, nodes.get(name), pods)

            census = self._censuses[key] = Census(uid, spec, wanted, count)
            for node in nodes:
                census.touch(node["metadata"]["name"])
            for pod in self.store("pods").by("owner", uid):
                census.put(target_node(pod), pod)
        return census

    def _settled(self, key: str, daemonset: Doc, current: Doc) -> bool:
        """Nothing is to be created, deleted, replaced or adopted."""
        census = self._census(key, daemonset, current)
        orphans = self.store("pods").by("orphans", daemonset["metadata"]["namespace"])
        return census is not None and not orphans and not census.sums()[TROUBLED]

    def _pods_by_node(self, daemonset: Doc, out: Outbox | None = None) -> dict[str, list[Doc]]:
        meta = daemonset["metadata"]
        pods = list(self.store("pods").by("owner", meta["uid"]))
        orphans = self.store("pods").by("orphans", meta["namespace"]) if out is not None else []
        selector = selectors.from_struct(daemonset["spec"]["selector"]) if orphans else None
        for pod in orphans:
            if selector is not None and out is not None and selector.matches(labels_of(pod)) and not deleting(pod):
                owners = [
                    *(pod["metadata"].get("ownerReferences") or ()),
                    owner_reference(daemonset, "apps/v1", "DaemonSet"),
                ]
                self.request(out, "PATCH", path("v1", "pods", meta["namespace"], pod["metadata"]["name"]),
                             doc={"metadata": {"ownerReferences": owners, "uid": pod["metadata"]["uid"]}},
                             content_type="application/merge-patch+json")  # fmt: skip
                pods.append(pod)
        by_node: dict[str, list[Doc]] = {}
        for pod in pods:
            by_node.setdefault(target_node(pod), []).append(pod)
        return by_node

    def _differences(self, daemonset: Doc, current: Doc, out: Outbox) -> tuple[list[Doc], list[Doc]]:
        by_node = self._pods_by_node(daemonset, out)
        create: list[Doc] = []
        delete: list[Doc] = []
        for node in self.store("nodes"):
            name = node["metadata"]["name"]
            should_run, may_stay = suits(daemonset, node)
            pods = by_node.pop(name, [])
            alive = [pod for pod in pods if not deleting(pod)]
            for pod in [pod for pod in alive if phase(pod) in ("Failed", "Succeeded")]:
                alive.remove(pod)
                delete.append(pod)
                namespace, pod_name = pod["metadata"]["namespace"], pod["metadata"]["name"]
                word = "failed" if phase(pod) == "Failed" else "succeeded"
                self.event(out, daemonset, "daemonsets", "Warning" if word == "failed" else "Normal",
                           f"{word.capitalize()}DaemonPod",
                           f"Found {word} daemon pod {namespace}/{pod_name} on node {name}, will try to {'kill' if word == 'failed' else 'delete'} it")  # fmt: skip
            if should_run and not pods:
                create.append(self._pod(daemonset, current, name))
            elif not may_stay:
                delete.extend(alive)
            elif len(alive) > 1:
                alive.sort(key=lambda pod: (not is_ready(pod), pod["metadata"].get("creationTimestamp") or ""))
                delete.extend(alive[1:])
        for pods in by_node.values():  # their Node is gone
            delete.extend(pod for pod in pods if not deleting(pod))
        return create, delete

    def _pod(self, daemonset: Doc, current: Doc, node_name: str) -> Doc:
        template = daemonset["spec"]["template"]
        pod = from_template(template, daemonset, "apps/v1", "DaemonSet")
        generation = annotations_of(daemonset).get(GENERATION, str(daemonset["metadata"].get("generation", 1)))
        labels = {**labels_of(pod), HASH_LABEL: hash_of(current), "pod-template-generation": generation}
        spec = dict(pod["spec"])
        spec["affinity"] = _pinned(spec.get("affinity"), node_name)
        spec["tolerations"] = with_daemon_tolerations(spec)
        return {**pod, "metadata": {**pod["metadata"], "labels": labels}, "spec": spec}

    # -- updates --------------------------------------------------------------------------------------------------

    def _outdated(self, daemonset: Doc, current: Doc, now: int) -> list[Doc]:
        """Pods of an older template that may go now (rollingUpdate)."""
        strategy = daemonset["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return []
        by_node = self._pods_by_node(daemonset)
        seconds = daemonset["spec"].get("minReadySeconds", 0)
        wanted = unavailable = 0
        replaceable: list[Doc] = []
        useless: list[Doc] = []
        for node in self.store("nodes"):
            if not suits(daemonset, node)[0]:
                continue
            wanted += 1
            pods = by_node.get(node["metadata"]["name"], [])
            alive = [pod for pod in pods if not deleting(pod)]
            up = any(is_available(pod, seconds, now, self.config.epoch) for pod in alive)
            unavailable += not up
            for pod in alive:
                if labels_of(pod).get(HASH_LABEL) != hash_of(current):
                    (replaceable if up else useless).append(pod)
        most = scaled((strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1), wanted, True)
        return [*useless, *replaceable[: max(0, most - unavailable)]]

    def _revision(self, daemonset: Doc, out: Outbox) -> Doc | None:
        """The ControllerRevision of the present template; None: it was just asked for."""
        known = self.store("controllerrevisions").by("owner", daemonset["metadata"]["uid"])
        number = max((r["revision"] for r in known), default=0)
        wanted = new_revision(
            daemonset, "apps/v1", "DaemonSet", number + 1, status_of(daemonset).get("collisionCount", 0)
        )
        for revision in known:
            if equal(revision, wanted):
                if revision["revision"] < number:  # rolled back: it is the newest again
                    doc = {"kind": "ControllerRevision", "apiVersion": "apps/v1", **revision, "revision": number + 1}
                    self.request(out, "PUT", self._revision_path(revision), doc=doc)
                return revision
        meta = daemonset["metadata"]
        key = f"{meta['namespace']}/{meta['name']}"
        self.request(out, "POST", path("apps/v1", "controllerrevisions", meta["namespace"]), doc=wanted,
                     then="revision_created", args=(key, wanted))  # fmt: skip
        return None

    @staticmethod
    def _revision_path(revision: Doc) -> str:
        meta = revision["metadata"]
        return path("apps/v1", "controllerrevisions", meta["namespace"], meta["name"])

    def revision_created(self, response: HttpResponse, key: str, wanted: Doc, now: int, out: Outbox) -> None:
        """Written: the informer will show it. Its name is taken by another template: count the collision."""
        if response.code == 201:
            self.enqueue(out, key, SECOND)  # should its event come late
        elif reason_of(response) == "AlreadyExists":
            self.request(out, "GET", self._revision_path(wanted), then="revision_read", args=(key, wanted))
        elif response.code != 404:
            self.failed()

    def revision_read(self, response: HttpResponse, key: str, wanted: Doc, now: int, out: Outbox) -> None:
        """Ours after all, or a collision."""
        daemonset = self.store("daemonsets").get(key)
        if daemonset is None or (response.code == 200 and equal(response.doc, wanted)):
            return
        status = {**status_of(daemonset), "collisionCount": status_of(daemonset).get("collisionCount", 0) + 1}
        self._put_status(daemonset, status, out)
        self.failed()

    def on_controllerrevisions(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = self.owner_key(new, "DaemonSet")
        if key is not None:
            self.enqueue(out, key)

    # -- status ---------------------------------------------------------------------------------------------------

    def _write_status(self, key: str, daemonset: Doc, current: Doc, now: int, out: Outbox) -> None:
        census = self._census(key, daemonset, current)
        if census is not None:
            desired, scheduled, misplaced, ready, updated, _ = census.sums()
            available = ready
        else:
            desired, scheduled, misplaced, ready, updated, available = self._count(key, daemonset, current, now, out)
        status: Doc = {
            "currentNumberScheduled": scheduled,
            "numberMisscheduled": misplaced,
            "desiredNumberScheduled": desired,
            "numberReady": ready,
        }
        extra = {
            "observedGeneration": daemonset["metadata"].get("generation", 0),
            "updatedNumberScheduled": updated,
            "numberAvailable": available,
            "numberUnavailable": desired - available,
            "collisionCount": status_of(daemonset).get("collisionCount"),
        }
        status.update({name: value for name, value in extra.items() if value})
        if status_of(daemonset) != status:
            self._put_status(daemonset, status, out)

    def _count(self, key: str, daemonset: Doc, current: Doc, now: int, out: Outbox) -> Row:
        by_node = self._pods_by_node(daemonset)
        seconds = daemonset["spec"].get("minReadySeconds", 0)
        desired = scheduled = misplaced = ready = updated = available = 0
        for node in self.store("nodes"):
            should_run = suits(daemonset, node)[0]
            pods = sorted(
                by_node.get(node["metadata"]["name"], ()), key=lambda p: p["metadata"].get("creationTimestamp") or ""
            )
            desired += should_run
            if not pods:
                continue
            if not should_run:
                misplaced += 1
                continue
            scheduled += 1
            pod = pods[0]
            if is_ready(pod):
                ready += 1
                if is_available(pod, seconds, now, self.config.epoch):
                    available += 1
                else:
                    self.enqueue(out, key, max(SECOND, ready_since(pod, self.config.epoch) + seconds * SECOND - now))
            updated += labels_of(pod).get(HASH_LABEL) == hash_of(current)
        return desired, scheduled, misplaced, ready, updated, available

    def _put_status(self, daemonset: Doc, status: Doc, out: Outbox) -> None:
        meta = daemonset["metadata"]
        doc = {"kind": "DaemonSet", "apiVersion": "apps/v1", **daemonset, "status": status}
        self.request(out, "PUT", path("apps/v1", "daemonsets", meta["namespace"], meta["name"], "status"), doc=doc)

    @property
    def event_source(self) -> str:
        return "daemonset-controller"


def target_node(pod: Doc) -> str:
    """The Node it is on or, not yet scheduled, pinned to."""
    spec = spec_of(pod)
    if spec.get("nodeName"):
        return spec["nodeName"]
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    for term in (required or {}).get("nodeSelectorTerms") or ():
        for entry in term.get("matchFields") or ():
            if entry["key"] == "metadata.name":
                return entry["values"][0]
    return ""


def row_of(daemonset: Doc, wanted: str, node: Doc | None, pods: list[Doc]) -> Row:
    """What ``node`` (None: there is none of that name) with these Pods of ``daemonset`` adds to its census.

    The same rules as ``_differences``, ``_outdated`` and ``_count`` have, without minReadySeconds.
    """
    alive = [pod for pod in pods if not deleting(pod)]
    if node is None:
        return (0, 0, 0, 0, 0, int(bool(alive))) if pods else NOTHING
    should_run, may_stay = suits(daemonset, node)
    troubled = (
        (should_run and not pods)
        or (not may_stay and bool(alive))
        or len(alive) > 1
        or any(phase(pod) in ("Failed", "Succeeded") or labels_of(pod).get(HASH_LABEL) != wanted for pod in alive)
    )
    if not pods or not should_run:
        return int(should_run), 0, int(bool(pods)), 0, 0, int(troubled)
    first = min(pods, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")
    updated = labels_of(first).get(HASH_LABEL) == wanted
    return 1, 1, 0, int(is_ready(first)), int(updated), int(troubled)


def suits(daemonset: Doc, node: Doc) -> tuple[bool, bool]:
    """``(a Pod should run there, one that is there may stay)`` (NodeShouldRunDaemonPod)."""
    spec = daemonset["spec"]["template"]["spec"]
    name, labels = node["metadata"]["name"], labels_of(node)
    if spec.get("nodeName") and spec["nodeName"] != name:
        return False, False
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False, False
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required is not None and not any(
        selectors.node_selector_matches(term, labels, {"metadata.name": name}) for term in required["nodeSelectorTerms"]
    ):
        return False, False
    taints, tolerations = spec_of(node).get("taints") or [], with_daemon_tolerations(spec)
    if untolerated(taints, tolerations, ("NoExecute",)) is not None:
        return False, False
    return untolerated(taints, tolerations, ("NoSchedule",)) is None, True


def with_daemon_tolerations(spec: Doc) -> list[Doc]:
    """The Pod's tolerations and those that every daemon Pod gets (AddOrUpdateDaemonPodTolerations)."""
    sick = [*_SICK, ("network-unavailable", "NoSchedule")] if spec.get("hostNetwork") else list(_SICK)
    added = [{"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect} for key, effect in sick]
    kept = [
        t for t in spec.get("tolerations") or ()
        if not any(t.get("key") == a["key"] and t.get("effect") == a["effect"] for a in added)
    ]  # fmt: skip
    return [*kept, *added]


def _pinned(affinity: Doc | None, node_name: str) -> Doc:
    """Node affinity that allows exactly this Node (ReplaceDaemonSetPodNodeNameNodeAffinity)."""
    field = {"key": "metadata.name", "operator": "In", "values": [node_name]}
    node_affinity = {
        **((affinity or {}).get("nodeAffinity") or {}),
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [field]}]},
    }
    return {**(affinity or {}), "nodeAffinity": node_affinity}
