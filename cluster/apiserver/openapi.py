"""OpenAPI: the server's own description of every kind, from which clients validate, explain and merge.

``kubectl explain pod.spec`` is nothing but this document printed; ``kubectl apply`` reads from it which lists merge by
which key (``x-kubernetes-patch-merge-key``) and whether the server understands ``fieldValidation``.

In → the ``Scheme``; Kubernetes' definitions. Out → bytes of JSON: the index ``/openapi/v3`` (a document and its hash for every
group version), each ``/openapi/v3/<path>``, and the older ``/openapi/v2`` in one piece. Made when first asked for and
kept; the hash in the index lets a client keep its copy for good. The second version is also there as protobuf
(``openapi_proto``). Errors: None for a path that isn't in the index.

Simplified here: paths carry the parameters clients look for (``dryRun``, ``fieldManager``, ``fieldValidation``, ``force``,
selectors, paging) and no response bodies; enumerations are those of ``openapi_enums``; of the third version JSON only.

Upstream: kube-openapi/pkg/{handler,handler3,builder,builder3}; api/openapi-spec of kubernetes 1.32.
"""

from hashlib import sha512
from typing import TYPE_CHECKING, Any

import orjson

from cluster.api import definitions
from cluster.apiserver import openapi_proto
from cluster.apiserver.discovery import groups
from cluster.apiserver.openapi_enums import ENUMS, described_enum

if TYPE_CHECKING:
    from cluster.api.scheme import Resource, Scheme, Subresource

Doc = dict[str, Any]

INFO = {"title": "Kubernetes", "version": "1.32"}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_SECURITY = {
    "BearerToken": {
        "type": "apiKey",
        "description": "Bearer Token authentication",
        "name": "authorization",
        "in": "header",
    }
}
_KEPT = (
    "format", "pattern", "required", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
    "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key", "x-kubernetes-unions",
    "x-kubernetes-group-version-kind",
)  # fmt: skip

_QUERY = {
    "pretty": ("string", "If 'true', then the output is pretty printed."),
    "dryRun": ("string", "When present, indicates that modifications should not be persisted."),
    "fieldManager": ("string", "fieldManager is a name associated with the actor or entity that is making these changes."),
    "fieldValidation": (
        "string",
        "fieldValidation instructs the server on how to handle objects in the request (POST/PUT/PATCH) containing unknown "
        "or duplicate fields. Valid values are: Ignore, Warn, Strict.",
    ),
    "force": ("boolean", "Force is going to \"force\" Apply requests."),
    "allowWatchBookmarks": ("boolean", "allowWatchBookmarks requests watch events with type \"BOOKMARK\"."),
    "continue": ("string", "The continue option should be set when retrieving more results from the server."),
    "fieldSelector": ("string", "A selector to restrict the list of returned objects by their fields."),
    "labelSelector": ("string", "A selector to restrict the list of returned objects by their labels."),
    "limit": ("integer", "limit is a maximum number of responses to return for a list call."),
    "resourceVersion": ("string", "resourceVersion sets a constraint on what resource versions a request may be served from."),
    "resourceVersionMatch": ("string", "resourceVersionMatch determines how resourceVersion is applied to list calls."),
    "sendInitialEvents": ("boolean", "`sendInitialEvents=true` may be set together with `watch=true`."),
    "timeoutSeconds": ("integer", "Timeout for the list/watch call."),
    "watch": ("boolean", "Watch for changes to the described resources."),
    "gracePeriodSeconds": ("integer", "The duration in seconds before the object should be deleted."),
    "orphanDependents": ("boolean", "Deprecated: please use the PropagationPolicy."),
    "propagationPolicy": ("string", "Whether and how garbage collection will be performed."),
}  # fmt: skip
_LIST = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "pretty", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_WRITE = ("dryRun", "fieldManager", "fieldValidation", "pretty")
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "pretty", "propagationPolicy")


class OpenAPI:
    """The documents of one scheme. Derived data: keep it beside the state, never in it."""

    def __init__(self, scheme: "Scheme") -> None:
        self.scheme = scheme
        self._v3: dict[str, bytes] = {}
        self._v2: bytes | None = None
        self._v2_proto: bytes | None = None
        self._index: bytes | None = None

    def paths(self) -> list[str]:
        """What ``/openapi/v3`` lists, sorted."""
        found = [".well-known/openid-configuration", "api", "api/v1", "apis", "openid/v1/jwks", "version"]
        for name, versions in groups(self.scheme).items():
            if not self._custom(name):  # the controller of custom resources publishes group versions only
                found.append(f"apis/{name}")
            found += [f"apis/{name}/{version}" for version in versions]
        return sorted(found)

    def index(self) -> bytes:
        """``/openapi/v3``."""
        if self._index is None:
            listed = {p: {"serverRelativeURL": f"/openapi/v3/{p}?hash={self.hash(p)}"} for p in self.paths()}
            self._index = orjson.dumps({"paths": listed})
        return self._index

    def hash(self, path: str) -> str:
        """Names the content of a document (its ETag, too).

        Built-in documents are a function of the version and this module, so their hash needs no document: the index must
        not cost the making of all of them.
        """
        parts: list[Any] = [definitions.VERSION, INFO, path]
        for resource in self._resources(path):
            if resource.crd is not None:
                parts.append(resource.crd["spec"])
        return sha512(orjson.dumps(parts)).hexdigest().upper()

    def v3(self, path: str) -> bytes | None:
        """``/openapi/v3/<path>`` (``api/v1``, ``apis/apps/v1``); None if there is no such document."""
        if path not in self._v3:
            if path not in self.paths():
                return None
            self._v3[path] = orjson.dumps(self._document(path))
        return self._v3[path]

    def v2(self) -> bytes:
        """``/openapi/v2``: everything in one Swagger 2.0 document."""
        if self._v2 is None:
            self._v2 = orjson.dumps(self._swagger())
        return self._v2

    def v2_proto(self) -> bytes:
        """``/openapi/v2`` as protobuf."""
        if self._v2_proto is None:
            self._v2_proto = openapi_proto.encode(self._swagger())
        return self._v2_proto

    def _swagger(self) -> Doc:
        paths: Doc = {}
        schemas: Doc = {}
        for path in self.paths():
            for resource in self._resources(path):
                paths.update(_paths(resource, 2))
                _collect(resource, schemas, 2)
        document = {"swagger": "2.0", "info": INFO, "paths": paths, "definitions": dict(sorted(schemas.items()))}
        return {**document, "securityDefinitions": _SECURITY, "security": [{"BearerToken": []}]}

    def _custom(self, group: str) -> bool:
        return all(each.crd is not None for each in self.scheme.resources() if each.group == group)

    def _resources(self, path: str) -> "list[Resource]":
        parts = path.split("/")
        if path == "api/v1":
            group, version = "", "v1"
        elif len(parts) == 3 and parts[0] == "apis":
            group, version = parts[1], parts[2]
        else:
            return []
        return [each for each in self.scheme.resources() if (each.group, each.version) == (group, version)]

    def _document(self, path: str) -> Doc:
        paths: Doc = {}
        schemas: Doc = {}
        for resource in self._resources(path):
            paths.update(_paths(resource, 3))
            _collect(resource, schemas, 3)
        if not paths:  # a discovery document such as apis/apps, or a service of the server itself
            verb = {"description": f"get /{path}/", "responses": {"200": {"description": "OK"}}}
            paths[f"/{path}/" if path.startswith("api") else f"/{path}"] = {"get": verb}
        components = {"schemas": dict(sorted(schemas.items())), "securitySchemes": _SECURITY}
        return {"openapi": "3.0.0", "info": INFO, "paths": dict(sorted(paths.items())), "components": components}


def custom_name(group: str, version: str, kind: str) -> str:
    """The definition name of a custom kind: ``com.example.v1.Widget``."""
    return f"{'.'.join(reversed(group.split('.')))}.{version}.{kind}"


def _collect(resource: "Resource", schemas: Doc, dialect: int) -> None:
    """Add to ``schemas`` everything that ``resource`` and its subresources refer to."""
    wanted = [_META + name for name in ("DeleteOptions", "Status", "WatchEvent", "Patch")]
    if resource.crd is not None:
        name = custom_name(resource.group, resource.version, resource.kind)
        schemas[name] = _custom_schema(resource, dialect)
        schemas[name + "List"] = _custom_list(resource, name, dialect)
        wanted += [_META + "ObjectMeta", _META + "ListMeta"]
    else:
        kinds = [
            (resource.group, resource.version, resource.kind),
            (resource.group, resource.version, resource.list_kind),
        ]
        kinds += [
            (sub.group or resource.group, sub.version or resource.version, sub.kind) for sub in resource.subresources
        ]
        by_kind = definitions.by_kind()
        wanted += [by_kind[kind] for kind in kinds if kind in by_kind]
    while wanted:
        name = wanted.pop()
        if name not in schemas:
            schemas[name] = _schema(name, definitions.described(name), dialect)
            wanted += _references(definitions.definition(name))


def _references(node: Any) -> list[str]:
    """Names of the definitions that a definition's fields refer to."""
    found: list[str] = []
    for prop in node.get("properties", {}).values():
        for place in (prop, prop.get("items") or {}, prop.get("additionalProperties") or {}):
            while isinstance(place, dict):
                if isinstance(place.get("$ref"), str):
                    found.append(definitions.ref_name(place["$ref"]))
                place = place.get("items") or place.get("additionalProperties")
    return found


def _schema(name: str, definition: Doc, dialect: int) -> Doc:
    """One definition in the dialect of Swagger 2 or OpenAPI 3."""
    if name == _INT_OR_STRING:
        text = definition.get("description") or (
            "IntOrString is a type that can hold an int32 or a string.  When used in JSON or YAML marshalling and "
            "unmarshalling, it produces or consumes the inner type.  This allows you to have, for example, a JSON field "
            "that can accept a name or number."
        )
        if dialect == 2:
            return {"description": text, "format": "int-or-string", "type": "string"}
        return {"description": text, "format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
    if name == _QUANTITY:
        text = definition.get("description") or (
            "Quantity is a fixed-point representation of a number. It provides convenient marshaling/unmarshaling in JSON "
            "and YAML, in addition to String() and AsInt64() accessors."
        )
        if dialect == 2:
            return {"description": text, "type": "string"}
        return {"description": text, "oneOf": [{"type": "string"}, {"type": "number"}]}
    out = _node(definition, dialect)
    if "properties" in definition:
        enums = ENUMS.get(name, {})
        out["properties"] = {
            key: _property(key, prop, enums.get(key), dialect) for key, prop in definition["properties"].items()
        }
    return out


def _property(key: str, prop: Doc, enum: dict[str, str] | None, dialect: int) -> Doc:
    out = _node(prop, dialect)
    if enum is not None:
        out["enum"] = sorted(enum)
        out["description"] = out.get("description", "") + described_enum(enum)
    elif "enum" in prop and key not in ("apiVersion", "kind"):  # our source pins those two to the one right value
        out["enum"] = [value for value in prop["enum"] if value is not None]
    return out


def _node(node: Doc, dialect: int) -> Doc:
    """A schema node without its properties: null is dropped from types, references are rewritten."""
    out: Doc = {}
    if "description" in node:
        out["description"] = node["description"]
    if "$ref" in node:
        target = definitions.ref_name(node["$ref"])
        if dialect == 2:
            out["$ref"] = f"#/definitions/{target}"
        else:
            out["allOf"] = [{"$ref": f"#/components/schemas/{target}"}]
            if target not in (_INT_OR_STRING, _QUANTITY, _META + "Time", _META + "MicroTime"):
                out["default"] = {}
    types = node.get("type")
    if isinstance(types, list):
        types = next((each for each in types if each != "null"), None)
    if types:
        out["type"] = types
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            out[key] = _node(node[key], dialect)
    for key in _KEPT:
        if key in node:
            out[key] = node[key]
    return out


def _gvk(group: str, version: str, kind: str) -> Doc:
    return {"group": group, "kind": kind, "version": version}


def _custom_schema(resource: "Resource", dialect: int) -> Doc:
    """A custom kind's schema as its CRD says, with the type and object meta every kind has."""
    own: Doc = {}
    for version in resource.crd["spec"].get("versions") or ():
        if version["name"] == resource.version:
            own = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    gvk = [_gvk(resource.group, resource.version, resource.kind)]
    if own.get("x-kubernetes-preserve-unknown-fields"):
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "x-kubernetes-group-version-kind": gvk}
    pod = definitions.described("io.k8s.api.core.v1.Pod")["properties"]
    properties = {key: _node(pod[key], dialect) for key in ("apiVersion", "kind", "metadata")}
    for key, prop in (own.get("properties") or {}).items():
        properties.setdefault(key, prop)
    return {
        **{key: value for key, value in own.items() if key != "properties"},
        "type": "object",
        "properties": properties,
        "x-kubernetes-group-version-kind": gvk,
    }


def _custom_list(resource: "Resource", name: str, dialect: int) -> Doc:
    pods = definitions.described("io.k8s.api.core.v1.PodList")["properties"]
    properties = {key: _node(pods[key], dialect) for key in ("apiVersion", "kind", "metadata")}
    place = "#/definitions/" if dialect == 2 else "#/components/schemas/"
    singular = f"List of {resource.plural}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
    properties["items"] = {"description": singular, "type": "array", "items": {"$ref": place + name}}
    return {
        "description": f"{resource.list_kind} is a list of {resource.kind}",
        "type": "object",
        "required": ["items"],
        "properties": properties,
        "x-kubernetes-group-version-kind": [_gvk(resource.group, resource.version, resource.list_kind)],
    }


_VERBS = {
    "get": ("get", "read", "get", ("pretty",)),
    "update": ("put", "replace", "put", _WRITE),
    "patch": ("patch", "patch", "patch", ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")),
    "delete": ("delete", "delete", "delete", _DELETE),
    "list": ("get", "list", "list", _LIST),
    "create": ("post", "create", "post", _WRITE),
    "deletecollection": ("delete", "delete", "deletecollection", (*_LIST[:-1], *_DELETE)),
}
"""RBAC verb → HTTP method, operation name, ``x-kubernetes-action``, query parameters."""


def _paths(resource: "Resource", dialect: int) -> Doc:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    found: Doc = {}
    scoped = (
        f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
    )
    if resource.namespaced and "list" in resource.verbs:
        everywhere = _item(resource, None, ("list",), dialect, suffix="ForAllNamespaces", namespaced=False)
        found[f"{root}/{resource.plural}"] = everywhere
    for path, verbs in (
        (scoped, ("list", "create", "deletecollection")),
        (f"{scoped}/{{name}}", ("get", "update", "patch", "delete")),
    ):
        served = tuple(verb for verb in verbs if verb in resource.verbs)
        if served:
            found[path] = _item(resource, None, served, dialect, namespaced=resource.namespaced)
    for sub in resource.subresources:
        served = tuple(verb for verb in sub.verbs if verb in _VERBS)
        item = _item(resource, sub, served, dialect, namespaced=resource.namespaced)
        found[f"{scoped}/{{name}}/{sub.name}"] = item
    return found


def _item(
    resource: "Resource",
    sub: "Subresource | None",
    verbs: tuple[str, ...],
    dialect: int,
    *,
    suffix: str = "",
    namespaced: bool,
) -> Doc:
    group = "".join(part.title() for part in (resource.group.removesuffix(".k8s.io") or "core").split("."))
    middle = "Namespaced" if namespaced else ""
    of_sub = "".join(part.title() for part in sub.name.split("/")) if sub is not None else ""
    gvk = _gvk(resource.group, resource.version, resource.kind)
    if sub is not None:
        gvk = _gvk(sub.group or resource.group, sub.version or resource.version, sub.kind)
    item: Doc = {}
    for verb in verbs:
        method, word, action, query = _VERBS[verb]
        operation = f"{word}{group}{resource.version.title()}"
        operation += "Collection" if verb == "deletecollection" else ""
        item[method] = {
            "description": f"{word} {resource.kind}",
            "operationId": f"{operation}{middle}{resource.kind}{of_sub}{suffix}",
            "parameters": [_parameter(name, dialect) for name in query],
            "responses": {"200": {"description": "OK"}, "401": {"description": "Unauthorized"}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
        }
    return item


def _parameter(name: str, dialect: int) -> Doc:
    type_, text = _QUERY[name]
    out: Doc = {"name": name, "in": "query", "description": text}
    if dialect == 2:
        return {**out, "type": type_, "uniqueItems": True}
    return {**out, "schema": {"type": type_, "uniqueItems": True}}
