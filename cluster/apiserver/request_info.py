"""What a path and a method mean: the first thing the server works out about a request.

In → method, path, query; out → ``RequestInfo``: is it about a resource, which, and the RBAC verb. A path that fits
neither ``/api/…`` nor ``/apis/…`` is a non-resource request, whose verb is the lower-case method.

Simplified here: no ``proxy`` verb prefix (removed from real servers too); the deprecated ``/watch/`` prefix is known.

Upstream: apiserver/pkg/endpoints/request/requestinfo.go (v1.32).
"""

from functools import lru_cache
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


class RequestInfo(Struct, frozen=True):
    """``is_resource`` false: only ``verb`` and ``path`` mean something."""

    is_resource: bool
    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    rest: tuple[str, ...] = ()
    """Path segments after the subresource (``proxy`` has them)."""


def parse_query(query: str) -> dict[str, str]:
    """The first value of each parameter, as Go's ``Values.Get`` reads it."""
    if not query:
        return {}
    result: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        result.setdefault(key, value)
    return result


def is_true(value: str | None) -> bool:
    """Go's conversion of a query value to bool: "0" and "false" are false, anything else (even empty) is true."""
    return value is not None and value not in ("false", "0")


def request_info(method: str, path: str, query: dict[str, str]) -> RequestInfo:
    """The meaning of ``method path?query``."""
    return _meaning(method, path, query) if query or len(path) > 256 else _plainly(method, path)


@lru_cache(maxsize=1024)
def _plainly(method: str, path: str) -> RequestInfo:
    return _meaning(method, path, {})


def _meaning(method: str, path: str, query: dict[str, str]) -> RequestInfo:
    parts = [unquote(part) if "%" in part else part for part in path.strip("/").split("/")]
    lower = method.lower()
    if parts[0] == "api":
        group, prefix = "", 1
    elif parts[0] == "apis" and len(parts) > 1:
        group, prefix = parts[1], 2
    else:
        return RequestInfo(False, lower, path)
    if len(parts) < prefix + 2:
        return RequestInfo(False, lower, path)
    version = parts[prefix]
    rest = parts[prefix + 1 :]
    verb = _VERBS.get(method, lower)
    if rest[0] == "watch" and method in ("GET", "HEAD"):
        verb = "watch"
        rest = rest[1:]
        if not rest:
            return RequestInfo(False, lower, path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    resource = rest[0]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if not name and verb == "get":
        verb = "watch" if is_true(query.get("watch")) else "list"
    if not name and verb == "delete":
        verb = "deletecollection"
    if verb in ("list", "watch", "deletecollection") and not name:
        name = _name_of_selector(query.get("fieldSelector", ""))
    return RequestInfo(True, verb, path, group, version, resource, subresource, namespace, name, tuple(rest[3:]))


def _name_of_selector(selector: str) -> str:
    """A list narrowed to ``metadata.name=x`` counts as a request about ``x``, so that RBAC's resourceNames work."""
    for term in selector.split(","):
        key, found, value = term.partition("=")
        if found and key == "metadata.name":
            return value.removeprefix("=")
    return ""
