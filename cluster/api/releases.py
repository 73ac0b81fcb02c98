"""The releases of Kubernetes that a cluster here can be upgraded to, and what ``/version`` says of each.

Facts of the real releases: commit and Go version as their binaries print them (the build date is that of the same release's kubectl: the binaries of a
release are built within minutes of each other), etcd's image as kubeadm of that release wishes for it.

Simplified here: a later release behaves as 1.32 does; what changes is what it says of itself.
"""

from msgspec import Struct


class Release(Struct, frozen=True):
    """``version`` with its v; ``etcd``: the tag of etcd's image."""

    version: str
    commit: str
    built: str
    go: str
    etcd: str
    coredns: str

    @property
    def minor(self) -> int:
        """33 of v1.33.5."""
        return int(self.version.split(".")[1])

    def document(self) -> dict[str, str]:
        """The JSON object of ``/version`` (``k8s.io/apimachinery/pkg/version.Info``)."""
        return {
            "major": "1",
            "minor": str(self.minor),
            "gitVersion": self.version,
            "gitCommit": self.commit,
            "gitTreeState": "clean",
            "buildDate": self.built,
            "goVersion": self.go,
            "compiler": "gc",
            "platform": "linux/amd64",
        }


RELEASES = {
    row.version: row
    for row in (
        Release(
            "v1.32.13",
            "63adf010aa20e104c0b7043b47f42f50c9f72b17",
            "2026-02-26T20:17:30Z",
            "go1.24.11",
            "3.5.26-0",
            "v1.11.3",
        ),
        Release(
            "v1.33.5",
            "03e764d0394bdff662e960c70d25b3c30d731666",
            "2025-09-09T19:52:31Z",
            "go1.24.6",
            "3.5.21-0",
            "v1.12.0",
        ),
    )
}
NEWEST = "v1.33.5"
"""The kubeadm that is installed on every control-plane host."""


def parsed(version: str) -> tuple[int, int, int] | None:
    """(1, 33, 5) of v1.33.5 or 1.33.5."""
    parts = version.removeprefix("v").split(".")
    return (
        (int(parts[0]), int(parts[1]), int(parts[2]))
        if len(parts) == 3 and all(p.isdigit() and len(p) < 4 for p in parts)
        else None
    )
