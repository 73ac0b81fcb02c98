"""Looking at a cluster: requests, rules, packets, objects, events, and the console."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from explainer.api.bodies import CompleteBody, ConsoleBody, InterruptBody, PacketBody
from explainer.api.calls import ask, body_as, call, number
from explainer.runs import keys
from explainer.runs.bus import Bus, Failed, Unavailable
from explainer.runs.mail import item
from explainer.sockets.consumers import WAITING, TooSlow, hub, room, waiting
from explainer.sockets.hub import frames_after

CONSOLE_SECONDS = 60.0
NDJSON = "application/x-ndjson"
VIEWS = ("map", "processes", "terms", "recent")


@call("GET")
async def requests(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """The list, newest first. Filters: limit, verb, code, user and whatever else the read model knows."""
    known = ("limit", "verb", "code", "user", "system")
    filters: dict[str, Any] = {name: request.GET[name] for name in known if request.GET.get(name)}
    for name in ("limit", "code"):
        if name in filters:
            filters[name] = number(request, name, 0)
    if "system" in filters:
        filters["system"] = filters["system"] in ("1", "true")
    return await ask(request, bus, cluster, "requests", **filters)


@call("GET")
async def one_request(request: HttpRequest, bus: Bus, cluster: str, number: int) -> Any:
    """One trace; ``?format=otlp`` as OpenTelemetry JSON."""
    form = request.GET.get("format", "")
    if form not in ("", "json", "otlp"):
        raise Failed(400, "format is json or otlp")
    return await ask(request, bus, cluster, "otlp" if form == "otlp" else "request", id=number)


@call("GET")
async def rules(request: HttpRequest, bus: Bus, cluster: str, node: str) -> Any:
    """The node's rules as text."""
    text = msgspec.json.decode(await ask(request, bus, cluster, "rules", node=node, mode=request.GET.get("mode", "")))
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@call("POST")
async def packets(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """Send one packet; the walk. ``?at=`` asks how it would have gone at that moment."""
    body = body_as(request, PacketBody)
    asked = {"src": body.src, "dst": body.dst, "protocol": body.protocol.lower(), "port": body.port, "node": body.node}
    if request.GET.get("at"):
        return await bus.query_at(cluster, request.GET["at"], "packet", **asked, mode=body.mode)
    if body.mode:
        return await bus.query_json(cluster, "packet", **asked, mode=body.mode)
    pieces = bus.stream(cluster, "PacketIn", 60.0, **asked)
    async for piece in pieces:
        return {key: value for key, value in piece.items() if key != "done"}
    raise Failed(503, "no answer")


@call("GET")
async def view(request: HttpRequest, bus: Bus, cluster: str, name: str) -> Any:
    """A read model by name, as the pages get it."""
    if name not in VIEWS:
        raise Failed(404, f"there is no view {name}")
    return await ask(request, bus, cluster, name)


@call("GET")
async def objects(request: HttpRequest, bus: Bus, cluster: str, resource: str) -> Any:
    """Objects of a resource, as etcd holds them."""
    return await ask(request, bus, cluster, "objects", resource=resource, namespace=request.GET.get("namespace", ""))


@call("POST")
async def console(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """Run a line. ``Accept: application/x-ndjson`` gives the pieces as they come, else the whole when it is over."""
    body = body_as(request, ConsoleBody)
    pieces = bus.stream(cluster, "ConsoleIn", session=body.session, line=body.line)
    if NDJSON in request.headers.get("Accept", ""):
        return StreamingHttpResponse(_console_lines(bus, cluster, body.session, pieces), content_type=NDJSON)
    whole: dict[str, Any] = {"stdout": "", "stderr": "", "exitCode": 0, "requests": []}
    try:
        async with asyncio.timeout(CONSOLE_SECONDS):
            async for piece in pieces:
                _add(whole, piece)
    except TimeoutError:
        bus.send(cluster, "input", item("ConsoleInterruptIn", session=body.session))
        whole["exitCode"] = 130
        whole["stderr"] += (
            f"interrupted after {CONSOLE_SECONDS:.0f} s; ask with Accept: {NDJSON} to follow a line as it runs\n"
        )
    return whole


@call("POST")
async def complete(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """What may stand at the cursor: ``line`` is the text before it."""
    body = body_as(request, CompleteBody)
    return await bus.query_json(cluster, "complete", line=body.line, session=body.session)


@call("POST")
async def interrupt(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """Ctrl-C."""
    await bus.act(cluster, item("ConsoleInterruptIn", session=body_as(request, InterruptBody).session))
    return {}


def _add(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    whole["stdout"] += piece.get("stdout", "")
    whole["stderr"] += piece.get("stderr", "")
    for name in ("exitCode", "startMicros", "endMicros"):
        if name in piece:
            whole[name] = piece[name]
    whole["requests"] += [number for number in piece.get("requests", ()) if number not in whole["requests"]]


async def _console_lines(bus: Bus, cluster: str, session: str, pieces: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    done = False
    try:
        async for piece in pieces:
            done = bool(piece.get("done"))
            yield msgspec.json.encode(piece) + b"\n"
    except (Failed, ConnectionError) as error:
        done = True
        yield msgspec.json.encode({"stderr": f"{error}\n", "exitCode": 1, "done": True}) + b"\n"
    finally:
        if not done:
            bus.send(cluster, "input", item("ConsoleInterruptIn", session=session))


class Line:
    """A listener that is an HTTP answer. Whoever doesn't read is let go: the answer ends, and they come back with their cursor."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope
        self.frames: asyncio.Queue[str] = asyncio.Queue()
        """Frames to send; an empty one ends the answer."""

    async def frame(self, text: str) -> None:
        """A frame to send. TooSlow, and the end, when too much waits already."""
        if waiting(self.scope) > WAITING:
            await self.close(4408)
            raise TooSlow("the client does not read")
        self.frames.put_nowait(text)

    async def room(self) -> None:
        """Until the client has read nearly all. TooSlow."""
        await room(self.scope)

    async def close(self, code: int) -> None:
        """No more frames."""
        self.frames.put_nowait("")


@call("GET")
async def events(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """Frames after a cursor, a line each; ``follow=1`` goes on with those to come. ``{"gone":true}`` as on the websocket."""
    after = number(request, "after", -1)
    if request.GET.get("follow") in ("1", "true"):
        return StreamingHttpResponse(
            _follow(request.scope, cluster, after if after >= 0 else None), content_type=NDJSON
        )
    frames = await frames_after(bus, cluster, after) if after >= 0 else await _kept(bus, cluster)
    if frames is None:
        return HttpResponse('{"gone":true}\n', content_type=NDJSON)
    return HttpResponse("".join(text + "\n" for _, text in frames), content_type=NDJSON)


async def _kept(bus: Bus, cluster: str) -> list[tuple[int, str]] | None:
    first = await bus.call_redis("XRANGE", keys.events(cluster), "-", "+", "COUNT", 1)
    return await frames_after(bus, cluster, int(first[0][0].partition(b"-")[0]) - 1) if first else []


async def _follow(scope: dict[str, Any], cluster: str, after: int | None) -> AsyncIterator[bytes]:
    line = Line(scope)
    joining = asyncio.ensure_future(_join(cluster, line, after))
    try:
        while text := await line.frames.get():
            yield text.encode() + b"\n"
    finally:
        joining.cancel()
        hub().leave(cluster, line)


async def _join(cluster: str, line: Line, after: int | None) -> None:
    """Beside the answer, as what is caught up with waits for the client to read."""
    try:
        await hub().join(cluster, line, after)
    except (Unavailable, TooSlow):
        await line.close(1013)
