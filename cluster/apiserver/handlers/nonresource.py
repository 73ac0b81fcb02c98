"""Paths that are no resources: discovery, OpenAPI, version, health, metrics, and 404.

Upstream: apiserver/pkg/server/{routes,config}.go, kube-aggregator (v1.32).
"""

from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cluster.api import jwt, status
from cluster.apiserver import discovery, health, openapi_proto, respond
from cluster.apiserver.handlers import reading
from cluster.apiserver.job import Job
from cluster.apiserver.negotiation import negotiate
from cluster.apiserver.openapi import OpenAPI
from cluster.sim import SECOND, Outbox
from cluster.sim.clock import parse_rfc3339

_TEXT = "text/plain; charset=utf-8"


def handle(server: Any, job: Job, out: Outbox) -> None:
    """Answer a GET of a path."""
    path = job.info.path
    if path.startswith(("/healthz", "/livez", "/readyz")):
        code, text = health.answer(server, path, job.request.query, out)
        respond.raw(server, job, out, code, _TEXT, text.encode(), f"{path} is {'ok' if code == 200 else 'not ok'}")
        return
    if job.request.method not in ("GET", "HEAD"):
        raise status.method_not_allowed()
    if path == "/metrics":
        respond.raw(server, job, out, 200, "text/plain; version=0.0.4; charset=utf-8", metrics(server).encode())
        return
    if path.startswith("/openapi/"):
        _openapi(server, job, out, path)
        return
    doc = _document(server, job, path)
    if doc is None:
        raise status.page_not_found()
    request = job.request
    accept = request.header("accept")
    if doc.get("kind") == "APIGroupDiscoveryList":
        version = doc["apiVersion"].rpartition("/")[2]
        media = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        respond.document(server, job, out, 200, doc, content_type=media)
        return
    if path == "/version" and accept and not _takes_json(accept):
        raise status.not_acceptable(("application/json",))
    if path not in ("/version", "/"):
        job.accept = negotiate(accept, request.header("user-agent"), job.query.get("pretty"), "Metadata")
    job.accept = type(job.accept)(job.accept.media, pretty=job.accept.pretty or path == "/version")
    respond.document(server, job, out, 200, doc)


def _takes_json(accept: str) -> bool:
    media = [clause.partition(";")[0].strip() for clause in accept.split(",")]
    return any(each in ("application/json", "application/*", "*/*", "*") for each in media)


def _document(server: Any, job: Job, path: str) -> dict[str, Any] | None:
    scheme, config = server.scheme, server.config
    parts = path.strip("/").split("/")
    if path == "/":
        return discovery.root_paths(scheme)
    if path == "/version":
        return config.version.document()
    aggregated = discovery.aggregated_version(job.request.header("accept"))
    if parts == ["api"]:
        if aggregated:
            return discovery.aggregated(scheme, legacy=True, version=aggregated)
        return discovery.api_versions(f"{config.address}:{config.secure_port}")
    if parts == ["apis"]:
        if aggregated:
            return discovery.aggregated(scheme, legacy=False, version=aggregated)
        return discovery.group_list(scheme)
    if parts[0] == "api" and len(parts) == 2:
        found = discovery.resource_list(scheme, "", parts[1])
        if found is None:
            raise status.resource_not_served()
        return found
    if parts[0] == "apis" and len(parts) == 2:
        return discovery.group(scheme, parts[1])
    if parts[0] == "apis" and len(parts) == 3:
        found = discovery.resource_list(scheme, parts[1], parts[2])
        if found is None and scheme.versions(parts[1]):
            raise status.resource_not_served()
        return found
    if path == "/.well-known/openid-configuration":
        return {
            "issuer": config.issuer,
            "jwks_uri": f"https://{config.address}:{config.secure_port}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    if path == "/openid/v1/jwks":
        return {"keys": [_jwk(config.sa_public_pem)]}
    return None


def _openapi(server: Any, job: Job, out: Outbox, path: str) -> None:
    key = "openapi"
    held = server.view.derived.get(key)
    if held is None or held.scheme is not server.scheme:
        held = server.view.derived[key] = OpenAPI(server.scheme)
    media = "application/json"
    if path == "/openapi/v2":
        wanted = job.request.header("accept")
        proto = any(each in wanted for each in openapi_proto.ASKED_AS)
        media = openapi_proto.MEDIA_TYPE if proto else media
        body: bytes | None = held.v2_proto() if proto else held.v2()
    elif path.rstrip("/") == "/openapi/v3":
        body = held.index()
    elif path.startswith("/openapi/v3/"):
        body = held.v3(path.removeprefix("/openapi/v3/"))
    else:
        body = None
    if body is None:
        raise status.page_not_found()
    respond.raw(server, job, out, 200, media, body, "The published schemas")


def metrics(server: Any) -> str:
    """Prometheus text: true counts of this server."""
    lines = ["# HELP apiserver_request_total Counter of apiserver requests.", "# TYPE apiserver_request_total counter"]
    for key, count in sorted(server.state.counters.items()):
        verb, resource, code = key.split(" ")
        lines.append(f'apiserver_request_total{{code="{code}",resource="{resource}",verb="{verb.upper()}"}} {count}')
    lines += ["# HELP apiserver_storage_objects Number of stored objects.", "# TYPE apiserver_storage_objects gauge"]
    for name, cache in sorted(server.state.caches.items()):
        lines.append(f'apiserver_storage_objects{{resource="{name}"}} {len(cache.items)}')
    lines += ["# HELP apiserver_registered_watchers Watchers.", "# TYPE apiserver_registered_watchers gauge"]
    for name, cache in sorted(server.state.caches.items()):
        if cache.watchers:
            lines.append(f'apiserver_registered_watchers{{resource="{name}"}} {len(cache.watchers)}')
    return "\n".join(lines) + "\n"


# -- component statuses -------------------------------------------------------------------------------------------


def _components(server: Any) -> list[dict[str, Any]]:
    """What is known without asking around: the server speaks to etcd, and the leaders renew their leases."""
    rows = []
    for name, lease in (
        ("controller-manager", "kube-controller-manager"),
        ("scheduler", "kube-scheduler"),
        ("etcd-0", ""),
    ):
        well = _renewed(server, lease) if lease else not health.failure(server, "etcd")
        condition = {"type": "Healthy", "status": "True" if well else "False", "message": "ok" if well else "no answer"}
        metadata = {"name": name, "creationTimestamp": None}
        rows.append({"kind": "ComponentStatus", "apiVersion": "v1", "metadata": metadata, "conditions": [condition]})
    return rows


def _renewed(server: Any, name: str) -> bool:
    lease = server.view.get("leases.coordination.k8s.io", "kube-system", name)
    if lease is None or not lease["spec"].get("renewTime"):
        return False
    age = server.now - parse_rfc3339(lease["spec"]["renewTime"], server.config.epoch)
    return age <= lease["spec"].get("leaseDurationSeconds", 15) * SECOND


def _jwk(public_pem: bytes) -> dict[str, str]:
    """The public key that service account tokens are signed with, as a JSON Web Key (RFC 7517)."""
    key = load_pem_public_key(public_pem)
    assert isinstance(key, RSAPublicKey)
    numbers = key.public_numbers()

    def text(value: int) -> str:
        return urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()

    return {
        "use": "sig",
        "kty": "RSA",
        "kid": jwt.key_id(public_pem),
        "alg": "RS256",
        "n": text(numbers.n),
        "e": text(numbers.e),
    }


def component_statuses(server: Any, job: Job, out: Outbox) -> None:
    """``kubectl get componentstatuses``: deprecated."""
    job.warnings.append("v1 ComponentStatus is deprecated in v1.19+")
    reading.answer_list(server, job, out, _components(server), {})


def component_status(server: Any, job: Job, out: Outbox) -> None:
    """One of them."""
    job.warnings.append("v1 ComponentStatus is deprecated in v1.19+")
    for row in _components(server):
        if row["metadata"]["name"] == job.info.name:
            respond.item(server, job, out, 200, row)
            return
    raise status.not_found("componentstatuses", job.info.name)
