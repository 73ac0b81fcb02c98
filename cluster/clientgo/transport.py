"""Requests to the apiserver and what happens when the answer comes, or doesn't (client-go's rest package).

In → ``self.request(out, "GET", path, then="got", args=(…))``; out → an ``HttpRequest``, and later a call of
``self.got(response, …, now=…, out=…)``. The continuation is a method's name and arguments because state is plain data.
``response.code`` is 0 when there was no answer (reset, refused, timeout): ``response.doc["message"]`` says why.

Answers 429 and 5xx with a Retry-After header are retried up to ten times. Requests of one component share a token
bucket (``qps``, ``burst``; 0 is unlimited). The cause of the request is the cause again when its answer is handled.

A *task* is a run of ``reconcile``: requests made while it runs belong to it, so do those made by their continuations,
and it is over when the last of them is answered.

Simplified here: one connection to one server; no HTTP/2 pings, instead a request without an answer for 45 s (30 s
idle plus 15 s ping timeout in client-go) has failed.

Upstream: k8s.io/client-go/rest/{request,with_retry}.go, util/flowcontrol/throttle.go.
"""

from typing import Any, ClassVar

import orjson
from msgspec import Struct

from cluster.clientgo.state import Bucket, Call, ClientState
from cluster.sim import SECOND, Actor, Outbox
from cluster.wire.http import Headers, HttpCancel, HttpRequest, HttpResponse, TlsPeer

REQUEST_TIMEOUT = 45 * SECOND
MAX_RETRIES = 10
"""client-go's default for Retry-After answers."""
VERSION = "v1.32.13"


class ClientConfig(Struct, frozen=True):
    """What every client of the apiserver must know. Components extend it (all their fields by keyword)."""

    epoch: int
    """Unix seconds of virtual instant 0."""
    server: str
    """The process it talks to: an apiserver or the balancer."""
    peer: TlsPeer
    """What its client certificate says."""
    qps_limits: bool = True
    """False: as with --kube-api-qps and -burst out of reach."""


class Transport(Actor):
    """The bottom layer of ``ApiClient``. ``config`` has at least ``epoch``, ``server`` and ``peer``."""

    qps: ClassVar[float] = 0.0
    burst: ClassVar[int] = 0
    state: Any

    def __init__(self, name: str, config: Any, state: Any = None) -> None:
        super().__init__(name, config, state)
        self.now = 0
        """The instant of the step that is running."""
        self.task = 0
        """The task on whose behalf the running code works; 0: none."""
        self._agents: dict[tuple[str, str], Headers] = {}

    def fresh(self) -> Any:
        """A client that has just started. Subclasses with more to remember return their own ``ClientState``."""
        return ClientState()

    def component(self, name: str) -> Any:
        """The object whose methods are continuations of ``component=name``. A process of several parts overrides it."""
        return self

    def component_peer(self, name: str) -> TlsPeer:
        """Who the component ``name`` is to the apiserver."""
        return self.config.peer

    def limits(self, component: str) -> tuple[float, int]:
        """``(qps, burst)`` of one component's own token bucket."""
        return self.qps, self.burst

    def user_agent(self, component: str) -> str:
        """``kube-proxy/v1.32.13 (linux/amd64) kubernetes/0000000``: what comes before the slash is the field manager."""
        agent = f"{self.kind}/{VERSION} (linux/amd64) kubernetes/{VERSION[1:]}"
        return f"{agent}/{component}" if component else agent

    # -- sending --------------------------------------------------------------------------------------------------

    def request(
        self,
        out: Outbox,
        method: str,
        path: str,
        *,
        query: str = "",
        doc: Any = None,
        content_type: str = "application/json",
        then: str = "answered",
        args: tuple[Any, ...] = (),
        timeout: int = REQUEST_TIMEOUT,
        component: str = "",
        detach: bool = False,
        throttle: bool = True,
        headers: Headers = (),
    ) -> int:
        """Ask the apiserver; ``then`` is called with the response. The request's id.

        ``headers`` come before the usual ones, so that they win. ``detach``: not part of the running task. ``throttle=False``: not counted by the rate limiter.
        """
        request_id = out.next_id()
        call = Call(
            request=HttpRequest(
                id=request_id,
                method=method,
                path=path,
                query=query,
                headers=headers + self._headers(component, content_type if doc is not None else ""),
                doc=doc,
                peer=self.component_peer(component),
            ),
            component=component,
            then=then,
            args=args,
            cause=out.cause,
            task=0 if detach else self.task,
            timeout=timeout,
        )
        self.state.calls[request_id] = call
        if call.task:
            self.state.tasks[call.task].pending += 1
        if self.qps and throttle and self.config.qps_limits and not self._admitted(component, request_id, out):
            return request_id
        self._send(call, out)
        return request_id

    def _headers(self, component: str, content_type: str) -> Headers:
        headers = self._agents.get((component, content_type))
        if headers is None:
            headers = (("accept", "application/json"), ("user-agent", self.user_agent(component)))
            if content_type:
                headers += (("content-type", content_type),)
            self._agents[component, content_type] = headers
        return headers

    def _send(self, call: Call, out: Outbox) -> None:
        call.sent = self.now
        call.deadline = self.now + call.timeout
        if call.timeout:
            self._sweep_by(call.deadline, out)
        out.send(self.config.server, call.request, cause=call.cause)

    def _admitted(self, component: str, request_id: int, out: Outbox) -> bool:
        """Take a token, or stand in line: a timer sends the request when its token is there."""
        bucket = self.state.buckets.get(component)
        if bucket is None:
            bucket = self.state.buckets[component] = Bucket(float(self.limits(component)[1]), self.now)
        self._refill(component, bucket)
        if bucket.tokens >= 1.0 and not bucket.waiting:
            bucket.tokens -= 1.0
            return True
        bucket.waiting.append(request_id)
        if len(bucket.waiting) == 1:
            self._await_token(component, bucket, out)
        return False

    def _refill(self, component: str, bucket: Bucket) -> None:
        qps, burst = self.limits(component)
        bucket.tokens = min(float(burst), bucket.tokens + (self.now - bucket.at) * qps / SECOND)
        bucket.at = self.now

    def _await_token(self, component: str, bucket: Bucket, out: Outbox) -> None:
        wait = max(1, int((1.0 - bucket.tokens) * SECOND / self.limits(component)[0]) + 1)
        out.timer(f"client/token/{component}", wait, component, cause=0)

    def _token(self, component: str, out: Outbox) -> None:
        bucket = self.state.buckets.get(component)
        if bucket is None:
            return
        self._refill(component, bucket)
        while bucket.waiting and bucket.tokens >= 1.0:
            call = self.state.calls.get(bucket.waiting.pop(0))
            if call is not None:
                bucket.tokens -= 1.0
                self._send(call, out)
        if bucket.waiting:
            self._await_token(component, bucket, out)

    # -- answers --------------------------------------------------------------------------------------------------

    def _answer(self, response: HttpResponse, out: Outbox) -> None:
        call = self.state.calls.get(response.id)
        if call is None:
            return
        if (response.code == 429 or response.code >= 500) and call.retries < MAX_RETRIES:
            seconds = _retry_after(response)
            if seconds is not None:
                call.retries += 1
                call.deadline = 0
                out.timer(f"client/retry/{response.id}", seconds * SECOND, response.id, cause=0)
                return
        if response.doc is None and response.body:
            response = _decoded(response)
        del self.state.calls[response.id]
        self._resume(call, response, out)

    def _retry(self, request_id: int, out: Outbox) -> None:
        """Send a call again under a new id (ids name traces), after the server's Retry-After."""
        call = self.state.calls.pop(request_id, None)
        if call is None:
            return
        old = call.request
        new = HttpRequest(out.next_id(), old.method, old.path, old.query, old.headers, old.body, old.doc, old.peer)
        call.request = new
        self.state.calls[new.id] = call
        self.renumbered(request_id, new.id)
        self._send(call, out)

    def renumbered(self, old: int, new: int) -> None:
        """A call goes on under another id: whoever remembers the old one learns it here."""

    def _resume(self, call: Call, response: HttpResponse, out: Outbox) -> None:
        out.cause = call.cause
        task, self.task = self.task, call.task
        target = self.component(call.component)
        if not hasattr(target, call.then):
            target = self  # one of client-go's own, such as the event recorder's
        getattr(target, call.then)(response, *call.args, now=self.now, out=out)
        self.task = task
        if call.task:
            self._settle(call.task, out)

    def _settle(self, task_id: int, out: Outbox) -> None:
        """One request of a task is answered; the queue layer ends the task with the last."""
        task = self.state.tasks.get(task_id)
        if task is not None:
            task.pending -= 1

    def answered(self, response: HttpResponse, *args: Any, now: int, out: Outbox) -> None:
        """The continuation of those who need none: an error makes the task fail, so that its key is tried again."""
        if response.code == 0 or response.code >= 400:
            self.failed()

    def failed(self) -> None:
        """The running task shall be tried again (rate-limited) when it is over."""
        task = self.state.tasks.get(self.task)
        if task is not None:
            task.failed = True

    def fail_calls(self, ids: list[int], why: str, out: Outbox) -> None:
        """These requests will have no answer: their continuations get code 0."""
        for request_id in ids:
            call = self.state.calls.pop(request_id, None)
            if call is not None:
                self._resume(call, no_answer(request_id, why), out)

    def fail_all(self, why: str, out: Outbox) -> None:
        """The connection is gone, and with it every request on it."""
        sent = [request_id for request_id, call in self.state.calls.items() if call.deadline]
        self.fail_calls(sent, why, out)

    # -- requests without an answer -------------------------------------------------------------------------------

    def _sweep_by(self, instant: int, out: Outbox) -> None:
        """One timer for all deadlines, set when first needed: a request costs no timer of its own."""
        if self.state.sweep_at == 0 or instant < self.state.sweep_at:
            self.state.sweep_at = instant
            out.timer("client/sweep", instant - self.now, cause=0)

    def _sweep(self, out: Outbox) -> None:
        self.state.sweep_at = 0
        overdue = [i for i, call in self.state.calls.items() if call.deadline and call.deadline <= self.now]
        oldest = min((self.state.calls[i].sent for i in overdue), default=0)
        for request_id in overdue:
            out.send(self.config.server, HttpCancel(request_id), cause=0)
        self.fail_calls(overdue, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)", out)
        if overdue:
            self.silent_since(oldest, out)
        deadlines = [call.deadline for call in self.state.calls.values() if call.deadline]
        if deadlines:
            self._sweep_by(min(deadlines), out)

    def silent_since(self, instant: int, out: Outbox) -> None:
        """A request sent at ``instant`` found no answer: the reflector layer doubts its watches."""


def no_answer(request_id: int, why: str) -> HttpResponse:
    """What a continuation gets when nothing came back: code 0 and a Status that says why."""
    return HttpResponse(
        request_id,
        0,
        doc={"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": why, "code": 0},
    )


def reason_of(response: HttpResponse) -> str:
    """``NotFound``, ``AlreadyExists``, ``Conflict`` …: the reason of an error Status, else ""."""
    doc = response.doc
    return doc.get("reason", "") if isinstance(doc, dict) and doc.get("kind") == "Status" else ""


def message_of(response: HttpResponse) -> str:
    """The words of an error Status."""
    doc = response.doc
    return doc.get("message", "") if isinstance(doc, dict) else ""


def _retry_after(response: HttpResponse) -> int | None:
    for name, value in response.headers:
        if name == "retry-after" and value.isdigit():
            return int(value)
    return None


def _decoded(response: HttpResponse) -> HttpResponse:
    try:
        doc = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        doc = {"kind": "Status", "message": response.body.decode("utf-8", "replace"), "code": response.code}
    return HttpResponse(response.id, response.code, response.headers, response.body, doc, response.stream)
