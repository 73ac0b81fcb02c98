"""Objects from YAML: ``POST apply`` sends each document to the simulated apiserver as a real request (see ``explainer.gateway.desk``)."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from msgspec import Meta, Struct

from explainer.api.calls import body_as, call
from explainer.gateway import desk
from explainer.runs.bus import Bus, Failed


class ApplyBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST apply``: YAML of one or more documents. ``force`` takes over fields of other managers (server-side apply)."""

    text: Annotated[str, Meta(max_length=desk.TEXT_LIMIT)]
    how: Literal["apply", "create", "replace", "delete"] = "apply"
    namespace: Annotated[str, Meta(max_length=253)] = ""
    force: bool = False
    dry_run: bool = False
    propagation_policy: Literal["", "Background", "Foreground", "Orphan"] = ""


@call("POST")
async def apply(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """``{documents: [{kind, namespace, name, method, path, code, request, object, status, problem}]}``; 422 for what is no YAML."""
    body = body_as(request, ApplyBody)
    remote = f"{request.META.get('REMOTE_ADDR') or '127.0.0.1'}:0"
    try:
        rows = await desk.submit(
            cluster, body.text, body.how, namespace=body.namespace, force=body.force, dry_run=body.dry_run,
            propagation=body.propagation_policy, remote=remote,
        )  # fmt: skip
    except desk.Refused as error:
        raise Failed(422, f"line {error.line}: {error.sentence}" if error.line else error.sentence) from error
    return {"documents": rows}
