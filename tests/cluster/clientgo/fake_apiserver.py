"""A small apiserver without rules, for tests of clients: an in-memory store that lists, watches, creates and updates.

It keeps what clients depend on (resourceVersions, conflicts, uids, generateName, deletion with finalizers, selectors on
labels and spec.nodeName, status and binding subresources, causes) and nothing else: no admission, no validation.
"""

from typing import Any
from urllib.parse import parse_qs

from msgspec import Struct, field

from cluster.sim import SECOND, Actor, Host, Outbox, World  # noqa: F401
from cluster.sim.clock import rfc3339
from cluster.wire.http import HttpCancel, HttpChunk, HttpEnd, HttpRequest, HttpResponse

EPOCH = 1_767_225_600


class FakeConfig(Struct, frozen=True):
    epoch: int = EPOCH


class Watcher(Struct):
    client: str
    collection: str
    query: dict[str, str]


class FakeState(Struct):
    version: int = 1
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Path → document."""
    watchers: dict[int, Watcher] = field(default_factory=dict)
    history: list[tuple[int, str, dict[str, Any], int]] = field(default_factory=list)
    log: list[tuple[int, str, str, int, str]] = field(default_factory=list)
    """(cause, method, path, code, user)."""
    refuse: int = 0
    """Answer that many writes with 500."""


class FakeApiServer(Actor):
    kind = "kube-apiserver"

    def fresh(self) -> FakeState:
        return FakeState()

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        if isinstance(message, HttpCancel):
            self.state.watchers.pop(message.id, None)
        elif isinstance(message, HttpRequest):
            parent, out.cause = out.cause, message.id
            code, doc = self.serve(src, message, parent, now, out)
            self.state.log.append((parent, message.method, message.path, code, message.peer.common_name))
            if doc is not None or code != 200:
                out.send(src, HttpResponse(message.id, code, doc=doc))

    # -- verbs ----------------------------------------------------------------------------------------------------

    def serve(self, src: str, r: HttpRequest, parent: int, now: int, out: Outbox) -> tuple[int, Any]:
        query = {key: values[0] for key, values in parse_qs(r.query).items()}
        parts = r.path.strip("/").split("/")
        if len(parts) == 1:
            return 200, aggregated(parts[0])
        head = 2 if parts[0] == "api" else 3
        rest = parts[head:]
        if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in ("status", "finalize"):
            base, rest = "/".join(parts[: head + 2]), rest[2:]
        else:
            base = "/".join(parts[:head])
        collection = f"/{base}/{rest[0]}"
        if len(rest) == 1:
            if r.method == "GET":
                return self.list_or_watch(src, r, collection, rest[0], query, out)
            if r.method == "POST":
                return self.create(r, collection, rest[0], now, out)
            for path, doc in [(p, d) for p, d in self.state.objects.items() if within(p, collection)]:
                self.delete(path, doc, r, now, out)
            return 200, {"kind": "Status", "status": "Success"}
        path = f"{collection}/{rest[1]}"
        subresource = "/".join(rest[2:])
        known = self.state.objects.get(path)
        if r.method == "POST" and subresource == "binding":
            return self.bind(path, known, r, out)
        if r.method == "POST" and subresource == "token":
            return 201, {"kind": "TokenRequest", "status": {"token": "t"}}
        if known is None:
            return 404, status(404, "NotFound", f'{rest[0]} "{rest[1]}" not found', rest[0], rest[1])
        if r.method == "GET":
            return 200, known
        if self.state.refuse:
            self.state.refuse -= 1
            return 500, status(500, "InternalError", "refused by the test", rest[0], rest[1])
        if r.method == "PUT":
            return self.update(path, known, r.doc, subresource, out)
        if r.method == "PATCH":
            return self.update(path, known, merged(known, r.doc), subresource, out)
        if r.method == "DELETE":
            if not rest[1:]:
                return 405, status(405, "MethodNotAllowed", "no", rest[0], "")
            return self.delete(path, known, r, now, out)
        return 405, status(405, "MethodNotAllowed", "no", rest[0], rest[1])

    def list_or_watch(
        self, src: str, r: HttpRequest, collection: str, plural: str, query: dict[str, str], out: Outbox
    ) -> tuple[int, Any]:
        if query.get("watch") == "true":
            since = int(query.get("resourceVersion") or 0)
            self.state.watchers[r.id] = Watcher(src, collection, query)
            out.send(src, HttpResponse(r.id, 200, stream=True))
            for version, kind, doc, cause in self.state.history:
                if version > since:
                    self.tell(r.id, kind, doc, cause, out)
            return 200, None
        items = [doc for path, doc in self.state.objects.items() if within(path, collection) and selected(doc, query)]
        return 200, {"kind": "List", "metadata": {"resourceVersion": str(self.state.version)}, "items": items}

    def create(self, r: HttpRequest, collection: str, plural: str, now: int, out: Outbox) -> tuple[int, Any]:
        if self.state.refuse:
            self.state.refuse -= 1
            return 500, status(500, "InternalError", "refused by the test", plural, "")
        meta = dict(r.doc["metadata"])
        if not meta.get("name"):
            meta["name"] = meta["generateName"] + out.dice.suffix()
        path = f"{collection}/{meta['name']}"
        if path in self.state.objects:
            return 409, status(409, "AlreadyExists", f'{plural} "{meta["name"]}" already exists', plural, meta["name"])
        parts = collection.strip("/").split("/")
        if "namespaces" in parts[:-1]:
            meta["namespace"] = parts[parts.index("namespaces") + 1]
        meta.update(uid=out.dice.uuid(), creationTimestamp=rfc3339(self.config.epoch, now), generation=1)
        doc = {**r.doc, "metadata": meta}
        if plural == "namespaces":
            doc = {**doc, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        return 201, self.save(path, "ADDED", doc, out)

    def update(self, path: str, known: Any, doc: Any, subresource: str, out: Outbox) -> tuple[int, Any]:
        version = doc["metadata"].get("resourceVersion")
        name = known["metadata"]["name"]
        if version and version != known["metadata"]["resourceVersion"]:
            return 409, status(409, "Conflict", "the object has been modified", "", name)
        meta = {**doc["metadata"]}
        for kept in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "namespace"):
            if kept in known["metadata"]:
                meta[kept] = known["metadata"][kept]
        if subresource == "status":
            annotations = doc["metadata"].get("annotations")
            new = {**known, "status": doc.get("status")}
            if annotations is not None:
                new["metadata"] = {**known["metadata"], "annotations": annotations}
        else:
            new = {**doc, "metadata": meta}
            if "status" in known and subresource == "":
                new["status"] = known["status"]
            if new.get("spec") != known.get("spec"):
                meta["generation"] = meta.get("generation", 1) + 1
        if same(new, known):
            return 200, known
        finished = meta.get("deletionTimestamp") and not meta.get("finalizers")
        if (
            finished
            and not (new.get("spec") or {}).get("finalizers")
            and meta.get("deletionGracePeriodSeconds", 0) == 0
        ):
            return 200, self.remove(path, new, out)
        return 200, self.save(path, "MODIFIED", new, out)

    def bind(self, path: str, known: Any, r: HttpRequest, out: Outbox) -> tuple[int, Any]:
        if known is None:
            return 404, status(404, "NotFound", "no such pod", "pods", "")
        if known["spec"].get("nodeName"):
            return 409, status(409, "Conflict", "already assigned", "pods", known["metadata"]["name"])
        spec = {**known["spec"], "nodeName": r.doc["target"]["name"]}
        conditions = [
            *((known.get("status") or {}).get("conditions") or ()),
            {"type": "PodScheduled", "status": "True"},
        ]
        self.save(
            path,
            "MODIFIED",
            {**known, "spec": spec, "status": {**(known.get("status") or {}), "conditions": conditions}},
            out,
        )
        return 201, {"kind": "Status", "status": "Success"}

    def delete(self, path: str, known: Any, r: HttpRequest, now: int, out: Outbox) -> tuple[int, Any]:
        options = r.doc or {}
        wanted = (options.get("preconditions") or {}).get("uid")
        meta = dict(known["metadata"])
        if wanted and wanted != meta["uid"]:
            return 409, status(409, "Conflict", "uid differs", "", meta["name"])
        policy = options.get("propagationPolicy", "Background")
        finalizers = list(meta.get("finalizers") or ())
        extra = {"Orphan": "orphan", "Foreground": "foregroundDeletion"}.get(policy)
        if extra and extra not in finalizers:
            finalizers.append(extra)
        if finalizers or known.get("spec", {}).get("finalizers"):
            meta["finalizers"] = finalizers
            meta.setdefault("deletionTimestamp", rfc3339(self.config.epoch, now))
            new = {**known, "metadata": meta}
            if "/namespaces/" in path and path.count("/") == 4:
                new["status"] = {**(known.get("status") or {}), "phase": "Terminating"}
            return 200, self.save(path, "MODIFIED", new, out)
        return 200, self.remove(path, known, out)

    # -- store ----------------------------------------------------------------------------------------------------

    def save(self, path: str, kind: str, doc: Any, out: Outbox) -> Any:
        self.state.version += 1
        doc = {**doc, "metadata": {**doc["metadata"], "resourceVersion": str(self.state.version)}}
        self.state.objects[path] = doc
        self.publish(path, kind, doc, out)
        return doc

    def remove(self, path: str, doc: Any, out: Outbox) -> Any:
        self.state.version += 1
        self.state.objects.pop(path)
        doc = {**doc, "metadata": {**doc["metadata"], "resourceVersion": str(self.state.version)}}
        self.publish(path, "DELETED", doc, out)
        return doc

    def publish(self, path: str, kind: str, doc: Any, out: Outbox) -> None:
        doc = {**doc, "@path": path}
        self.state.history.append((self.state.version, kind, doc, out.cause))
        for watch in list(self.state.watchers):
            self.tell(watch, kind, doc, out.cause, out)

    def tell(self, watch: int, kind: str, doc: Any, cause: int, out: Outbox) -> None:
        watcher = self.state.watchers[watch]
        if within(doc["@path"], watcher.collection) and selected(doc, watcher.query):
            shown = {key: value for key, value in doc.items() if key != "@path"}
            out.send(watcher.client, HttpChunk(watch, doc={"type": kind, "object": shown}), cause=cause)

    def end_watches(self, out: Outbox) -> None:
        for watch, watcher in self.state.watchers.items():
            out.send(watcher.client, HttpEnd(watch))
        self.state.watchers = {}


def status(code: int, reason: str, message: str, kind: str, name: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "code": code, "details": {"kind": kind, "name": name}}  # fmt: skip


def same(a: Any, b: Any) -> bool:
    strip = lambda doc: {**doc, "metadata": {k: v for k, v in doc["metadata"].items() if k != "resourceVersion"}}  # noqa: E731
    return strip(a) == strip(b)


def merged(doc: Any, patch: Any) -> Any:
    if not isinstance(doc, dict) or not isinstance(patch, dict):
        return patch
    result = dict(doc)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key, {}), value)
    return result


def within(path: str, collection: str) -> bool:
    """Is ``path`` an object of ``collection``? A collection without a namespace holds those of all."""
    head, plural = collection.rsplit("/", 1)
    if path.startswith(collection + "/") and path.count("/") == collection.count("/") + 1:
        return True
    rest = path[len(head) :] if path.startswith(head + "/") else ""
    parts = rest.split("/")
    return len(parts) == 5 and parts[1] == "namespaces" and parts[3] == plural


def selected(doc: Any, query: dict[str, str]) -> bool:
    selector = query.get("fieldSelector", "")
    if selector.startswith("spec.nodeName="):
        return (doc["spec"].get("nodeName") or "") == selector.split("=")[-1]
    if selector.startswith("metadata.name="):
        return doc["metadata"]["name"] == selector.split("=")[-1]
    return True


CLUSTERED = ("nodes", "namespaces", "persistentvolumes", "clusterroles", "storageclasses")


def aggregated(root: str) -> dict[str, Any]:
    """The discovery document of ``/api`` or ``/apis``, of what the controllers know."""
    from cluster.controllers.runtime import RESOURCES

    items: dict[str, dict[str, Any]] = {}
    for api_version, plural, kind, _ in RESOURCES.values():
        group, _, version = api_version.rpartition("/")
        if (root == "api") != (group == ""):
            continue
        item = items.setdefault(
            group, {"metadata": {"name": group}, "versions": [{"version": version, "resources": []}]}
        )
        item["versions"][0]["resources"].append({
            "resource": plural, "responseKind": {"kind": kind},
            "scope": "Cluster" if plural in CLUSTERED else "Namespaced",
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        })  # fmt: skip
    return {"kind": "APIGroupDiscoveryList", "items": list(items.values())}
