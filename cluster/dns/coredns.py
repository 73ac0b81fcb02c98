"""CoreDNS as a process: the program in the ``coredns`` Pods' containers of one node.

In: ``DnsQuery`` from its node's kernel (a packet that reached port 53 of one of the Pods) → out: ``DnsReply``. It watches Services, EndpointSlices and
Namespaces as the plugin ``kubernetes`` does; before they are listed it answers SERVFAIL.

Simplified here: the Corefile is read over (kubeadm's is assumed); two Pods on one node are one process; nothing is cached; what isn't the
cluster's is not forwarded anywhere, for there is no other network: SERVFAIL after the time an upstream would be waited for is answered at once.

Upstream: coredns 1.11.3, plugin/kubernetes.
"""

from typing import Any

from cluster.clientgo import ApiClient, ClientConfig, ClientState, Doc
from cluster.dns.names import Objects, answer
from cluster.sim import MILLISECOND, SECOND, Outbox
from cluster.wire.dns import DnsQuery, DnsReply
from cluster.wire.process import ProcessBegin, ProcessBooted, ProcessOutput

SLICES = "labelSelector=%21service.kubernetes.io%2Fservice-proxy-name"
FIRST_LINES = (".:53", "[INFO] plugin/reload: Running configuration SHA512 = 591cf328cccc12bc490481273e738df59329c62c0b729d94e8b61db9961c2fa5f046dd37f1cf888b953814040d180f52594972691cd6ff41be96639138a43908",
               "CoreDNS-1.11.3", "linux/amd64, go1.21.11, a6338e9")  # fmt: skip


class CoreDnsConfig(ClientConfig, frozen=True, kw_only=True):
    """``supervisor``: the kubelet that executes it."""

    supervisor: str = ""


class CoreDnsState(ClientState):
    """``pods``: those whose container it is."""

    pods: dict[str, str] = {}
    queries: int = 0


class CoreDns(ApiClient):
    """See the module."""

    kind = "coredns"
    config: CoreDnsConfig
    state: CoreDnsState

    def fresh(self) -> CoreDnsState:
        return CoreDnsState()

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        super().boot(disk, now, out)
        self._ask(out)

    def _ask(self, out: Outbox) -> None:
        """Which containers am I?"""
        if self.config.supervisor and not self.state.pods:
            out.send(self.config.supervisor, ProcessBooted(), cause=0)
            out.timer("ask", 2 * SECOND, cause=0)

    def on_timer(self, name: str, data: Any, now: int, out: Outbox) -> None:
        if name == "ask":
            self._ask(out)

    def _begin(self, begin: ProcessBegin, out: Outbox) -> None:
        known = begin.uid in self.state.pods
        self.state.pods = {**self.state.pods, begin.uid: begin.pod}
        if not known and not begin.adopted:
            out.send(self.config.supervisor, ProcessOutput(FIRST_LINES))
        if "services" not in self.state.reflectors:
            out.cause = 0
            self.watch_resource(out, "services", "/api/v1/services")
            self.watch_resource(out, "endpointslices", "/apis/discovery.k8s.io/v1/endpointslices", SLICES)
            self.watch_resource(out, "namespaces", "/api/v1/namespaces")

    def on_services(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        self.__dict__.pop("_objects", None)

    on_endpointslices = on_namespaces = on_services

    def objects(self) -> Objects:
        """What names are made from."""
        found = self.__dict__.get("_objects")
        if found is None:
            slices: dict[str, tuple[Doc, ...]] = {}
            for doc in self.store("endpointslices"):
                service = (doc["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
                key = f"{doc['metadata']['namespace']}/{service}"
                slices[key] = (*slices.get(key, ()), doc)
            services = {
                f"{doc['metadata']['namespace']}/{doc['metadata']['name']}": doc for doc in self.store("services")
            }
            spaces = frozenset(doc["metadata"]["name"] for doc in self.store("namespaces"))
            found = self.__dict__["_objects"] = Objects(services, slices, spaces, self.config.epoch)
        return found

    def on_message(self, src: str, message: Any, now: int, out: Outbox) -> None:
        match message:
            case ProcessBegin():
                self._begin(message, out)
            case DnsQuery():
                self.state.queries += 1
                wait = out.dice.between(100, 900) * (MILLISECOND // 1000)
                out.send(src, self.reply(message), delay=wait)
            case _:
                pass

    def reply(self, query: DnsQuery) -> DnsReply:
        """The answer, by what is known now."""
        if "services" not in self.state.reflectors or not self.synced("services", "endpointslices", "namespaces"):
            return DnsReply(query.id, "SERVFAIL", authoritative=False)
        found = answer(query.name, query.kind, self.objects())
        if not found.ours:
            return DnsReply(query.id, "SERVFAIL", authoritative=False)
        return DnsReply(query.id, found.code, found.answers, found.authority, found.extra)

    def status(self) -> dict[str, Any]:
        return {"pods": len(self.state.pods), "queries": self.state.queries}
