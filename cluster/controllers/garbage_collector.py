"""The garbage collector: what has an owner goes when its last owner goes.

In → every object that there is, through its ``ownerReferences``; out → deletions of dependents whose owners are gone, and the
three ways an owner may go: **background** (it goes at once, dependents follow), **foreground** (it waits with the finalizer
``foregroundDeletion`` until dependents that block it are gone), **orphan** (the finalizer ``orphan``: dependents lose the
reference and stay).

The graph: uid → which object that is, and uid → the uids that name it as owner. An owner that is named but was never seen is
looked up at the server before anything is deleted in its name; a live object is read before it is deleted, for the
informer may be behind.

Simplified here: the kinds to watch are discovered at the start and when a CustomResourceDefinition changes, not every
30 s; absent owners are remembered in a list of the last 500; owner references across namespaces count as absent.

Upstream: kubernetes pkg/controller/garbagecollector/{garbagecollector,graph_builder,graph}.go.
"""

from typing import Any

from cluster.clientgo import Doc
from cluster.controllers.lib import discovery
from cluster.controllers.lib.meta import deleting, path
from cluster.controllers.runtime import CLUSTER_SCOPED, RESOURCES, Controller
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpResponse

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
IGNORED = ("events",)
"""Too many, too short-lived, and never owned."""
ABSENT_MEMORY = 500


class GarbageCollector(Controller):
    """Keys are uids. Memory: ``nodes`` uid → [informer, object key]; ``dependents`` owner uid → uids; ``kinds`` informer →
    [apiVersion, plural, kind]; ``absent`` uids known not to exist; ``unseen`` the informers not yet listed."""

    name = "garbage-collector"
    user = "generic-garbage-collector"
    watches = ()
    workers = 20
    load = 2
    observes_all = True

    # -- what to watch --------------------------------------------------------------------------------------------

    def start(self, now: int, out: Outbox) -> None:
        self.memory.update(nodes={}, dependents={}, kinds={}, absent={}, unseen={}, found={}, ready=False)
        for key in list(self.manager.state.stores):
            self._learn_kind(key)
        self._discover(out)

    @property
    def _clustered(self) -> dict[str, None]:
        """Informers of kinds that have no namespace."""
        return self.memory.setdefault("clustered", {})

    def on_timer(self, data: Any, now: int, out: Outbox) -> None:
        self._discover(out)

    def _discover(self, out: Outbox) -> None:
        self.memory["found"] = {}
        for where in ("/api", "/apis"):
            self.request(out, "GET", where, headers=discovery.HEADERS[:1], then="discovered", args=(where,))

    def discovered(self, response: HttpResponse, where: str, now: int, out: Outbox) -> None:
        """Watch what is new among the deletable resources."""
        self.memory["found"][where] = response.doc if response.code == 200 else None
        if len(self.memory["found"]) < 2:
            return
        found = discovery.parse(self.memory["found"]["/api"], self.memory["found"]["/apis"])
        self.memory["found"] = {}
        if found is None:
            self.timer(out, 30 * SECOND)
            return
        by_plural = {(api_version, plural): key for key, (api_version, plural, _, _) in RESOURCES.items()}
        wanted: dict[str, None] = {}
        for resource in found:
            if resource["plural"] in IGNORED or not {"delete", "list", "watch"} <= set(resource["verbs"]):
                continue
            key = by_plural.get((resource["api_version"], resource["plural"]))
            if key is None:
                key = f"{resource['plural']}.{resource['group']}"
            wanted[key] = None
            if key in self.memory["kinds"] and key in self.manager.state.reflectors:
                continue
            self.memory["kinds"][key] = [resource["api_version"], resource["plural"], resource["kind"]]
            if not resource["namespaced"]:
                self._clustered[key] = None
            if not self.manager.synced(key):
                self.memory["unseen"][key] = None
            if key in RESOURCES:
                self.manager.watch_shared(key, out)
            else:
                self.manager.watch_resource(out, key, path(resource["api_version"], resource["plural"]))
        for key in [k for k in self.memory["kinds"] if k not in wanted and k not in RESOURCES]:
            self._forget_kind(key, now, out)
        self._check_ready(now, out)

    def _learn_kind(self, key: str) -> None:
        """What other controllers already watch is in the graph too."""
        api_version, plural, kind, _ = RESOURCES[key]
        self.memory["kinds"][key] = [api_version, plural, kind]
        if not self.manager.synced(key):
            self.memory["unseen"][key] = None
        for doc in self.store(key):
            self._insert(key, doc, self.manager.now, None)

    def _forget_kind(self, key: str, now: int, out: Outbox) -> None:
        for doc in list(self.store(key)):
            self._remove(doc, out)
        self.manager.unwatch_resource(out, key)
        del self.memory["kinds"][key]
        self.memory["unseen"].pop(key, None)

    def on_any_synced(self, key: str, now: int, out: Outbox) -> None:
        if self.memory:
            self.memory["unseen"].pop(key, None)
            self._check_ready(now, out)

    def _check_ready(self, now: int, out: Outbox) -> None:
        if self.memory["ready"] or self.memory["unseen"] or self.memory["found"]:
            return
        self.memory["ready"] = True
        nodes = self.memory["nodes"]
        for owner, dependents in self.memory["dependents"].items():
            if owner not in nodes:
                for uid in dependents:
                    self.enqueue(out, uid)
        for uid, (informer, name) in nodes.items():
            doc = self.store(informer).get(name)
            if doc is not None and deleting(doc):
                self._deleting(uid, doc, out)

    # -- the graph ------------------------------------------------------------------------------------------------

    def on_anything(self, key: str, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if not self.memory:
            return
        if key == "customresourcedefinitions.apiextensions.k8s.io" and self.memory["ready"]:
            self.timer(out, 2 * SECOND)  # CRDs come in bunches
        if key not in self.memory["kinds"]:
            if key not in RESOURCES:
                return
            api_version, plural, kind, _ = RESOURCES[key]
            self.memory["kinds"][key] = [api_version, plural, kind]
        if event_type == "DELETED":
            self._remove(new, out)
            return
        if old is not None and old["metadata"]["uid"] != new["metadata"]["uid"]:
            self._remove(old, out)  # deleted and made again while nobody watched
            old = None
        if old is not None:
            was, is_now = old["metadata"].get("ownerReferences"), new["metadata"].get("ownerReferences")
            if was == is_now:
                if deleting(new):
                    self._deleting(new["metadata"]["uid"], new, out)
                return
            self._unlink(old)
            self._owners_let_go(was or (), is_now or (), out)
        self._insert(key, new, now, out)
        if deleting(new):
            self._deleting(new["metadata"]["uid"], new, out)

    def _insert(self, key: str, doc: Doc, now: int, out: Outbox | None) -> None:
        meta = doc["metadata"]
        uid = meta["uid"]
        namespace = meta.get("namespace")
        nodes = self.memory["nodes"]
        nodes[uid] = [key, f"{namespace}/{meta['name']}" if namespace else meta["name"]]
        for reference in meta.get("ownerReferences") or ():
            self.memory["dependents"].setdefault(reference["uid"], {})[uid] = None
            if reference["uid"] not in nodes and self.memory["ready"] and out is not None:
                self.enqueue(out, uid)  # is that owner really there?

    def _owners_let_go(self, before: Any, after: Any, out: Outbox) -> None:
        """Owners that were waiting for this object and need not any more."""
        blocked = {r["uid"] for r in after if r.get("blockOwnerDeletion")}
        for reference in before:
            owner = self._live(reference["uid"])
            if reference.get("blockOwnerDeletion") and reference["uid"] not in blocked and owner is not None:
                self._deleting(reference["uid"], owner, out) if deleting(owner) else None

    def _unlink(self, doc: Doc) -> None:
        uid = doc["metadata"]["uid"]
        for reference in doc["metadata"].get("ownerReferences") or ():
            siblings = self.memory["dependents"].get(reference["uid"])
            if siblings is not None:
                siblings.pop(uid, None)
                if not siblings:
                    del self.memory["dependents"][reference["uid"]]

    def _remove(self, doc: Doc, out: Outbox) -> None:
        uid = doc["metadata"]["uid"]
        self.memory["nodes"].pop(uid, None)
        self._unlink(doc)
        dependents = self.memory["dependents"].get(uid)
        if dependents:
            self._remember_absent(uid)
            if self.memory["ready"]:
                for dependent in dependents:
                    self.enqueue(out, dependent)
        for reference in doc["metadata"].get("ownerReferences") or ():
            owner = self._live(reference["uid"])
            if owner is not None and deleting(owner) and FOREGROUND in (owner["metadata"].get("finalizers") or ()):
                self.enqueue(out, reference["uid"])

    def _deleting(self, uid: str, doc: Doc, out: Outbox) -> None:
        finalizers = doc["metadata"].get("finalizers") or ()
        if FOREGROUND not in finalizers and ORPHAN not in finalizers:
            return
        if self.memory["ready"]:
            self.enqueue(out, uid)

    def _live(self, uid: str) -> Doc | None:
        node = self.memory["nodes"].get(uid)
        store = self.manager.state.stores.get(node[0]) if node is not None else None
        return store.get(node[1]) if store is not None and node is not None else None

    def _remember_absent(self, uid: str) -> None:
        absent = self.memory["absent"]
        absent[uid] = None
        if len(absent) > ABSENT_MEMORY:
            del absent[next(iter(absent))]

    # -- one run --------------------------------------------------------------------------------------------------

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        doc = self._live(key)
        if doc is None:
            return
        finalizers = doc["metadata"].get("finalizers") or ()
        if deleting(doc):
            if ORPHAN in finalizers:
                self._orphan(key, doc, out)
            elif FOREGROUND in finalizers:
                self._wait_for_dependents(key, doc, out)
            return
        if doc["metadata"].get("ownerReferences"):
            self._get(key, "item_read", (key,), out)

    def _path(self, uid: str) -> str:
        informer, name = self.memory["nodes"][uid]
        api_version, plural, _ = self.memory["kinds"][informer]
        namespace, _, name = name.rpartition("/")
        return path(api_version, plural, namespace, name)

    def _get(self, uid: str, then: str, args: tuple[Any, ...], out: Outbox) -> None:
        self.request(out, "GET", self._path(uid), then=then, args=args)

    def item_read(self, response: HttpResponse, uid: str, now: int, out: Outbox) -> None:
        """The object as it is now; look for its owners."""
        if response.code == 404 or uid not in self.memory["nodes"]:
            return
        if response.code != 200:
            self.failed()
            return
        doc = response.doc
        if doc["metadata"]["uid"] != uid or deleting(doc):
            return
        self._judge(uid, doc, out)

    def _judge(self, uid: str, doc: Doc, out: Outbox) -> None:
        solid: list[Doc] = []
        dangling: list[Doc] = []
        waiting: list[Doc] = []
        for reference in doc["metadata"].get("ownerReferences") or ():
            owner = self._live(reference["uid"])
            if owner is not None:
                going = deleting(owner) and FOREGROUND in (owner["metadata"].get("finalizers") or ())
                (waiting if going else solid).append(reference)
            elif reference["uid"] in self.memory["absent"]:
                dangling.append(reference)
            elif not self._look_up(uid, doc, reference, out):
                solid.append(reference)  # of a kind that nobody serves: never delete in its name
            else:
                return  # the answer comes back here
        if solid:
            if dangling or waiting:
                gone = {reference["uid"] for reference in (*dangling, *waiting)}
                rest = [r for r in doc["metadata"]["ownerReferences"] if r["uid"] not in gone]
                self._patch_owners(uid, rest, out)
        elif waiting and self._blocked_dependents(uid):
            if any(self._waits(dependent) for dependent in self.memory["dependents"].get(uid) or ()):
                self._unblock(uid, doc, out)
            else:
                self._delete(uid, doc, "Foreground", out)
        elif dangling or waiting:
            finalizers = doc["metadata"].get("finalizers") or ()
            policy = "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
            self._delete(uid, doc, policy, out)

    def _waits(self, uid: str) -> bool:
        """Whether that object is being deleted after its dependents."""
        doc = self._live(uid)
        return doc is not None and deleting(doc) and FOREGROUND in (doc["metadata"].get("finalizers") or ())

    def _unblock(self, uid: str, doc: Doc, out: Outbox) -> None:
        """A dependent of this object waits for its own dependents: perhaps a circle, so nobody shall wait for this one."""
        owners = [{**r, "blockOwnerDeletion": False} for r in doc["metadata"].get("ownerReferences") or ()]
        self._patch_owners(uid, owners, out, then="unblocked", args=(uid,))

    def unblocked(self, response: HttpResponse, uid: str, now: int, out: Outbox) -> None:
        """Now it can be deleted itself."""
        if response.code == 200:
            self._delete(uid, response.doc, "Foreground", out)
        elif response.code != 404:
            self.failed()

    def _look_up(self, uid: str, doc: Doc, reference: Doc, out: Outbox) -> bool:
        """Ask the server for an owner that the graph doesn't know. False: its kind isn't known."""
        for informer, (api_version, plural, kind) in self.memory["kinds"].items():
            if (
                kind == reference["kind"]
                and api_version.rpartition("/")[0] == reference["apiVersion"].rpartition("/")[0]
            ):
                namespace = (
                    ""
                    if plural in CLUSTER_SCOPED or informer in self._clustered
                    else (doc["metadata"].get("namespace", ""))
                )
                where = path(api_version, plural, namespace, reference["name"])
                self.request(out, "GET", where, then="owner_read", args=(uid, doc, reference["uid"]))
                return True
        return False

    def owner_read(self, response: HttpResponse, uid: str, doc: Doc, owner: str, now: int, out: Outbox) -> None:
        """The owner exists (its informer is slow), or it doesn't: then the dependent is judged again."""
        if response.code == 404 or (response.code == 200 and response.doc["metadata"]["uid"] != owner):
            self._remember_absent(owner)
            self._judge(uid, doc, out)
        elif response.code != 200:
            self.failed()

    def _delete(self, uid: str, doc: Doc, policy: str, out: Outbox) -> None:
        informer, name = self.memory["nodes"][uid]
        kind = self.memory["kinds"][informer][2]
        self.note(out, f"{informer}/{name}", f"The owner of {kind} {name} is gone, so the {kind} is deleted.")
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": uid, "resourceVersion": doc["metadata"].get("resourceVersion", "")},
            "propagationPolicy": policy,
        }
        self.request(out, "DELETE", self._path(uid), doc=options)

    # -- foreground and orphan ------------------------------------------------------------------------------------

    def _blocked_dependents(self, uid: str) -> list[str]:
        """Dependents that this object must wait for."""
        blocking: list[str] = []
        for dependent in self.memory["dependents"].get(uid) or ():
            doc = self._live(dependent)
            if doc is None:
                continue
            for reference in doc["metadata"].get("ownerReferences") or ():
                if reference["uid"] == uid and reference.get("blockOwnerDeletion"):
                    blocking.append(dependent)
        return blocking

    def _wait_for_dependents(self, uid: str, doc: Doc, out: Outbox) -> None:
        blocking = self._blocked_dependents(uid)
        if not blocking:
            self._drop_finalizer(uid, doc, FOREGROUND, out)
        for dependent in list(self.memory["dependents"].get(uid) or ()):
            child = self._live(dependent)
            if child is not None and not deleting(child):
                self.enqueue(out, dependent)

    def _orphan(self, uid: str, doc: Doc, out: Outbox) -> None:
        dependents = [d for d in self.memory["dependents"].get(uid) or () if self._live(d) is not None]
        if not dependents:
            self._drop_finalizer(uid, doc, ORPHAN, out)
            return
        waiting = self.memory.setdefault("orphaning", {})
        waiting[uid] = len(dependents)
        for dependent in dependents:
            child = self._live(dependent)
            if child is None:
                continue
            rest = [r for r in child["metadata"].get("ownerReferences") or () if r["uid"] != uid]
            self._patch_owners(dependent, rest, out, then="orphaned", args=(uid,))

    def orphaned(self, response: HttpResponse, owner: str, now: int, out: Outbox) -> None:
        """One dependent has let go; after the last the owner may go."""
        waiting = self.memory.setdefault("orphaning", {})
        if response.code not in (200, 404):
            self.failed()
            waiting.pop(owner, None)
            return
        if owner in waiting:
            waiting[owner] -= 1
            if waiting[owner] == 0:
                del waiting[owner]
                doc = self._live(owner)
                if doc is not None:
                    self._drop_finalizer(owner, doc, ORPHAN, out)

    def _patch_owners(
        self, uid: str, owners: list[Doc], out: Outbox, then: str = "answered", args: tuple[Any, ...] = ()
    ) -> None:
        patch = {"metadata": {"ownerReferences": owners or None, "uid": uid}}
        self.request(out, "PATCH", self._path(uid), doc=patch, content_type="application/merge-patch+json", then=then,
                     args=args)  # fmt: skip

    def _drop_finalizer(self, uid: str, doc: Doc, finalizer: str, out: Outbox) -> None:
        meta = doc["metadata"]
        patch = {
            "metadata": {
                "resourceVersion": meta.get("resourceVersion"),
                "finalizers": [f for f in meta.get("finalizers") or () if f != finalizer] or None,
            }
        }
        self.request(out, "PATCH", self._path(uid), doc=patch, content_type="application/merge-patch+json")
