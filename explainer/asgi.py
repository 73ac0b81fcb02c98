"""Where a scope goes: by the door it came through, then by what it asks for. Django is the last resort, not the first.

| door | goes to |
|---|---|
| TLS | ``gateway.kubernetes`` |
| an etcd port | ``gateway.etcd`` |
| web, ``/clusters/<c>/etcd/<m>/v3/…`` | ``gateway.etcd`` |
| web, websocket ``/ws/clusters/<c>`` | ``sockets`` |
| web, ``/static/…`` | files (``static_files``) |
| web, else | Django: pages, control API |
"""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "explainer.settings")

import django

django.setup(set_prefix=False)

from channels.routing import URLRouter  # noqa: E402
from django.core.asgi import ASGIHandler  # noqa: E402
from django.urls import re_path  # noqa: E402

from explainer import static_files  # noqa: E402
from explainer.gateway import etcd, kubernetes  # noqa: E402
from explainer.gateway.server import answered  # noqa: E402
from explainer.runs import bus  # noqa: E402
from explainer.sockets import consumers  # noqa: E402

_django = ASGIHandler()
_sockets = URLRouter([re_path(r"^ws/clusters/(?P<cluster>[^/]+)/?$", consumers.EventsConsumer.as_asgi())])
_static = static_files.StaticApp()
_kubernetes: kubernetes.KubernetesApp | None = None
_etcd: etcd.EtcdApp | None = None


async def _route(scope: dict[str, Any], receive: Any, send: Any) -> None:
    global _kubernetes, _etcd
    if _kubernetes is None or _etcd is None:
        _kubernetes, _etcd = kubernetes.KubernetesApp(bus.current()), etcd.EtcdApp(bus.current())
    door = scope.get("clearplane.door", "web")
    if door == "kubernetes":
        await _kubernetes(scope, receive, send)
    elif door != "web":
        if scope["type"] == "http":
            await _etcd(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1002})
    elif scope["type"] == "websocket":
        try:
            await _sockets(scope, receive, send)
        except ValueError:  # no such path
            await receive()
            await send({"type": "websocket.close", "code": 4404})
    elif scope["path"].startswith("/static/"):
        await _static(scope, receive, send)
    elif etcd.BY_PATH.match(scope["path"]):
        await _etcd(scope, receive, send)
    else:
        await _django(scope, receive, send)


application = answered(_route)
"""The process's one ASGI application."""
