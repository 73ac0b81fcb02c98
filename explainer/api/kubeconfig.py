"""``GET /clusters/<name>/kubeconfig[?user=jane&group=dev]``: a kubeconfig to save and use."""

import asyncio

from django.http import HttpRequest, HttpResponse, JsonResponse

from explainer import config
from explainer.api.guard import refused
from explainer.gateway import kubeconfig
from explainer.runs import clusters
from explainer.runs.bus import Bus, Failed, Unavailable, current

NAME_LIMIT = 128


async def one(request: HttpRequest, cluster: str) -> HttpResponse:
    """The cluster's admin, or any certificate user that is named."""
    problem = refused(request)
    if problem:
        return JsonResponse({"error": problem}, status=403)
    user, groups = request.GET.get("user", ""), tuple(request.GET.getlist("group"))
    if any(len(name) > NAME_LIMIT or not name.isprintable() for name in (user, *groups)) or (groups and not user):
        return JsonResponse({"error": "user and group are printable names of at most 128 characters."}, status=400)
    bus = current()
    try:
        entry = await make(bus, cluster, user, groups)
    except Failed as error:
        return JsonResponse({"error": error.error}, status=error.status)
    except Unavailable as error:
        return JsonResponse({"error": f"{error}."}, status=503)
    response = HttpResponse(kubeconfig.text([entry], cluster), content_type="application/yaml")
    response["Content-Disposition"] = f'attachment; filename="{cluster}.kubeconfig"'
    response["Cache-Control"] = "no-store"
    return response


async def make(bus: Bus, cluster: str, user: str = "", groups: tuple[str, ...] = ()) -> kubeconfig.Entry:
    """One entry, with the address this start has (a cluster's own spec keeps the one it was made with). NoCluster, Unavailable."""
    await bus.require(cluster)
    spec, port = await bus.spec(cluster), await bus.port_pki()
    port_ca = port["ca_cert"] if port else spec.pki["ca_cert"]
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        None, kubeconfig.entry, cluster, spec.pki, port_ca, address(cluster), user, groups
    )


def address(cluster: str) -> str:
    """Where clients outside find the cluster's Kubernetes API now."""
    settings = config.read()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return clusters.server_url(cluster, host, settings.api_port)
