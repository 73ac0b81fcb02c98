"""Which clusters there are: made, listed, described, forgotten.

``Options`` is the body of ``POST /api/clusters`` (camelCase in JSON); with keys and the present date it becomes the
cluster's spec, which never changes again.
"""

import re
import time
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from explainer import pki
from explainer.runs import keys
from explainer.runs.resp import Argument

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
"""A DNS label of at most 40 characters: it stands in URLs, host names and keys."""
MAX_CLUSTERS = 256
"""A bare one takes a hundredth of a core at most; a full one is more, but nobody makes hundreds by hand."""
DEFAULT = "demo"


Millis = Annotated[float, Meta(ge=0, le=60_000)]


class Options(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What can be chosen about a cluster (``POST /api/clusters``)."""

    name: str
    seed: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)] = 1
    kubernetes_version: Literal["1.32"] = "1.32"
    topology: Literal["stacked", "external"] = "stacked"
    control_planes: Annotated[int, Meta(ge=1, le=5)] = 3
    etcd_members: Annotated[int, Meta(ge=1, le=9)] = 3
    workers: Annotated[int, Meta(ge=0, le=1000)] = 3
    proxy_mode: Literal["userspace", "iptables", "ipvs", "nftables"] = "iptables"
    pod_network: Literal["overlay", "routed"] = "overlay"
    heartbeat_ms: Annotated[int, Meta(ge=1, le=60_000)] = 100
    election_ms: Annotated[int, Meta(ge=5, le=600_000)] = 1000
    pre_vote: bool = True
    check_quorum: bool = True
    link_ms: tuple[Millis, Millis] = (0.5, 1.5)
    fsync_ms: tuple[Millis, Millis] = (1.0, 2.0)
    quota_bytes: Annotated[int, Meta(ge=1 << 20, le=8 << 30)] = 2 << 30
    legacy_service_account_tokens: bool = False
    register_control_plane: bool = True
    paused: bool = False
    bare: bool = False


class Refused(ValueError):
    """The options don't make a cluster; the text is a sentence for whoever asked. ``status`` is 400 for no JSON at all."""

    def __init__(self, text: str, status: int = 422) -> None:
        super().__init__(text)
        self.status = status


_decode_options = msgspec.json.Decoder(Options).decode


def parse(body: bytes) -> Options:
    """Options from JSON. Refused with a sentence."""
    try:
        options = _decode_options(body)
    except msgspec.DecodeError as error:
        status = 422 if isinstance(error, msgspec.ValidationError) else 400
        raise Refused(f"The body is not what a cluster is made of: {error}.", status) from error
    check(options)
    return options


def check(options: Options) -> None:
    """What types alone can't say."""
    if not NAME.fullmatch(options.name):
        raise Refused("A cluster's name has 1 to 40 lower-case letters, digits and dashes.")
    for what, (low, high) in (("linkMs", options.link_ms), ("fsyncMs", options.fsync_ms)):
        if low > high:
            raise Refused(f"{what} goes from the smaller to the larger number of milliseconds.")
    if options.election_ms < 5 * options.heartbeat_ms:
        raise Refused("electionMs must be at least five times heartbeatMs, as etcd itself demands.")


def server_url(name: str, host: str, port: int) -> str:
    """Where the cluster's Kubernetes API is for clients outside."""
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}:{port}" + ("" if name == DEFAULT else f"/clusters/{name}")


def make_pki(options: Options) -> dict[str, bytes]:
    """Fresh keys and certificates for that cluster. Takes half a second."""
    hosts = [f"cp-{n}" for n in range(1, options.control_planes + 1)]
    addresses = [f"172.18.0.{1 + n}" for n in range(1, options.control_planes + 1)]
    return pki.make(options.name, hosts, addresses)


HEAD_START = 5
"""Seconds by which a cluster's clock begins behind ours: it comes up in less time than it lives through meanwhile, and a client
that sees an Event from the future prints ``<invalid>`` for its age."""


def spec_bytes(options: Options, url: str, made: dict[str, bytes]) -> bytes:
    """The spec as kept: options in snake_case, keys, epoch."""
    fields = msgspec.structs.asdict(options)
    fields |= {"epoch": int(time.time()) - HEAD_START, "pki": made, "server_url": url}
    return msgspec.msgpack.encode(fields)


def store_commands(options: Options, spec: bytes) -> list[tuple[Argument, ...]]:
    """The Redis transaction that makes the cluster exist. ``SETNX`` and ``HSETNX`` let only the first of two win."""
    described = msgspec.json.encode(options)
    return [
        ("MULTI",),
        ("SETNX", keys.spec(options.name), spec),
        ("HSETNX", keys.CLUSTERS, options.name, described),
        ("XADD", keys.CLUSTERS_LOG, "MAXLEN", "~", 1000, "*", "made", options.name),
        ("EXEC",),
    ]


class Keys(Struct):
    """What of a spec web processes need: its keys."""

    pki: dict[str, bytes]
    name: str = ""
    epoch: int = 0
    server_url: str = ""


_decode_keys = msgspec.msgpack.Decoder(Keys).decode


def keys_of(spec: bytes) -> Keys:
    """The keys in a stored spec."""
    return _decode_keys(spec)


def described(data: bytes) -> dict[str, Any]:
    """Options as they were stored, as the control API's JSON object."""
    return msgspec.json.decode(data)
