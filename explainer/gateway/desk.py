"""Requests that a page makes in somebody's name: as real as kubectl's, on a connection of their own, with the admin's certificate.

In → YAML of one or more documents and what to do with them; out → one row a document: the request that was made (method, path, its id in
the tracer) and the apiserver's own answer. Nothing goes past the apiserver: an input ``HttpIn`` is what a TLS client would have caused.

``apply`` is a server-side apply by the field manager ``clearplane-page``, ``create`` a POST, ``replace`` a PUT, ``delete`` a DELETE. With
``dry_run`` the server does everything but keep it. Documents go one after the other, as kubectl sends them; one that is refused
does not stop the next.

Errors: ``Refused`` with a sentence and, if known, the line of the text for what is no YAML or no object; ``Unavailable`` when no
answer came in ``PATIENCE`` seconds (the request is then withdrawn, as a client does that has waited long enough).
"""

import asyncio
import itertools
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import yaml
from cryptography import x509
from msgspec import Struct

from cluster.shell import yaml_input
from explainer import pki
from explainer.runs.bus import Bus, Unavailable, current
from explainer.runs.mail import item

MANAGER = "clearplane-page"
AGENT = "clearplane-page/v1 (browser)"
PATIENCE = 30.0
"""Wall seconds for one answer: the clock may stand, or a breakpoint hold the request."""
MOST_DOCUMENTS = 50
TEXT_LIMIT = 1024 * 1024
HOWS = ("apply", "create", "replace", "delete")
METHODS = {"apply": "PATCH", "create": "POST", "replace": "PUT", "delete": "DELETE"}
TYPES = {"apply": "application/apply-patch+yaml"}
_numbers = itertools.count(1)

Doc = dict[str, Any]


class Refused(Exception):
    """The text is not what can be sent: a sentence, and where."""

    def __init__(self, sentence: str, line: int = 0) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.line = line


class Answer(Struct):
    """What the apiserver said. ``request`` is its number in the tracer."""

    code: int
    doc: Any
    request: int


def read_documents(text: str) -> list[Doc]:
    """The objects of a YAML stream; Lists are opened, empty documents left out. Refused."""
    if len(text.encode()) > TEXT_LIMIT:
        raise Refused("The text is longer than 1 MiB.")
    try:
        found = yaml_input.load_all(text)
        if len(orjson.dumps(found)) > 4 * TEXT_LIMIT:
            raise Refused("The text unfolds to more than 4 MiB.")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Refused(f"This is no YAML: {error.problem or error}.", mark.line + 1 if mark else 0) from error
    except (yaml.YAMLError, orjson.JSONEncodeError, RecursionError, ValueError) as error:
        raise Refused(f"This is no YAML that an object can be made of: {error}.") from error
    docs: list[Doc] = []
    for one in found:
        if one is None:
            continue
        if not isinstance(one, dict):
            raise Refused("A document is a map of fields: apiVersion, kind, metadata and so on.")
        listed = isinstance(one.get("items"), list) and str(one.get("kind", "")).endswith("List")
        docs += [each for each in one["items"] if isinstance(each, dict)] if listed else [one]
    if not docs:
        raise Refused("There is no document in the text.")
    if len(docs) > MOST_DOCUMENTS:
        raise Refused(f"There are {len(docs)} documents in the text; {MOST_DOCUMENTS} at a time is the most.")
    return docs


def as_map(value: Any) -> Doc:
    """A map, or an empty one for what is none."""
    return value if isinstance(value, dict) else {}


class Address(Struct):
    """Where a document lives: its kind's address, and its own."""

    resource: str
    namespace: str
    name: str
    path: str


def address(doc: Doc, kinds: list[Doc], namespace: str, how: str) -> Address:
    """The REST mapping, as kubectl does it. Refused, in kubectl's words where it has some."""
    version, kind = doc.get("apiVersion"), doc.get("kind")
    meta = doc.get("metadata")
    if not isinstance(version, str) or not version:
        raise Refused("apiVersion not set")
    if not isinstance(kind, str) or not kind:
        raise Refused("kind not set")
    if not isinstance(meta, dict):
        raise Refused("metadata not set")
    found = next((one for one in kinds if one["apiVersion"] == version and one["kind"] == kind), None)
    name = meta.get("name") or ""
    if found is None:
        raise Refused(f'no matches for kind "{kind}" in version "{version}"')
    if not isinstance(name, str) or not isinstance(meta.get("namespace") or "", str):
        raise Refused("metadata.name and metadata.namespace are texts")
    if not name and not (how == "create" and meta.get("generateName")):
        raise Refused("metadata.name not set")
    where = (meta.get("namespace") or namespace or "default") if found["namespaced"] else ""
    path = ("/apis/" if found["group"] else "/api/") + version
    path += f"/namespaces/{quote(where, safe='')}" if where else ""
    path += f"/{found['plural']}"
    if how != "create":
        path += f"/{quote(name, safe=':')}"
    return Address(found["resource"], where, name, path)


async def submit(
    cluster: str,
    text: str,
    how: str,
    *,
    namespace: str = "",
    force: bool = False,
    dry_run: bool = False,
    propagation: str = "",
    remote: str = "",
) -> list[Doc]:
    """Send every document of ``text``; a row each. Refused, Unavailable, Failed."""
    docs = read_documents(text)
    bus = current()
    await bus.require(cluster)
    kinds = await bus.query(cluster, "mapping")
    rows = []
    for number, doc in enumerate(docs):
        meta: Doc = as_map(doc.get("metadata"))
        row: Doc = {
            "index": number, "apiVersion": str(doc.get("apiVersion") or ""), "kind": str(doc.get("kind") or ""),
            "name": str(meta.get("name") or ""), "namespace": "", "resource": "", "method": METHODS[how], "path": "",
            "code": 0, "request": 0, "object": None, "status": None, "problem": "",
        }  # fmt: skip
        rows.append(row)
        try:
            at = address(doc, kinds, namespace, how)
        except Refused as error:
            row["problem"] = error.sentence
            continue
        if at.namespace and not meta.get("namespace"):
            doc = {**doc, "metadata": {**meta, "namespace": at.namespace}}
        answer = await ask(bus, cluster, *request_of(how, at, doc, force, dry_run, propagation), remote)
        row |= {"namespace": at.namespace, "name": at.name, "resource": at.resource, "path": at.path}
        row |= {"code": answer.code, "request": answer.request}
        row["object" if answer.code < 300 else "status"] = answer.doc
        if answer.code < 300 and isinstance(answer.doc, dict) and how == "create":
            row["name"] = (answer.doc.get("metadata") or {}).get("name", at.name)
    return rows


def request_of(
    how: str, at: Address, doc: Doc, force: bool, dry_run: bool, propagation: str
) -> tuple[str, str, str, str, bytes]:
    """(method, path, query, content type, body) of a document's request."""
    query: dict[str, str] = {}
    if how != "delete":
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
    if how == "apply" and force:
        query["force"] = "true"
    if dry_run:
        query["dryRun"] = "All"
    body: Any = doc
    if how == "delete":
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation or "Background"}
    return METHODS[how], at.path, urlencode(query), TYPES.get(how, "application/json"), orjson.dumps(body)


async def ask(
    bus: Bus, cluster: str, method: str, path: str, query: str, kind: str, body: bytes, remote: str
) -> Answer:
    """One request and its whole answer. Unavailable."""
    conn, done = f"{bus.name}/page{next(_numbers)}", asyncio.get_running_loop().create_future()

    def heard(output: Doc) -> None:
        if not done.done():
            done.set_result(output)

    certificate = x509.load_pem_x509_certificate((await bus.spec(cluster)).pki["admin_cert"])
    headers = (("host", "kubernetes"), ("user-agent", AGENT), ("accept", "application/json"), ("content-type", kind),
               ("content-length", str(len(body))))  # fmt: skip
    bus.exchanges[(cluster, conn, 1)] = heard
    try:
        sent = item("HttpIn", conn=conn, stream=1, method=method, path=path, query=query, headers=headers, body=body,
                    peer=pki.peer_fields(certificate), remote=remote)  # fmt: skip
        bus.send(cluster, "input", sent)
        output = await asyncio.wait_for(asyncio.shield(done), PATIENCE)
    except TimeoutError:
        raise Unavailable(
            f"No answer came within {PATIENCE:.0f} seconds, so the request was withdrawn. Does the clock stand, or does a breakpoint hold it?"
        ) from None
    finally:
        bus.exchanges.pop((cluster, conn, 1), None)
        if not done.done():
            bus.send(cluster, "input", item("HttpCloseIn", conn=conn, stream=1))
    if output["type"] != "HttpOut":
        raise Unavailable(f"The connection broke before the answer was complete: {output.get('error') or 'reset'}.")
    try:
        doc = orjson.loads(output["body"])
    except orjson.JSONDecodeError:
        doc = {"message": bytes(output["body"]).decode("utf-8", "replace")}
    return Answer(output["code"], doc, output["request"])
