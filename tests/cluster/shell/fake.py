"""A server that answers kubectl from a handful of documents: discovery, tables, objects, watches that end at once."""

from typing import Any
from urllib.parse import parse_qsl

import orjson

from cluster.api.patch import merge_patch
from cluster.api.scheme import builtin
from cluster.apiserver import discovery, table
from cluster.apiserver.openapi import OpenAPI
from cluster.wire.http import HttpEnd, HttpRequest, HttpResponse

SCHEME = builtin()
OPENAPI = OpenAPI(SCHEME)


def failure(code: int, reason: str, message: str, **details: Any) -> tuple[int, dict[str, Any]]:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    return code, {**status, "details": details, "code": code}


class Fake:
    """``objects`` by URL path. ``now`` is the Unix time by which tables count ages."""

    def __init__(self, docs: list[dict[str, Any]], now: float) -> None:
        self.now = now
        self.objects: dict[str, dict[str, Any]] = {}
        for doc in docs:
            group, _, version = doc["apiVersion"].rpartition("/")
            resource = SCHEME.kind(group, version, doc["kind"])
            assert resource is not None
            root = f"/apis/{group}/{version}" if group else f"/api/{version}"
            namespace = doc["metadata"].get("namespace")
            where = f"{root}/namespaces/{namespace}" if namespace else root
            self.objects[f"{where}/{resource.plural}/{doc['metadata']['name']}"] = doc

    def __call__(self, request: HttpRequest) -> Any:
        path, query = request.path, dict(parse_qsl(request.query))
        if path in ("/api", "/apis"):
            return 200, discovery.aggregated(SCHEME, legacy=path == "/api")
        if path == "/version":
            return 200, {"major": "1", "minor": "32", "gitVersion": "v1.32.13"}
        if path.startswith("/openapi/v3/"):
            return HttpResponse(request.id, 200, body=OPENAPI.v3(path.removeprefix("/openapi/v3/")) or b"")
        parts = path.strip("/").split("/")
        group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
        if rest[0] == "namespaces" and len(rest) > 2:
            rest = rest[2:]
        resource = SCHEME.resource(group, version, rest[0])
        if resource is None:
            return failure(404, "NotFound", "the server could not find the requested resource")
        name = rest[1] if len(rest) > 1 else ""
        return self._answer(request, resource, name, query)

    def _answer(self, request: HttpRequest, resource: Any, name: str, query: dict[str, str]) -> Any:
        path, method = request.path, request.method
        accept = request.header("accept")
        if method == "POST":
            return 201, {**request.doc, "metadata": {**request.doc["metadata"], "uid": "u", "resourceVersion": "9"}}
        if name:
            doc = self.objects.get(path)
            if doc is None:
                what = f'{resource.group_resource} "{name}" not found'
                return failure(404, "NotFound", what, name=name, kind=resource.plural)
            if method == "DELETE":
                del self.objects[path]
                return 200, {"kind": "Status", "status": "Success", "details": {"uid": doc["metadata"].get("uid", "")}}
            if method == "PATCH":
                patch = request.doc if request.doc is not None else orjson.loads(request.body)
                self.objects[path] = merge_patch(doc, patch)
                self.objects[path]["metadata"]["resourceVersion"] = "10"
                return 200, self.objects[path]
            return 200, table.render(resource, [doc], self.now) if "as=Table" in accept else doc
        if query.get("watch"):
            return [HttpResponse(request.id, 200, stream=True), HttpEnd(request.id)]
        found = [doc for where, doc in self.objects.items() if self._under(where, path, resource.plural)]
        for selector in query.get("fieldSelector", "").split(","):
            key, _, value = selector.partition("=")
            if key == "metadata.name":
                found = [doc for doc in found if doc["metadata"]["name"] == value]
        meta = {"resourceVersion": "99"}
        if "as=Table" in accept:
            return 200, table.render(resource, found, self.now, list_meta=meta)
        bare = [{key: value for key, value in doc.items() if key not in ("kind", "apiVersion")} for doc in found]
        return 200, {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": meta, "items": bare}

    @staticmethod
    def _under(where: str, path: str, plural: str) -> bool:
        if where.rpartition("/")[0] == path:
            return True
        return (
            "/namespaces/" not in path and where.split("/")[-2] == plural and where.startswith(path.rpartition("/")[0])
        )
