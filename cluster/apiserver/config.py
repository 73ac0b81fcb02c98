"""What one apiserver is told at its start: the flags of its static pod manifest, as plain data.

Upstream: cmd/kube-apiserver/app/options (v1.32).
"""

from msgspec import Struct

LOOPBACK_USER = "system:apiserver"
"""The identity an apiserver uses towards itself (its loopback client), a member of ``system:masters``."""

SERVICE_NODE_PORTS = (30000, 32767)
"""``--service-node-port-range``."""


class Version(Struct, frozen=True):
    """What ``/version`` answers, field by field (``k8s.io/apimachinery/pkg/version.Info``)."""

    major: str = "1"
    minor: str = "32"
    git_version: str = "v1.32.13"
    git_commit: str = "63adf010aa20e104c0b7043b47f42f50c9f72b17"
    git_tree_state: str = "clean"
    build_date: str = "2026-02-26T20:17:30Z"
    go_version: str = "go1.24.11"
    compiler: str = "gc"
    platform: str = "linux/amd64"

    def document(self) -> dict[str, str]:
        """The JSON object of ``/version``."""
        return {
            "major": self.major,
            "minor": self.minor,
            "gitVersion": self.git_version,
            "gitCommit": self.git_commit,
            "gitTreeState": self.git_tree_state,
            "buildDate": self.build_date,
            "goVersion": self.go_version,
            "compiler": self.compiler,
            "platform": self.platform,
        }


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
    version: Version = Version()
