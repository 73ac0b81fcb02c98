"""Where the presenter is: an address of this cluster that followers' pages open too.

In → ``PUT presenter {url, title?, token}`` from the presenter's window, at every step of theirs and every few seconds; ``DELETE {token}`` when they end.
Out → ``GET presenter``, and the record as a message of its own on every page's websocket: ``{"presenter": {url, title, seq}}``, or null.
It is kept in Redis for `TTL_SECONDS` and no longer: a presenter whose machine sleeps is gone by itself.

One presenter a cluster: who comes first chooses a token, and whoever has another waits until that one ends (409). An address leads
to a page of this very cluster, never elsewhere (422). Only somebody on this machine may present (403).

Simplified here: behind a reverse proxy on the same machine everybody looks as if they were on it; the token still keeps two presenters apart.
"""

from ipaddress import ip_address
from typing import Any

from django.http import HttpRequest

from explainer.api.bodies import PresenterBody
from explainer.api.calls import body_as, call
from explainer.runs.bus import Bus, Failed
from explainer.sockets import followers

TTL_SECONDS = 30


@call("GET", "PUT", "DELETE")
async def presenter(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """Who presents, and what they show. See the module."""
    await bus.require(cluster)
    record = await followers.current_record(bus, cluster)
    if request.method == "GET":
        return followers.told(record)
    if not _local(request):
        raise Failed(403, "only somebody at this machine presents")
    body = body_as(request, PresenterBody)
    if record and record["token"] != body.token:
        raise Failed(409, f"somebody else presents this cluster; they end, or {TTL_SECONDS} seconds pass")
    if request.method == "DELETE":
        await followers.write(bus, cluster, None, TTL_SECONDS)
        return followers.told(None)
    if not body.url.startswith(f"/clusters/{cluster}/") or "\\" in body.url:
        raise Failed(422, f"url is an address of this cluster: /clusters/{cluster}/…")
    seq = record["seq"] + 1 if record else 1
    new = {"url": body.url, "title": body.title, "token": body.token, "seq": seq}
    await followers.write(bus, cluster, new, TTL_SECONDS)
    return followers.told(new)


def _local(request: HttpRequest) -> bool:
    try:
        return ip_address(request.META.get("REMOTE_ADDR") or "127.0.0.1").is_loopback
    except ValueError:
        return False
