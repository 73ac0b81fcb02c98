"""Clusters and their clocks."""

import asyncio
from typing import Any

import msgspec
from django.http import HttpRequest

from explainer.api.bodies import BreakpointBody, ClockBody, ForkBody, RunBody, StepBody, UntilBody
from explainer.api.calls import body_as, call, json, moment
from explainer.api.kubeconfig import address
from explainer.runs import clusters
from explainer.runs.bus import Bus, Failed, Unavailable
from explainer.runs.mail import Pace

BIRTH_SECONDS = 30.0
RUN_SECONDS = 3600.0


@call("GET", "POST")
async def many(request: HttpRequest, bus: Bus) -> Any:
    """``GET``: all clusters. ``POST``: make one, 201."""
    if request.method == "GET":
        return [await _described(bus, name) for name in sorted(bus.known)]
    try:
        options = clusters.parse(request.body)
    except clusters.Refused as error:
        raise Failed(error.status, str(error)) from error
    clock = await made(bus, options)
    return json({**bus.known[options.name], "clock": clock}, 201)


async def made(bus: Bus, options: clusters.Options) -> Any:
    """Make a cluster: its clock once it is up (or stands paused at its beginning). Failed 409, 429."""
    await bus.create(options, address(options.name))
    patience = asyncio.get_running_loop().time() + BIRTH_SECONDS
    while True:
        clock = msgspec.json.decode(await bus.query_json(options.name, "clock", BIRTH_SECONDS))
        if clock["ready"] or options.paused or asyncio.get_running_loop().time() > patience:
            return clock
        await asyncio.sleep(0.05)


@call("GET", "DELETE")
async def one(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """One cluster with its clock; or forget it."""
    if request.method == "DELETE":
        described = bus.known.get(cluster)
        await bus.delete(cluster)
        return described
    return await _described(bus, cluster)


async def _described(bus: Bus, name: str) -> dict[str, Any]:
    try:
        clock = await bus.query(name, "clock")
    except (Unavailable, Failed):
        clock = None
    return {**bus.known[name], "clock": clock}


@call("GET", "PATCH")
async def clock(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """The clock; or set it."""
    if request.method == "GET":
        at = moment(request)
        return await (bus.query_at(cluster, at, "clock") if at else bus.query(cluster, "clock"))
    body = body_as(request, ClockBody)
    return await bus.pace(cluster, Pace("set", body.rate, body.paused))


@call("POST")
async def run(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """Exactly so far, as fast as it goes, then paused."""
    body = body_as(request, RunBody)
    return await bus.pace(cluster, Pace("run", micros=body.micros), RUN_SECONDS)


@call("POST")
async def step(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """To the next stage or visible event; what happened on the way is in ``events``."""
    body = body_as(request, StepBody)
    return await bus.pace(cluster, Pace("step", request=body.request or 0), 60.0)


@call("POST")
async def fork(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """A second cluster with this one's past, paused at that moment (now); 201."""
    body = body_as(request, ForkBody)
    if not clusters.NAME.fullmatch(body.name):
        raise Failed(422, "a cluster's name has 1 to 40 lower-case letters, digits and dashes")
    at = "" if body.at is None else str(body.at)
    if body.without is None:
        return json(await bus.fork(cluster, body.name, at), 201)
    without = msgspec.to_builtins(body.without)
    if len(without) != 1:
        raise Failed(422, "without names one of request, input and message")
    if body.without.request is not None:
        without["startMicros"] = await _start_of(bus, cluster, at, body.without.request)
    return json(await bus.fork(cluster, body.name, at, without=without), 201)


async def _start_of(bus: Bus, cluster: str, at: str, number: int) -> int:
    """When the apiserver read that request. Failed 404 if the cluster has forgotten it (then name a moment soon after it)."""
    asked = bus.query_at(cluster, at, "request", id=number) if at else bus.query(cluster, "request", id=number)
    return (await asked)["startMicros"]


@call("POST")
async def until(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """As fast as it goes until something holds, then paused; ``reached``, and ``because`` of what."""
    body = body_as(request, UntilBody)
    what = {"cel": body.cel} if body.cel else {}
    if body.pick is not None:
        what["pick"] = msgspec.to_builtins(body.pick)
    return await bus.pace(cluster, Pace("until", micros=body.limit_micros, what=what), RUN_SECONDS)


@call("GET", "POST")
async def breakpoints(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """The breakpoints and who is held; or a new one, 201."""
    if request.method == "GET":
        return await bus.query_json(cluster, "breakpoints")
    what = msgspec.to_builtins(body_as(request, BreakpointBody))
    return json(await bus.pace(cluster, Pace("break", what=what)), 201)


@call("DELETE")
async def breakpoint(request: HttpRequest, bus: Bus, cluster: str, number: str) -> Any:
    """Forget a breakpoint; those that are left."""
    await bus.require(cluster)
    if not number.isascii() or not number.isdigit():
        raise Failed(404, f"there is no breakpoint {number} in this cluster")
    return await bus.pace(cluster, Pace("unbreak", request=int(number)))
