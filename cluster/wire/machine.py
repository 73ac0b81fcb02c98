"""Messages between a login (the console, the laboratory) and ``sshd`` of a host: its files, its static pods.

Contents are text, or bytes where they are no text. Paths are absolute. Every request carries an ``id`` and is answered with the same.
"""

from msgspec import Struct

Content = str | bytes


class FilesRequest(Struct, frozen=True, tag=True):
    """What is on your disk?"""

    id: int


class FilesResponse(Struct, frozen=True, tag=True):
    """Every file. The dictionary is a copy; contents are shared."""

    id: int
    files: dict[str, Content]


class FilesChange(Struct, frozen=True, tag=True):
    """Write these files (None: remove). The kubelet acts on what this does to the static pods' manifests."""

    id: int
    changes: tuple[tuple[str, Content | None], ...]
    restart: tuple[str, ...] = ()
    """Static pods to kill and start again, whatever becomes of their manifests."""


class ImageChange(Struct, frozen=True, tag=True):
    """Write the manifest of the static pod ``pod`` anew with ``image`` (kubeadm upgrade)."""

    id: int
    pod: str
    image: str


class ManifestChanged(Struct, frozen=True, tag=True):
    """To the kubelet: the manifest of ``pod`` now names ``image``."""

    pod: str
    image: str


class FilesDone(Struct, frozen=True, tag=True):
    """It is written; ``error`` if not (nothing is, then)."""

    id: int
    error: str = ""
