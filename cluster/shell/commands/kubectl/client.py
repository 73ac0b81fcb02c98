"""kubectl's HTTP client: headers, request logging (``-v``), Status answers as exceptions, discovery and its cache.

All methods that talk are generators of ``Effect``s. Discovery (two requests) is kept with the session for six hours, as kubectl keeps
it in ``~/.kube/cache``, and asked again at once when a kind isn't found in it.

Upstream: client-go/rest, client-go/discovery, client-go/transport round trippers.
"""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from msgspec import Struct

from cluster.shell.commands.kubectl.failures import ApiFailure, Failure
from cluster.shell.commands.kubectl.kubeconfig import Identity, identity, path
from cluster.shell.effects import Answer, Effect, Http
from cluster.shell.interpreter import Context
from cluster.sim.clock import SECOND

Doc = dict[str, Any]
Asking = Generator[Effect, Answer, Any]

USER_AGENT = "kubectl/v1.32.4 (linux/amd64) kubernetes/59526cd"
JSON = "application/json"
TABLE = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)
DISCOVERY = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
CACHE_TTL = 6 * 3600 * SECOND
_REASONS = {
    200: "OK", 201: "Created", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 409: "Conflict", 410: "Gone", 415: "Unsupported Media Type",
    422: "Unprocessable Entity", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
    504: "Gateway Timeout",
}  # fmt: skip


class Mapping(Struct, frozen=True):
    """A kind and how its objects are reached."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    verbs: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def shown(self) -> str:
        """``deployment.apps``: the kind as kubectl names it in its answers."""
        return f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()

    @property
    def resource(self) -> str:
        """``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """The URL path of an object, or of the collection."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        where = (
            f"{root}/namespaces/{namespace}/{self.plural}" if self.namespaced and namespace else f"{root}/{self.plural}"
        )
        where += f"/{quote(name)}" if name else ""
        return where + (f"/{subresource}" if subresource else "")


class Client:
    """The connection of one kubectl command."""

    def __init__(self, ctx: Context, flags: dict[str, Any]) -> None:
        self.ctx = ctx
        self.flags = flags
        self.identity: Identity = identity(ctx, flags)
        self.fresh_discovery = False
        if flags.get("v", 0) >= 6:
            self._log("loader.go:402", f"Config loaded from file:  {path(ctx, flags)}")

    @property
    def now_unix(self) -> float:
        """The clock of this machine: virtual time as Unix seconds."""
        return self.ctx.config.epoch + self.ctx.now / SECOND

    # -- requests ------------------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        where: str,
        query: list[tuple[str, str]] | None = None,
        doc: Any = None,
        *,
        accept: str = JSON,
        content: str = JSON,
        prefix: str = "",
        body: bytes = b"",
    ) -> Asking:
        """Send it; the document of a success. ApiFailure otherwise."""
        answer = yield from self.send(method, where, query, doc, accept=accept, content=content, body=body)
        found = document(answer)
        if answer.code >= 400:
            raise failure(answer, found, method, where, prefix)
        return found

    def send(
        self,
        method: str,
        where: str,
        query: list[tuple[str, str]] | None = None,
        doc: Any = None,
        *,
        accept: str = JSON,
        content: str = JSON,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Generator[Effect, Answer, Answer]:
        """Send it; the answer's head whatever it says. Failure when there is no connection."""
        raw = urlencode(query or [], quote_via=quote, safe="")
        sent = [("accept", accept), ("user-agent", USER_AGENT)]
        if doc is not None or body:
            sent.append(("content-type", content))
        if self.identity.token:
            sent.append(("authorization", f"Bearer {self.identity.token}"))
        if self.flags.get("as"):
            sent.append(("impersonate-user", self.flags["as"]))
            sent += [("impersonate-group", group) for group in self.flags.get("as-group") or ()]
            if self.flags.get("as-uid"):
                sent.append(("impersonate-uid", self.flags["as-uid"]))
        sent += list(headers)
        self._check_server()
        self._log_request(method, where, raw, sent, doc)
        began = self.ctx.now
        answer = yield Http(method, where, raw, tuple(sent), doc, body, self.identity.peer)
        if not answer.code:
            raise self._broken(answer)
        self._log_response(method, where, raw, answer, began)
        for name, value in answer.headers:
            if name == "warning":
                self.ctx.err(f"Warning: {warning_text(value)}\n")
        return answer

    def url(self, where: str, raw: str = "") -> str:
        """The full URL."""
        return self.identity.server + where + (f"?{raw}" if raw else "")

    def _check_server(self) -> None:
        own = self.ctx.config.server_url
        if self.identity.server.rstrip("/") != own.rstrip("/"):
            host = self.identity.server.partition("//")[2].partition("/")[0]
            raise Failure(
                f"The connection to the server {host} was refused - did you specify the right host or port?", plain=True
            )

    def _broken(self, answer: Answer) -> Failure:
        host = self.identity.server.partition("//")[2].partition("/")[0]
        if answer.error == "refused":
            why = f"The connection to the server {host} was refused - did you specify the right host or port?"
        elif answer.error == "timeout":
            why = f"Unable to connect to the server: dial tcp {host}: i/o timeout"
        else:
            why = "Unable to connect to the server: EOF"
        return Failure(why, plain=True)

    # -- logging -------------------------------------------------------------------------------------------------------

    def _log(self, place: str, text: str) -> None:
        now = self.ctx.now
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.ctx.config.epoch + now // SECOND)
        stamp = moment.strftime("%m%d %H:%M:%S") + f".{now % SECOND // 1000:06d}"
        self.ctx.err(f"I{stamp}   12345 {place}] {text}\n")

    def _log_request(self, method: str, where: str, raw: str, sent: list[tuple[str, str]], doc: Any) -> None:
        level = self.flags.get("v", 0)
        if level >= 8:
            body = orjson.dumps(doc).decode() if doc is not None else ""
            self._log("helper.go:105", f'"Request Body" body="{clipped(body, level)}"')
        titled = [("-".join(part.capitalize() for part in name.split("-")), value) for name, value in sent]
        if level >= 9:
            shown = " ".join(f'-H "{name}: {hidden(name, value)}"' for name, value in sorted(titled))
            self._log("round_trippers.go:473", f"curl -v -X{method}  {shown} '{self.url(where, raw)}'")
        elif level >= 7:
            self._log("round_trippers.go:470", f"{method} {self.url(where, raw)}")
            self._log("round_trippers.go:476", "Request Headers:")
            for name, value in sorted(titled):
                self._log("round_trippers.go:480", f"    {name}: {hidden(name, value)}")

    def _log_response(self, method: str, where: str, raw: str, answer: Answer, began: int) -> None:
        level = self.flags.get("v", 0)
        if level < 6:
            return
        took = (self.ctx.now - began) // 1_000_000
        said = f"{answer.code} {_REASONS.get(answer.code, '')}"
        if level in (7, 8):
            self._log("round_trippers.go:581", f"Response Status: {said} in {took} milliseconds")
        else:
            self._log("round_trippers.go:560", f"{method} {self.url(where, raw)} {said} in {took} milliseconds")
        if level >= 9:
            self._log(
                "round_trippers.go:577",
                f"HTTP Statistics: GetConnection 0 ms ServerProcessing {took} ms Duration {took} ms",
            )
        if level >= 8:
            self._log("round_trippers.go:584", "Response Headers:")
            for name, value in sorted(answer.headers):
                shown = "-".join(part.capitalize() for part in name.split("-"))
                self._log("round_trippers.go:587", f"    {shown}: {value}")
            body = answer.body.decode("utf-8", "replace") if answer.doc is None else orjson.dumps(answer.doc).decode()
            shown = clipped(body.rstrip("\n"), level).replace("\n", "\n\t")
            self._log("helper.go:105", f'"Response Body" body=<\n\t{shown}\n >')

    # -- discovery -----------------------------------------------------------------------------------------------------

    def mappings(self, *, refresh: bool = False) -> Generator[Effect, Answer, list[Mapping]]:
        """Every kind the server has, in its order."""
        cached = self.ctx.session.cache.get("discovery")
        key = (self.identity.server, self.identity.peer.common_name, self.identity.token, self.flags.get("as", ""))
        if cached is not None and not refresh and cached[1] == key and self.ctx.now - cached[0] < CACHE_TTL:
            return cached[2]
        found: list[Mapping] = []
        for where in ("/api", "/apis"):
            doc = yield from self.call("GET", where, accept=DISCOVERY)
            if doc.get("kind") != "APIGroupDiscoveryList":
                found += yield from self._unaggregated(doc)
                continue
            for group in doc.get("items") or ():
                name = group["metadata"].get("name", "")
                for version in group["versions"]:
                    found += [_mapping(name, version["version"], each) for each in version.get("resources") or ()]
        self.fresh_discovery = True
        self.ctx.session.cache["discovery"] = (self.ctx.now, key, found)
        return found

    def _unaggregated(self, doc: Doc) -> Generator[Effect, Answer, list[Mapping]]:
        """Discovery one group version at a time, from a server that can't do it at once."""
        paths = [f"/api/{version}" for version in doc.get("versions") or ()]
        paths += [f"/apis/{v['groupVersion']}" for group in doc.get("groups") or () for v in group["versions"]]
        found = []
        for where in paths:
            listed = yield from self.call("GET", where)
            group, _, version = listed["groupVersion"].rpartition("/")
            for each in listed["resources"]:
                if "/" not in each["name"]:
                    found.append(
                        Mapping(
                            group,
                            version,
                            each["kind"],
                            each["name"],
                            each["singularName"],
                            each["namespaced"],
                            tuple(each["verbs"]),
                            tuple(each.get("shortNames") or ()),
                            tuple(each.get("categories") or ()),
                        )
                    )
        return found

    def mapping(self, word: str) -> Generator[Effect, Answer, Mapping]:
        """The kind that ``word`` names: plural, singular, short name, kind, with group or version. Failure if none."""
        found = _match(word, (yield from self.mappings()))
        if found is None and not self.fresh_discovery:
            found = _match(word, (yield from self.mappings(refresh=True)))
        if found is None:
            raise Failure(f'the server doesn\'t have a resource type "{word}"')
        return found

    def mapping_of(self, doc: Doc, source: str = "") -> Generator[Effect, Answer, Mapping]:
        """The kind of a document."""
        group, _, version = str(doc.get("apiVersion", "")).rpartition("/")
        for refresh in (False, True):
            if refresh and self.fresh_discovery:
                break
            for each in (yield from self.mappings(refresh=refresh)):
                if (each.group, each.version, each.kind) == (group, version, doc.get("kind")):
                    return each
        name = (doc.get("metadata") or {}).get("name", "")
        api_version, kind = doc.get("apiVersion", ""), doc.get("kind", "")
        raise Failure(
            f'resource mapping not found for name: "{name}" namespace: "{(doc.get("metadata") or {}).get("namespace", "")}" '
            f'from "{source}": no matches for kind "{kind}" in version "{api_version}"\nensure CRDs are installed first'
        )


def _mapping(group: str, version: str, doc: Doc) -> Mapping:
    return Mapping(
        group,
        version,
        doc["responseKind"]["kind"],
        doc["resource"],
        doc.get("singularResource", ""),
        doc["scope"] == "Namespaced",
        tuple(doc["verbs"]),
        tuple(doc.get("shortNames") or ()),
        tuple(doc.get("categories") or ()),
    )


def _match(word: str, every: list[Mapping]) -> Mapping | None:
    name, _, rest = word.lower().partition(".")
    for each in every:
        if name not in (each.plural, each.singular, each.kind.lower(), *each.short_names):
            continue
        if (
            not rest
            or rest in (each.group, f"{each.version}.{each.group}")
            or (not each.group and rest == each.version)
        ):
            return each
        if each.group.startswith(rest) and each.group:
            return each
    return None


def document(answer: Answer) -> Any:
    """The JSON of an answer."""
    if answer.doc is not None:
        return answer.doc
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return answer.body.decode("utf-8", "replace")


def failure(answer: Answer, found: Any, method: str, where: str, prefix: str = "") -> ApiFailure:
    """The server's no as an exception; an answer without Status gets client-go's words."""
    if isinstance(found, dict) and found.get("kind") == "Status":
        return ApiFailure(found, answer.code, prefix)
    if answer.code == 404:
        about = _resource_of(where)
        message = "the server could not find the requested resource"
        status = {"reason": "NotFound", "message": f"{message} ({method.lower()} {about})" if about else message}
    else:
        said = str(found).strip()
        status = {
            "reason": "InternalError" if answer.code == 500 else "",
            "message": said or f"an error on the server ({answer.code})",
        }
    return ApiFailure(status, answer.code, prefix)


def _resource_of(where: str) -> str:
    """``widgets.example.com w1``: what a resource's URL path is about; "" for other paths."""
    parts = where.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    else:
        return ""
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    return rest[0] + (f".{group}" if group else "") + (f" {rest[1]}" if len(rest) > 1 else "")


def unlisted(error: ApiFailure, mapping: Mapping, selected: bool) -> ApiFailure:
    """A list that failed, as the resource builder words it."""
    if error.code not in (400, 404) or selected:
        return error
    gvr = f"{mapping.api_version}, Resource={mapping.plural}"
    return ApiFailure({**error.status, "message": f'Unable to list "{gvr}": {error.message}'}, error.code)


def warning_text(value: str) -> str:
    """The text of a ``Warning: 299 - "text"`` header."""
    start, end = value.find('"'), value.rfind('"')
    return value[start + 1 : end].replace('\\"', '"').replace("\\\\", "\\") if 0 <= start < end else value


def clipped(body: str, level: int) -> str:
    """At -v 8 bodies are shown to 1024 characters, at 9 to 10240, from 10 on whole."""
    limit = {8: 1024, 9: 10240}.get(level, len(body))
    return body if len(body) <= limit else f"{body[:limit]} [truncated {len(body) - limit} chars]"


def hidden(name: str, value: str) -> str:
    """Bearer tokens are not shown."""
    return "Bearer <masked>" if name.lower() == "authorization" else value
