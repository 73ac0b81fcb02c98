"""Images: which exist, how long a pull takes, what they run. A table instead of registries.

In: an image reference as written in a pod → out: its normalized name, or the containerd error a pull ends with.

Simplified here: there are no registries. Every well-formed image exists, except those whose name or tag says that it doesn't
(``doesnotexist``, ``nonexistent``, ``invalid`` …) and those of hosts that can never resolve (``*.invalid``, ``*.example``). An image has
no layers and no bytes (the events say "0 bytes"), and is never garbage-collected.

Upstream: pkg/kubelet/images/image_manager.go; distribution/reference; containerd's resolver errors.
"""

import re
from functools import lru_cache

from cluster.sim import MILLISECOND, Dice

_NAME = re.compile(
    r"^(?:(?P<host>(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::[0-9]+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
_MISSING = re.compile(
    r"does-?not-?exist|non-?existent|no-?such|not-?found|(^|[-_])(invalid|missing|typo|broken)($|[-_])|9\.9\.9\.9", re.I
)
_UNRESOLVABLE = (".invalid", ".example", ".test")

PULL_MILLISECONDS: dict[str, tuple[int, int]] = {
    "pause": (40, 80),
    "busybox": (150, 300),
    "alpine": (150, 300),
    "hello-world": (120, 200),
    "coredns": (250, 400),
    "kube-proxy": (300, 500),
    "nginx": (350, 600),
    "httpd": (350, 600),
    "redis": (300, 500),
    "postgres": (600, 900),
    "mysql": (700, 1000),
}
"""Image's last path element → least and most time of a first pull."""
PULL_OTHERS = (300, 700)


@lru_cache(maxsize=4096)
def normalized(image: str) -> str:
    """``nginx`` → ``docker.io/library/nginx:latest``; "" if the reference is malformed."""
    found = _NAME.match(image)
    if found is None:
        return ""
    host, path = found["host"] or "", found["path"]
    if host and not ("." in host or ":" in host or host == "localhost"):
        host, path = "", f"{host}/{path}"
    if not host:
        host = "docker.io"
        path = path if "/" in path else f"library/{path}"
    if path != path.lower():
        return ""
    return f"{host}/{path}" + (f"@{found['digest']}" if found["digest"] else f":{found['tag'] or 'latest'}")


def short_name(image: str) -> str:
    """The last path element without tag: what tables here are keyed by."""
    return image.split("@")[0].rsplit("/", 1)[-1].split(":")[0]


def malformed(image: str) -> str:
    """The kubelet's words for a reference that is none; "" if it is fine."""
    if normalized(image):
        return ""
    why = "repository name must be lowercase" if image != image.lower() else "invalid reference format"
    why = why if why.startswith("invalid") else f"invalid reference format: {why}"
    return f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {why}'


def pull_error(image: str) -> str:
    """How pulling ``image`` fails in containerd's words; "" if it succeeds."""
    full = normalized(image)
    host, _, rest = full.partition("/")
    if host.split(":")[0].endswith(_UNRESOLVABLE):
        tag = rest.rpartition(":")[2]
        path = rest.rpartition(":")[0]
        return (
            f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": failed to do request: '
            f'Head "https://{host}/v2/{path}/manifests/{tag}": dial tcp: lookup {host}: no such host'
        )
    repository, _, tag = full.rpartition(":")
    if _MISSING.search(repository.partition("/")[2]):
        return (
            f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": pull access denied, repository '
            "does not exist or may require authorization: server message: insufficient_scope: authorization failed"
        )
    if _MISSING.search(tag):
        return f'rpc error: code = NotFound desc = failed to pull and unpack image "{full}": failed to resolve reference "{full}": {full}: not found'
    return ""


def pull_time(image: str, dice: Dice) -> int:
    """How long a first pull takes, virtual ns."""
    low, high = PULL_MILLISECONDS.get(short_name(image), PULL_OTHERS)
    return dice.between(low, high) * MILLISECOND
