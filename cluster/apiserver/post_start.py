"""Post-start hooks: what an apiserver does by itself once it runs.

- It creates what a fresh cluster lacks: namespaces, RBAC defaults, priority classes, flow schemas, the ``kubernetes`` Service
  (``bootstrap``), over its own loopback connection, so that each goes the way of every other object.
- It keeps a record of itself under ``/registry/masterleases/<address>`` with an etcd lease of 15 s, watches those of the others,
  and keeps the endpoints of the ``kubernetes`` Service equal to the living.
- It renews its identity Lease in ``kube-system``.
- It establishes CustomResourceDefinitions, and removes their objects when they are deleted.

Simplified here: the etcd lease is kept alive instead of being granted anew each 10 s; the identity Lease is renewed every
minute instead of every 10 s; defaults that somebody deletes come back at the next start, not at once (the ``kubernetes`` Service does).

Upstream: pkg/controlplane/{instance,controller,reconcilers}, apiextensions-apiserver/pkg/controller (v1.32).
"""

from base64 import b32encode, b64encode
from hashlib import sha256
from typing import Any

import orjson

from cluster.apiserver import bootstrap, compactor
from cluster.apiserver.config import LOOPBACK_USER
from cluster.apiserver.job import continuation
from cluster.apiserver.registry import crd as crds
from cluster.apiserver.user import MASTERS
from cluster.apiserver.view import Document
from cluster.sim import MILLISECOND, MINUTE, SECOND, Outbox
from cluster.sim.clock import rfc3339_micro
from cluster.wire import etcd as wire
from cluster.wire.http import HttpRequest, HttpResponse, TlsPeer

MASTER_LEASE_SECONDS = 15
KEEP_ALIVE = 5 * SECOND
IDENTITY_RENEWAL = MINUTE
PARALLEL = 8
"""Bootstrap objects being created at a time."""
START_SPREAD = 300 * MILLISECOND
"""Apiservers that start together begin up to so much apart, so that the first creates and the others find."""
_MASTERS = b"/registry/masterleases/"
_SERVICE = (
    ("services", "default", "kubernetes"), ("endpoints", "default", "kubernetes"),
    ("endpointslices.discovery.k8s.io", "default", "kubernetes"),
)  # fmt: skip
_PEER = TlsPeer(common_name=LOOPBACK_USER, organizations=(MASTERS,))
_STATUS_APART = {"APIService": "", "FlowSchema": "api-priority-and-fairness-config-consumer-v1"}
"""Bootstrap kinds whose status is written after their creation, and by which field manager."""
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def loopback_request(number: int, method: str, path: str, doc: Any) -> HttpRequest:
    """A request of the server to itself."""
    path, _, query = path.partition("?")
    return HttpRequest(
        number, method, path, query,
        (("accept", "application/json"), ("user-agent", "kube-apiserver/v1.32.13 (linux/amd64) kubernetes/63adf01"),
         ("content-type", "application/json")), b"", doc, _PEER,
    )  # fmt: skip


def announce(server: Any, out: Outbox) -> None:
    """The process was just executed."""
    server.state.hooks["bootstrap"] = False


def begin(server: Any, out: Outbox) -> None:
    """The caches are filled: start the hooks."""
    out.cause = 0
    out.timer("bootstrap", out.dice.below(START_SPREAD), cause=0)
    out.timer("bookmarks", MINUTE, cause=0)
    out.timer("identity", SECOND, cause=0)
    out.timer("compact", compactor.INTERVAL, (0, 0), cause=0)
    rewatch(server, out)
    _grant(server, out)


def timer(server: Any, name: str, data: Any, out: Outbox) -> None:
    """One of this module's timers."""
    out.cause = 0
    if name == "bootstrap":
        _bootstrap(server, out)
    elif name == "bootstrap-more":
        _create_next(server, out)
    elif name == "masterlease":
        _keep_alive(server, out)
    elif name == "identity":
        _renew_identity(server, out)
    elif name == "endpoints":
        _reconcile_endpoints(server, out)
    elif name == "compact":
        compactor.look(server, data, out)


# -- bootstrap objects --------------------------------------------------------------------------------------------


def _facts(server: Any) -> bootstrap.BootstrapConfig:
    config = server.config
    return bootstrap.BootstrapConfig(
        now=server.view.timestamp,
        addresses=(config.address,),
        port=config.secure_port,
        endpoint=config.external_host,
        ca_pem=config.ca_pem.decode(),
        ca_data=b64encode(config.ca_pem).decode(),
        service_cidr=config.service_cidr,
        kubeadm=False,
    )


def _bootstrap(server: Any, out: Outbox) -> None:
    wanted = bootstrap.documents(_facts(server), server.scheme)
    server.state.bootstrap = [
        (path, doc) for path, doc in wanted if not _present(server, doc) or _lacks_status(server, doc)
    ]
    for _ in range(min(PARALLEL, len(server.state.bootstrap))):
        _create_next(server, out)
    if not server.state.bootstrap and not server.state.loopback:
        server.state.hooks["bootstrap"] = True


def _present(server: Any, doc: Document) -> Document | None:
    """The stored object, None when there is none."""
    group, _, version = doc["apiVersion"].rpartition("/")
    resource = server.scheme.kind(group, version, doc["kind"])
    meta = doc["metadata"]
    return server.view.get(resource.group_resource, meta.get("namespace", ""), meta["name"])


def _lacks_status(server: Any, doc: Document) -> bool:
    """Is there something to say in its status that a creation cannot say?"""
    stored = _present(server, doc)
    return doc["kind"] in _STATUS_APART and stored is not None and not (stored.get("status") or {}).get("conditions")


def _create_next(server: Any, out: Outbox) -> None:
    state = server.state
    while state.bootstrap:
        path, doc = state.bootstrap.pop(0)
        stored = _present(server, doc)
        if stored is None:
            server.call_self(out, "POST", path, doc, bootstrapped, (path, doc))
            return
        if _lacks_status(server, doc):
            _say_status(server, out, path, stored, doc)
            return
    if not any(then == "post_start.bootstrapped" for then, _ in state.loopback.values()):
        state.hooks["bootstrap"] = True


@continuation
def bootstrapped(server: Any, job: None, out: Outbox, response: HttpResponse, path: str, doc: Document) -> None:
    """One was created, or was there already; on trouble (no quorum) it is tried again later."""
    if response.code == 404:  # its namespace is only being created
        server.state.bootstrap.append((path, doc))
        out.timer("bootstrap-more", 5 * MILLISECOND, cause=0)
    elif response.code == 201 and doc["kind"] in _STATUS_APART:
        _say_status(server, out, path, response.doc, doc)
    elif response.code in (200, 201, 409) or response.code == 422:
        _create_next(server, out)
    else:
        out.timer("bootstrap", SECOND, cause=0)


def _say_status(server: Any, out: Outbox, path: str, stored: Document, doc: Document) -> None:
    """Write the status of an APIService or a FlowSchema, as their controllers in the apiserver do."""
    query = f"?fieldManager={manager}" if (manager := _STATUS_APART[doc["kind"]]) else ""
    whole = {**stored, "kind": doc["kind"], "apiVersion": doc["apiVersion"], "status": doc["status"]}
    name = doc["metadata"]["name"]
    server.call_self(out, "PUT", f"{path}/{name}/status{query}", whole, bootstrapped, (path, doc))


# -- the kubernetes Service ---------------------------------------------------------------------------------------


def _grant(server: Any, out: Outbox) -> None:
    server.ask(out, None, wire.LeaseGrantRequest(out.next_id(), MASTER_LEASE_SECONDS), granted)


@continuation
def granted(server: Any, job: None, out: Outbox, answer: wire.LeaseGrantResponse | wire.EtcdError) -> None:
    """A lease for the own record."""
    out.cause = 0
    if isinstance(answer, wire.EtcdError):
        out.timer("masterlease", SECOND, cause=0)
        return
    server.state.lease_number = answer.lease
    address = server.config.address
    doc = {"kind": "Endpoints", "apiVersion": "v1", "metadata": {}, "subsets": [{"addresses": [{"ip": address}]}]}
    put = wire.PutRequest(out.next_id(), _MASTERS + address.encode(), orjson.dumps(doc), answer.lease)
    server.ask(out, None, put, recorded)
    out.timer("masterlease", KEEP_ALIVE, cause=0)


@continuation
def recorded(server: Any, job: None, out: Outbox, answer: wire.PutResponse | wire.EtcdError) -> None:
    """The own record is in etcd, or the next keep-alive will tell that it isn't."""
    if isinstance(answer, wire.EtcdError):
        server.state.lease_number = 0


def _keep_alive(server: Any, out: Outbox) -> None:
    out.timer("masterlease", KEEP_ALIVE, cause=0)
    _keep_service(server, out)
    if not server.state.lease_number:
        _grant(server, out)
        return
    server.ask(out, None, wire.LeaseKeepAliveRequest(out.next_id(), server.state.lease_number), kept)


def _keep_service(server: Any, out: Outbox) -> None:
    """Create ``default/kubernetes`` anew when somebody deleted it, which takes its endpoints along."""
    if not server.state.hooks.get("bootstrap") or all(server.view.get(*place) for place in _SERVICE):
        return
    wanted = bootstrap.documents(_facts(server), server.scheme)
    own = [(path, doc) for path, doc in wanted if doc["metadata"]["name"] == "kubernetes" and not _present(server, doc)]
    server.state.bootstrap.extend(own)
    for _ in own:
        _create_next(server, out)
    out.timer("endpoints", SECOND, cause=0)


@continuation
def kept(server: Any, job: None, out: Outbox, answer: wire.LeaseKeepAliveResponse | wire.EtcdError) -> None:
    """The lease lives on, unless etcd has forgotten it."""
    if isinstance(answer, wire.LeaseKeepAliveResponse) and answer.ttl <= 0:
        server.state.lease_number = 0


def rewatch(server: Any, out: Outbox) -> None:
    """List and watch the records of all apiservers."""
    server.state.masters_watch = 0
    server.ask(out, None, wire.RangeRequest(out.next_id(), _MASTERS, _MASTERS[:-1] + b"0"), masters_listed)


@continuation
def masters_listed(server: Any, job: None, out: Outbox, answer: wire.RangeResponse | wire.EtcdError) -> None:
    """Who is alive now."""
    out.cause = 0
    if isinstance(answer, wire.EtcdError):
        out.timer("rewatch", SECOND, cause=0)
        return
    state = server.state
    state.masters = {kv.key.decode(): kv.key.decode().rpartition("/")[2] for kv in answer.kvs}
    state.masters_watch = out.next_id()
    watch = wire.WatchCreateRequest(state.masters_watch, _MASTERS, _MASTERS[:-1] + b"0", answer.header.revision + 1)
    out.send(server.config.etcd[state.member], watch)
    out.timer("endpoints", SECOND, cause=0)


def masters_changed(server: Any, message: wire.WatchResponse, out: Outbox) -> None:
    """An apiserver's record came or went."""
    out.cause = 0
    if message.canceled:
        rewatch(server, out)
        return
    for event in message.events:
        key = event.kv.key.decode()
        if event.type == "PUT":
            server.state.masters[key] = key.rpartition("/")[2]
        else:
            server.state.masters.pop(key, None)
    if message.events:
        out.timer("endpoints", 100 * MILLISECOND, cause=0)


def _reconcile_endpoints(server: Any, out: Outbox) -> None:
    """Write Endpoints and EndpointSlice ``default/kubernetes`` if they don't name exactly the living apiservers."""
    living = sorted(set(server.state.masters.values()))
    if not living:
        return
    endpoints = server.view.get("endpoints", "default", "kubernetes")
    slices = server.view.get("endpointslices.discovery.k8s.io", "default", "kubernetes")
    if endpoints is None or slices is None:
        out.timer("endpoints", SECOND, cause=0)
        return
    subset = (endpoints.get("subsets") or [{}])[0]
    if [a["ip"] for a in subset.get("addresses") or ()] != living:
        ports = subset.get("ports") or [{"name": "https", "port": server.config.secure_port, "protocol": "TCP"}]
        doc = {**endpoints, "subsets": [{"addresses": [{"ip": ip} for ip in living], "ports": ports}]}
        server.call_self(out, "PUT", "/api/v1/namespaces/default/endpoints/kubernetes", doc, endpoints_written)
    if [e["addresses"][0] for e in slices.get("endpoints") or ()] != living:
        rows = [{"addresses": [ip], "conditions": {"ready": True}} for ip in living]
        path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
        server.call_self(out, "PUT", path, {**slices, "endpoints": rows}, endpoints_written)


@continuation
def endpoints_written(server: Any, job: None, out: Outbox, response: HttpResponse) -> None:
    """Written; or another apiserver wrote first: look again."""
    if response.code not in (200, 201):
        out.timer("endpoints", SECOND, cause=0)


# -- identity -----------------------------------------------------------------------------------------------------


def _renew_identity(server: Any, out: Outbox) -> None:
    out.timer("identity", IDENTITY_RENEWAL, cause=0)
    name = "apiserver-" + b32encode(sha256(server.config.host.encode()).digest()[:16]).decode().rstrip("=").lower()
    collection = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
    moment = rfc3339_micro(server.config.epoch, server.now)
    held = server.view.get("leases.coordination.k8s.io", "kube-system", name)
    if held is not None:
        doc = {**held, "spec": {**held["spec"], "renewTime": moment}}
        server.call_self(out, "PUT", f"{collection}/{name}", doc, identity_written)
        return
    if not server.state.hooks.get("bootstrap"):
        out.timer("identity", SECOND, cause=0)
        return
    labels = {"apiserver.kubernetes.io/identity": "kube-apiserver", "kubernetes.io/hostname": server.config.host}
    doc = {
        "kind": "Lease",
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": {"name": name, "namespace": "kube-system", "labels": labels},
        "spec": {"holderIdentity": f"{name}_{out.dice.uuid()}", "leaseDurationSeconds": 3600, "renewTime": moment},
    }
    server.call_self(out, "POST", collection, doc, identity_written)


@continuation
def identity_written(server: Any, job: None, out: Outbox, response: HttpResponse) -> None:
    """Nothing to do: the next renewal comes anyway."""


# -- custom resources ---------------------------------------------------------------------------------------------


def crd_changed(server: Any, crd: Document, out: Outbox) -> None:
    """A definition was written: accept its names and establish it, or clean up when it is to go."""
    meta = crd["metadata"]
    if meta.get("deletionTimestamp"):
        if crds.FINALIZER in (meta.get("finalizers") or ()):
            _clean_up(server, crd, out)
        return
    others = [
        other
        for other in server.view.list("customresourcedefinitions.apiextensions.k8s.io")
        if other["metadata"]["name"] != meta["name"]
    ]
    settled = crds.settled(crd, others, server.view.timestamp)
    if settled is not crd:
        server.call_self(out, "PUT", f"{_CRDS}/{meta['name']}/status", settled, crd_written)


@continuation
def crd_written(server: Any, job: None, out: Outbox, response: HttpResponse) -> None:
    """The event of this write, or of the one that was faster, leads on."""


def _clean_up(server: Any, crd: Document, out: Outbox) -> None:
    spec = crd["spec"]
    version = next((v["name"] for v in spec["versions"] if v.get("served")), "")
    cache = server.state.caches.get(crd["metadata"]["name"])
    objects = [item.doc for item in cache.select()] if cache is not None else []
    root = f"/apis/{spec['group']}/{version}"
    plural = spec["names"]["plural"]
    for doc in objects:
        namespace = doc["metadata"].get("namespace")
        where = f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
        server.call_self(out, "DELETE", f"{where}/{doc['metadata']['name']}", None, crd_written)
    finalizers = [name for name in crd["metadata"].get("finalizers") or () if name != crds.FINALIZER]
    meta = {**crd["metadata"], "finalizers": finalizers}
    server.call_self(out, "PUT", f"{_CRDS}/{crd['metadata']['name']}", {**crd, "metadata": meta}, crd_written)
