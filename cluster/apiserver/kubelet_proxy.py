"""logs, exec, attach, port-forward: the apiserver passes the stream on between the client and the node's kubelet.

In → a request about a pod; out → the same question to the kubelet's port 10250, and then every chunk in both directions
under the other side's request id.

Simplified here: the kubelet is found by the node's name and is asked over a connection that needs no certificate.

Upstream: pkg/registry/core/pod/rest/{log,subresources}.go, pkg/kubelet/client (v1.32).
"""

import re
from typing import Any

from cluster.api import field, status
from cluster.apiserver import respond, storage
from cluster.apiserver.job import Job, continuation
from cluster.apiserver.watch_cache import Item
from cluster.sim import Outbox
from cluster.wire.http import HttpCancel, HttpChunk, HttpEnd, HttpRequest, HttpReset, HttpResponse
from cluster.wire.kubelet import exec_path, logs_path

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def logs(server: Any, job: Job, out: Outbox) -> None:
    """GET pods/<name>/log."""
    _check_log_options(job)
    _find(server, job, out, "log")


def _check_log_options(job: Job) -> None:
    """ApiError 400 for what is no number, 422 for what is no sensible one (``ValidatePodLogOptions``)."""
    query = job.query
    numbers: dict[str, int] = {}
    for name in ("tailLines", "limitBytes", "sinceSeconds"):
        if query.get(name):
            if not _INTEGER.fullmatch(query[name]):
                raise status.bad_request(f'strconv.ParseInt: parsing "{query[name]}": invalid syntax')
            numbers[name] = int(query[name])
    errors: list[field.FieldError] = []
    if numbers.get("tailLines", 0) < 0:
        errors.append(field.invalid("tailLines", numbers["tailLines"], "must be greater than or equal to 0"))
    if numbers.get("limitBytes", 1) < 1:
        errors.append(field.invalid("limitBytes", numbers["limitBytes"], "must be greater than 0"))
    if "sinceSeconds" in numbers and query.get("sinceTime"):
        errors.append(field.forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif numbers.get("sinceSeconds", 1) < 1:
        errors.append(field.invalid("sinceSeconds", numbers["sinceSeconds"], "must be greater than 0"))
    if errors:
        raise status.invalid("", "PodLogOptions", job.info.name, errors)


def execute(server: Any, job: Job, out: Outbox) -> None:
    """GET or POST pods/<name>/exec, attach or portforward."""
    _find(server, job, out, job.info.subresource)


def _find(server: Any, job: Job, out: Outbox, what: str) -> None:
    pods = server.scheme.resource("", "v1", "pods")
    storage.get(server, job, out, pods, job.info.namespace, job.info.name, found, what)


@continuation
def found(server: Any, job: Job, out: Outbox, item: Item, what: str) -> None:
    """The pod is known: ask its node."""
    pod, info = item.doc, job.info
    container = job.query.get("container", "")
    if what != "portforward":
        container = _container(pod, container)
    node = pod["spec"].get("nodeName")
    if not node:
        if what == "log":  # a pod without a node has no logs yet
            respond.raw(
                server, job, out, 200, "text/plain", b"", "The pod has no node yet, so there is nothing to show"
            )
            return
        raise status.bad_request(f"pod {info.name} does not have a host assigned")
    if what == "log":
        path = logs_path(info.namespace, info.name, container)
    elif what == "portforward":
        path = f"/portForward/{info.namespace}/{info.name}"
    else:
        path = exec_path(info.namespace, info.name, container).replace("/exec/", f"/{what}/")
    ask(server, job, out, node, path)


def ask(server: Any, job: Job, out: Outbox, node: str, path: str) -> None:
    """Put the job's request to the kubelet of ``node`` under ``path``; its answer becomes the job's."""
    number = out.next_id()
    request = HttpRequest(
        number, job.request.method, path, job.request.query, job.request.headers, job.request.body, None,
        server.config_peer, server.config.address,
    )  # fmt: skip
    kubelet = f"kubelet-{node}"
    job.data.update(kubelet=kubelet, asked=number, url=_url(server, node, path))
    server.state.proxied[number] = job.id
    out.send(kubelet, request, delay=max(job.at - server.now, 0))


def _container(pod: dict[str, Any], wanted: str) -> str:
    name = pod["metadata"]["name"]
    spec = pod["spec"]
    plain = [c["name"] for c in spec["containers"]]
    initial = [c["name"] for c in spec.get("initContainers") or ()]
    ephemeral = [c["name"] for c in spec.get("ephemeralContainers") or ()]
    if wanted:
        if wanted not in plain + initial + ephemeral:
            raise status.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(plain) == 1:
        return plain[0]
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(plain)}]"
    if initial:
        text += f" or one of the init containers: [{' '.join(initial)}]"
    if ephemeral:
        text += f" or one of the ephemeral containers: [{' '.join(ephemeral)}]"
    raise status.bad_request(text)


def _url(server: Any, node: str, path: str) -> str:
    doc = server.view.get("nodes", "", node) or {}
    addresses = {a["type"]: a["address"] for a in (doc.get("status") or {}).get("addresses") or ()}
    return f"https://{addresses.get('InternalIP', node)}:10250{path}"


# -- answers ------------------------------------------------------------------------------------------------------


def response(server: Any, src: str, message: HttpResponse, out: Outbox) -> None:
    """The kubelet's answer: all of it, or the head of a stream."""
    job = server.state.jobs.get(server.state.proxied.get(message.id, 0))
    if job is None:
        return
    out.cause = job.id
    job.at = max(job.at, server.now)
    if not message.stream:
        del server.state.proxied[message.id]
        if message.code >= 400:
            text = message.body.decode("utf-8", "replace") or str((message.doc or {}).get("message", ""))
            respond.error(server, job, out, status.failure(message.code, _reason(message.code), text))
            return
        respond.raw(server, job, out, message.code, "text/plain", message.body, "The kubelet answered")
        return
    media = dict(message.headers).get("content-type", "text/plain")
    respond.stream(server, job, out, media, message.code)


def _reason(code: int) -> str:
    return {400: "BadRequest", 404: "NotFound"}.get(code, "InternalError")


def piece(server: Any, src: str, message: HttpChunk | HttpEnd | HttpReset, out: Outbox) -> None:
    """A chunk in one of the two directions, or the end."""
    state = server.state
    number = state.proxied.get(message.id)
    if number is None:  # from the client, to the kubelet
        job = state.jobs.get(message.id)
        if job is not None and "asked" in job.data and isinstance(message, HttpChunk):
            out.send(job.data["kubelet"], HttpChunk(job.data["asked"], message.data, message.doc, message.channel))
        return
    job = state.jobs.get(number)
    if job is None:
        return
    if isinstance(message, HttpChunk):
        out.send(job.src, HttpChunk(job.id, message.data, message.doc, message.channel))
        return
    del state.proxied[message.id]
    if isinstance(message, HttpReset):
        _broken(server, job, out, message.error)
        return
    out.send(job.src, HttpEnd(job.id, message.error))
    server.finish(job)


def _broken(server: Any, job: Job, out: Outbox, why: str) -> None:
    if job.streaming:
        out.send(job.src, HttpEnd(job.id, why))
        server.finish(job)
        return
    out.cause = job.id
    respond.error(server, job, out, status.failure(500, "InternalError", f'Get "{job.data["url"]}": {why}'))


def peer_down(server: Any, peer: str, out: Outbox) -> None:
    """A kubelet's process is gone."""
    for number, waiting in list(server.state.proxied.items()):
        job = server.state.jobs.get(waiting)
        if job is not None and job.data.get("kubelet") == peer:
            del server.state.proxied[number]
            host = job.data["url"].removeprefix("https://").partition("/")[0]
            _broken(server, job, out, f"dial tcp {host}: connect: connection refused")


def cancel(server: Any, job: Job, out: Outbox) -> None:
    """The client went away: tell the kubelet."""
    asked = job.data.get("asked")
    if asked is not None and server.state.proxied.pop(asked, None) is not None:
        out.send(job.data["kubelet"], HttpCancel(asked))
