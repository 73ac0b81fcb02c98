"""The answer: a document or a Status, in the representation the client asked for, with the server's headers.

In → a finished job; out → one ``HttpResponse``. Clients inside the world get the document itself, those outside bytes.
Indented JSON for people (curl, browsers, ``?pretty``), compact JSON and a newline for programs.

Upstream: apiserver/pkg/endpoints/handlers/responsewriters/writers.go (v1.32).
"""

from email.utils import formatdate
from functools import lru_cache
from typing import Any

from cluster.api import codec
from cluster.api.status import ApiError
from cluster.apiserver import table
from cluster.apiserver.job import Job
from cluster.apiserver.view import here, raised_at
from cluster.sim import SECOND, Outbox
from cluster.trace.notes import RequestEnded
from cluster.wire.http import Headers, HttpResponse

JSON = "application/json"


def headers(server: Any, job: Job, content_type: str) -> Headers:
    """What every answer carries, in the real server's order."""
    rows: list[tuple[str, str]] = []
    if job.audit_id:
        rows.append(("audit-id", job.audit_id))
    rows.append(("cache-control", "no-cache, private"))
    rows.append(("content-type", content_type))
    rows.extend(("warning", f'299 - "{_quoted(text)}"') for text in job.warnings)
    if job.flow is not None:
        if job.data.get("nosniff"):
            rows.append(("x-content-type-options", "nosniff"))
        rows.append(("x-kubernetes-pf-flowschema-uid", job.flow.schema_uid))
        rows.append(("x-kubernetes-pf-prioritylevel-uid", job.flow.level_uid))
    if job.outside:
        rows.append(("date", _date(server.config.epoch + server.now // SECOND)))
    return tuple(rows)


@lru_cache(maxsize=16)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def document(
    server: Any,
    job: Job,
    out: Outbox,
    code: int,
    doc: Any,
    reason: str = "",
    outcome: Any = "ok",
    content_type: str = "",
) -> None:
    """Answer with ``doc`` as JSON or YAML; ``content_type`` when it is more than the media type."""
    media = job.accept.media
    rows = headers(server, job, content_type or media)
    if not job.outside:
        _send(server, job, out, HttpResponse(job.id, code, rows, b"", doc), code, rows, doc, reason, outcome)
        return
    if media == "application/yaml":
        body = codec.encode_yaml(doc)
    else:
        body = codec.encode(doc, pretty=job.accept.pretty)
    _bytes(server, job, out, code, rows, body, doc, reason, outcome)


def raw(server: Any, job: Job, out: Outbox, code: int, content_type: str, body: bytes, reason: str = "") -> None:
    """Answer with bytes as they are, to anybody."""
    rows = headers(server, job, content_type)
    _bytes(server, job, out, code, rows, body, body, reason, "ok" if code < 400 else "error")


def item(server: Any, job: Job, out: Outbox, code: int, doc: dict[str, Any], reason: str = "") -> None:
    """Answer with one object of the job's resource, as a Table or PartialObjectMetadata if that was asked for."""
    form = job.accept.form
    if form == "Table" and job.resource is not None and doc.get("kind") != "Status":
        kind = doc.get("kind", "")
        shown = kind if kind == "Scale" else ""
        doc = table.render(
            job.resource, [doc], server.view.seconds, include_object=job.accept.include,
            version=job.accept.form_version, kind=shown,
        )  # fmt: skip
    elif form == "PartialObjectMetadata" and doc.get("kind") != "Status":
        doc = table.partial_metadata(doc, job.accept.form_version)
    document(server, job, out, code, doc, reason)


def error(server: Any, job: Job, out: Outbox, failure: ApiError) -> None:
    """Answer with a Status. The job ends."""
    outcome = "deny" if failure.code in (401, 403) else "error"
    job.data.setdefault("raised", raised_at(failure))
    if failure.plain is not None:
        job.data["nosniff"] = True  # net/http's Error sets it
        rows = headers(server, job, "text/plain; charset=utf-8")
        body = failure.plain.encode()
        _bytes(server, job, out, failure.code, rows, body, failure.plain, failure.message, outcome)
        return
    if job.accept.form:
        job.accept = type(job.accept)(job.accept.media, pretty=job.accept.pretty)
    if failure.retry_after:
        job.data["retry_after"] = failure.retry_after
    document(server, job, out, failure.code, failure.status, failure.message[:300], outcome)


def _bytes(
    server: Any, job: Job, out: Outbox, code: int, rows: Headers, body: bytes, shown: Any, reason: str, outcome: Any
) -> None:
    retry = job.data.get("retry_after")
    if retry:
        rows += (("retry-after", str(retry)),)
    rows += (("content-length", str(len(body))),)
    if job.request.method == "HEAD":
        body = b""
    _send(server, job, out, HttpResponse(job.id, code, rows, body), code, rows, shown, reason, outcome)


def _send(
    server: Any, job: Job, out: Outbox, response: HttpResponse, code: int, rows: Headers, shown: Any, reason: str,
    outcome: Any,
) -> None:  # fmt: skip
    job.stage(out, "response", outcome, reason or f"HTTP {code}", job.data.get("raised") or here(3), {"code": code})
    out.note(RequestEnded(job.id, code, job.user.name, job.user.groups, rows, shown, False))
    out.send(job.src, response, delay=max(job.at - server.now, 0))
    counters = server.state.counters
    key = f"{job.info.verb} {job.info.resource} {code}"
    counters[key] = counters.get(key, 0) + 1
    server.finish(job)


def stream(server: Any, job: Job, out: Outbox, content_type: str = JSON, code: int = 200) -> None:
    """The head of an answer that goes on in chunks; the job stays."""
    rows = headers(server, job, content_type)
    job.stage(out, "response", "ok", f"HTTP {code}, and the stream stays open", here(2), {"code": code})
    job.streaming = True
    out.note(RequestEnded(job.id, code, job.user.name, job.user.groups, rows, None, True))
    out.send(job.src, HttpResponse(job.id, code, rows, stream=True), delay=max(job.at - server.now, 0))
    if job.seat and job.flow is not None:  # a watch gives its seat back once it has started
        job.seat = False
        server.state.seats[job.flow.level] -= 1
