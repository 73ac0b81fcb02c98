"""Admission webhooks: the apiserver asks somebody else, by HTTPS, whether it may store this object.

Two plug-ins do so: MutatingAdmissionWebhook, one hook after the other, and ValidatingAdmissionWebhook. Which hooks are asked is decided by their
rules, selectors and match conditions. ``clientConfig.service`` is a Service of the cluster, dialled at its ClusterIP through the node's
kube-proxy; ``clientConfig.url`` an address elsewhere. An AdmissionReview is sent and the answer obeyed. If nobody answers, ``failurePolicy``
decides: Fail refuses the request, Ignore goes on as if there were no hook. A hook for everything, failing closed, whose own Pods need the
apiserver to start, is how clusters lock themselves up.

Simplified here: **no container in this cluster runs a webhook server and nothing leads out of it, so every call fails**: because there is no such
Service or port, because it has no endpoints (kube-proxy rejects), or because nothing listens where it ends. The dial takes no time.
So no hook changes an object.

Upstream: apiserver/pkg/admission/plugin/webhook/{generic,mutating,validating}, apiserver/pkg/util/proxy (v1.32).
"""

from typing import Any
from urllib.parse import urlsplit

from cluster.api import meta, status
from cluster.apiserver.admission import Attributes, Context, matching

Doc = dict[str, Any]


def any_of(resource: str, attributes: Attributes, ctx: Context) -> bool:
    """Whether there is any configuration, and the request is one that hooks may see."""
    cache = ctx.view.caches.get(resource)
    return cache is not None and bool(cache.items) and attributes.group_resource not in matching.EXEMPT


def call_all(resource: str, attributes: Attributes, ctx: Context) -> str:
    """Call the hooks that concern the request; what came of it in a sentence. ApiError when one that must answer doesn't."""
    ignored: list[str] = []
    for configuration in ctx.view.list(resource):
        for hook in configuration.get("webhooks") or ():
            if not matching.concerns(hook, attributes, ctx, "rules") or not _wanted(hook, attributes, ctx):
                continue
            name = hook["name"]
            if attributes.dry_run and hook.get("sideEffects") not in ("None", "NoneOnDryRun"):
                raise status.bad_request(f'admission webhook "{name}" does not support dry run')
            asked = {
                "webhook": name,
                "configuration": meta.name_of(configuration),
                "failurePolicy": hook.get("failurePolicy", "Fail"),
            }
            ctx.looked_at.setdefault("webhooks", []).append(asked)
            trouble = f'failed calling webhook "{name}": failed to call webhook: {_call(hook, ctx)}'
            if hook.get("failurePolicy") != "Ignore":
                raise status.internal_error(trouble)
            ignored.append(f"Webhook {name} did not answer and is ignored, as its failurePolicy says: {trouble}")
    return "; ".join(ignored) or "No webhook is about this request"


def _wanted(hook: Doc, attributes: Attributes, ctx: Context) -> bool:
    """Its match conditions. An error there refuses, or leaves the hook out, as the failurePolicy says."""
    conditions = hook.get("matchConditions")
    if not conditions:
        return True
    holds, trouble = matching.conditions_hold(conditions, matching.values(attributes, ctx), False)
    if trouble and hook.get("failurePolicy") != "Ignore":
        doc = attributes.doc if attributes.doc is not None else attributes.old
        raise status.forbidden(
            attributes.group_resource, attributes.name or (meta.name_of(doc) if doc else ""), trouble
        )
    return holds


def _call(hook: Doc, ctx: Context) -> str:
    """Why nobody answers, as Go's HTTP client says it."""
    config = hook.get("clientConfig") or {}
    service, seconds = config.get("service"), hook.get("timeoutSeconds", 10)
    if service is None:
        return f'Post "{_with_timeout(config.get("url", ""), seconds)}": {_outside(config.get("url", ""))}'
    namespace, name, port = service["namespace"], service["name"], service.get("port", 443)
    host = f"{name}.{namespace}.svc:{port}"
    path = service.get("path") or "/"
    return f'Post "{_with_timeout(f"https://{host}{path}", seconds)}": {_dialled(namespace, name, port, ctx)}'


def _with_timeout(url: str, seconds: int) -> str:
    return f"{url}{'&' if '?' in url else '?'}timeout={seconds}s"


def _dialled(namespace: str, name: str, port: int, ctx: Context) -> str:
    service = ctx.view.get("services", namespace, name)
    if service is None:
        return f'service "{name}" not found'
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return _outside(f"https://{spec.get('externalName', '')}:{port}")
    if not any(each.get("port") == port for each in spec.get("ports") or ()):
        return f'no service port {port} found for service "{name}"'
    address = spec.get("clusterIP", "")
    if address == "None":
        return "dial tcp: lookup None: no such host"
    return f"dial tcp {f'[{address}]' if ':' in address else address}:{port}: connect: connection refused"


def _outside(url: str) -> str:
    """No way leads out of the simulation: names are not found there, addresses refuse."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host.replace(".", "").isdigit() or ":" in host or host == "localhost":
        shown = f"[{host}]" if ":" in host else "127.0.0.1" if host == "localhost" else host
        return f"dial tcp {shown}:{parts.port or 443}: connect: connection refused"
    return f"dial tcp: lookup {host}: no such host"
