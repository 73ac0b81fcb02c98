"""What one apiserver is told at its start: the flags of its static pod manifest, as plain data.

Upstream: cmd/kube-apiserver/app/options (v1.32).
"""

from msgspec import Struct

from cluster.api.releases import RELEASES, Release

LOOPBACK_USER = "system:apiserver"
"""The identity an apiserver uses towards itself (its loopback client), a member of ``system:masters``."""

SERVICE_NODE_PORTS = (30000, 32767)
"""``--service-node-port-range``."""


class ApiServerConfig(Struct, frozen=True):
    """``epoch``: unix seconds of virtual instant 0. ``etcd``: the members it is told of (``--etcd-servers``), in the order they are tried."""

    epoch: int
    name: str
    host: str
    address: str
    external_host: str
    """host:port that clients outside use; discovery shows it as the server's address."""
    etcd: tuple[str, ...]
    addresses: dict[str, str] = {}
    """Member → IP address, for error texts."""
    ca_pem: bytes = b""
    sa_public_pem: bytes = b""
    sa_private_pem: bytes = b""
    issuer: str = "https://kubernetes.default.svc.cluster.local"
    service_cidr: str = "10.96.0.0/12"
    seed: int = 0
    legacy_tokens: bool = False
    """Kubernetes before 1.24: the service account admission plug-in and clients may rely on token Secrets."""
    secure_port: int = 6443
    max_requests_inflight: int = 400
    max_mutating_requests_inflight: int = 200
    version: Release = RELEASES["v1.32.13"]
