"""The control API's addresses; ``/api/openapi.json`` describes them."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from explainer.api import (
    again,
    applying,
    clusters,
    faults,
    history,
    lessons,
    looking,
    moments,
    openapi,
    presenter,
    rescue,
)
from explainer.api.calls import json

C = "clusters/<str:cluster>"


async def unknown(request: HttpRequest, **_: Any) -> HttpResponse:
    """Whatever isn't there, as the API says it."""
    return json({"error": f"There is no {request.path}; /api/openapi.json lists what there is."}, 404)


urlpatterns = [
    path("openapi.json", openapi.document),
    path("clusters", clusters.many),
    path("import", moments.load),
    path("lessons/<str:slug>/start", lessons.start),
    path(C, clusters.one),
    path(f"{C}/clock", clusters.clock),
    path(f"{C}/clock/run", clusters.run),
    path(f"{C}/clock/step", clusters.step),
    path(f"{C}/fork", clusters.fork),
    path(f"{C}/again", again.again),
    path(f"{C}/lesson", lessons.lesson),
    path(f"{C}/presenter", presenter.presenter),
    path(f"{C}/export", moments.save),
    path(f"{C}/history", history.history),
    path(f"{C}/history/tape", history.tape_of),
    path(f"{C}/history/step", history.step),
    path(f"{C}/compare", history.compare),
    path(f"{C}/bookmarks", history.bookmarks),
    path(f"{C}/bookmarks/<str:number>", history.bookmark),
    path(f"{C}/clock/until", clusters.until),
    path(f"{C}/breakpoints", clusters.breakpoints),
    path(f"{C}/breakpoints/<str:number>", clusters.breakpoint),
    path(f"{C}/etcd/members", faults.members),
    path(f"{C}/etcd/members/<str:name>", faults.remove),
    path(f"{C}/etcd/members/<str:name>/promote", faults.promote),
    path(f"{C}/etcd/members/<str:name>/<str:op>", faults.member),
    path(f"{C}/etcd/ops", faults.ops),
    path(f"{C}/etcd/snapshots", rescue.snapshots),
    path(f"{C}/etcd/snapshots/<str:host>", rescue.snapshot),
    path(f"{C}/etcd/restore", rescue.restore),
    path(f"{C}/etcd/timers", faults.timers),
    path(f"{C}/etcd/raft/<str:what>", faults.raft),
    path(f"{C}/messages/<int:sequence>/<str:op>", faults.message),
    path(f"{C}/network/<str:op>", faults.network),
    path(f"{C}/hosts/<str:name>/<str:op>", faults.host),
    path(f"{C}/processes/<str:name>/<str:op>", faults.process),
    path(f"{C}/requests", looking.requests),
    path(f"{C}/requests/<int:number>", looking.one_request),
    path(f"{C}/nodes/<str:node>/rules", looking.rules),
    path(f"{C}/packets", looking.packets),
    path(f"{C}/objects/<str:resource>", looking.objects),
    path(f"{C}/apply", applying.apply),
    path(f"{C}/views/<str:name>", looking.view),
    path(f"{C}/console", looking.console),
    path(f"{C}/console/complete", looking.complete),
    path(f"{C}/console/interrupt", looking.interrupt),
    path(f"{C}/events", looking.events),
    re_path(r"^.*$", unknown),
]
