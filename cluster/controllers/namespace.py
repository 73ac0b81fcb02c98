"""Namespace: its deletion is the deletion of everything in it.

In → a Namespace with a deletionTimestamp; out → for every namespaced resource that the server knows a deletecollection and
a list of what remains; conditions that say what holds it up; and when nothing is left, the finalizer ``kubernetes`` is
taken out of ``spec.finalizers`` through the ``finalize`` subresource, upon which the server removes it.

Simplified here: all resources are emptied at once instead of one after the other; while Pods take their grace period the
controller comes back after it, as upstream's estimate does.

Upstream: kubernetes pkg/controller/namespace/deletion/{namespaced_resources_deleter,status_condition_utils}.go.
"""

from typing import Any

from cluster.clientgo import Doc, message_of, reason_of
from cluster.controllers.lib import discovery
from cluster.controllers.lib.meta import deleting, path, status_of
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpResponse

FINALIZER = "kubernetes"

_CONDITIONS = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    ("NamespaceDeletionContentFailure", "ContentDeleted",
     "All content successfully deleted, may be waiting on finalization"),
    ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
    ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
)  # fmt: skip
"""Type, and the reason and message when there is nothing to complain about."""


class NamespaceController(Controller):
    """Keys are names of Namespaces. Memory: namespace → what the run has found so far."""

    name = "namespace"
    user = "namespace-controller"
    watches = ("namespaces",)
    workers = 10
    load = 20

    def on_namespaces(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if deleting(new) and event_type != "DELETED":
            self.enqueue(out, new["metadata"]["name"])

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        namespace = self.store("namespaces").get(key)
        if namespace is None or not deleting(namespace):
            return
        if FINALIZER not in (namespace.get("spec") or {}).get("finalizers", ()):
            return  # the server removes it once metadata.finalizers is empty too
        self.memory[key] = {"pending": 2, "found": {}, "remaining": {}, "finalizers": {}, "errors": [], "estimate": 0}
        for where in ("/api", "/apis"):
            self.request(out, "GET", where, headers=discovery.HEADERS[:1], then="discovered", args=(key, where))

    def discovered(self, response: HttpResponse, key: str, where: str, now: int, out: Outbox) -> None:
        """Half of the discovery is here; with the other half the emptying begins."""
        run = self.memory.get(key)
        if run is None:
            return
        run["found"][where] = response.doc if response.code == 200 else None
        run["pending"] -= 1
        if run["pending"]:
            return
        found = discovery.parse(run["found"].get("/api"), run["found"].get("/apis"))
        run["found"] = {}
        if found is None:
            self.failed()
            return
        targets = [r for r in found if r["namespaced"] and "delete" in r["verbs"] and "list" in r["verbs"]]
        run["pending"] = len(targets)
        self.note(out, f"namespaces/{key}", f"Namespace {key} is being deleted: {len(targets)} kinds are emptied.")
        for target in targets:
            where = path(target["api_version"], target["plural"], key)
            if "deletecollection" in target["verbs"]:
                self.request(out, "DELETE", where, then="emptied", args=(key, where, target),
                             doc={"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})  # fmt: skip
            else:
                self._count(key, where, target, True, out)

    def emptied(self, response: HttpResponse, key: str, where: str, target: Doc, now: int, out: Outbox) -> None:
        """The collection was told to go. See what is left of it."""
        run = self.memory.get(key)
        if run is not None and (response.code == 0 or response.code >= 400) and response.code not in (404, 405):
            run["errors"].append(message_of(response))
        self._count(key, where, target, response.code == 405, out)

    def _count(self, key: str, where: str, target: Doc, one_by_one: bool, out: Outbox) -> None:
        self.request(out, "GET", where, then="counted", args=(key, where, target, one_by_one))

    def counted(
        self, response: HttpResponse, key: str, where: str, target: Doc, one_by_one: bool, now: int, out: Outbox
    ) -> None:
        """What remains, and which finalizers hold it; after the last resource the verdict."""
        run = self.memory.get(key)
        if run is None:
            return
        run["pending"] -= 1
        items: list[Doc] = (response.doc.get("items") or []) if response.code == 200 else []
        if one_by_one:
            for item in items:
                if not deleting(item):
                    self.request(out, "DELETE", f"{where}/{item['metadata']['name']}")
        if items:
            run["remaining"][f"{target['plural']}.{target['group']}"] = len(items)
            for item in items:
                for finalizer in item["metadata"].get("finalizers") or ():
                    run["finalizers"][finalizer] = run["finalizers"].get(finalizer, 0) + 1
                if target["plural"] == "pods":
                    grace = item["metadata"].get("deletionGracePeriodSeconds") or 0
                    run["estimate"] = max(run["estimate"], grace)
        if run["pending"] == 0:
            self._judge(key, self.memory.pop(key), now, out)

    def _judge(self, key: str, run: dict[str, Any], now: int, out: Outbox) -> None:
        namespace = self.store("namespaces").get(key)
        if namespace is None:
            return
        status = self._status(namespace, run, now)
        if status != status_of(namespace):
            self.request(
                out, "PUT", path("v1", "namespaces", "", key, "status"), then="status_written", args=(key, run),
                doc={"kind": "Namespace", "apiVersion": "v1", **namespace, "status": status},
            )  # fmt: skip
        else:
            self._finish(namespace, run, out)

    def status_written(self, response: HttpResponse, key: str, run: dict[str, Any], now: int, out: Outbox) -> None:
        """The conditions are told; go on from the version that the server gave back."""
        if response.code == 200:
            self._finish(response.doc, run, out)
        elif response.code != 404:
            self.failed()

    def _finish(self, namespace: Doc, run: dict[str, Any], out: Outbox) -> None:
        key = namespace["metadata"]["name"]
        if run["errors"]:
            self.failed()
        elif run["remaining"]:
            self.enqueue(out, key, (run["estimate"] // 2 + 1) * SECOND)
        else:
            left = [f for f in namespace["spec"].get("finalizers", ()) if f != FINALIZER]
            doc = {"kind": "Namespace", "apiVersion": "v1", **namespace, "spec": {"finalizers": left} if left else {}}
            self.request(out, "PUT", path("v1", "namespaces", "", key, "finalize"), doc=doc, then="finalized")

    def finalized(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """Gone, or somebody changed it meanwhile."""
        if response.code != 404 and (response.code == 0 or response.code >= 400) and reason_of(response) != "NotFound":
            self.failed()

    def _status(self, namespace: Doc, run: dict[str, Any], now: int) -> Doc:
        bad: dict[str, tuple[str, str]] = {}
        if run["errors"]:
            bad["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", "; ".join(run["errors"]))
        if run["remaining"]:
            parts = [f"{name} has {count} resource instances" for name, count in sorted(run["remaining"].items())]
            text = f"Some resources are remaining: {', '.join(parts)}"
            bad["NamespaceContentRemaining"] = ("SomeResourcesRemain", text)
        if run["finalizers"]:
            parts = [f"{name} in {count} resource instances" for name, count in sorted(run["finalizers"].items())]
            text = f"Some content in the namespace has finalizers remaining: {', '.join(parts)}"
            bad["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", text)
        old = {c["type"]: c for c in status_of(namespace).get("conditions") or ()}
        conditions: list[Doc] = []
        for kind, reason, message in _CONDITIONS:
            verdict, (why, text) = ("True", bad[kind]) if kind in bad else ("False", (reason, message))
            new = {
                "type": kind,
                "status": verdict,
                "lastTransitionTime": self.stamp(now),
                "reason": why,
                "message": text,
            }
            known = old.get(kind)
            if known is not None and known["status"] == verdict:
                new["lastTransitionTime"] = known["lastTransitionTime"]
            conditions.append(new)
        return {"phase": "Terminating", "conditions": conditions}
