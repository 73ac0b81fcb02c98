"""The kernel of one node: what kubelet plugs in, what kube-proxy writes, what programs send, and what other nodes' kernels send here.

In: ``Attach``, ``Detach``, ``Listening`` from the kubelet; ``Written`` from kube-proxy; ``NetCall`` from programs of pods (through the kubelet) and of
the node; ``Segment`` from other nodes; ``ToolCall`` from somebody who logged in → out: ``Segment`` to other nodes, ``NetDone`` and
``ToolResult`` to whoever asked.

The pod network's agent is asleep until the node's first packet: only then it reads Nodes (routes), NetworkPolicies and, if there are any,
Pods and Namespaces, and watches them from then on. Packets wait for that first reading; if the API server doesn't answer for two
seconds they go on by what is known.

Simplified here: the agent has no Pod of its own and cannot crash alone; one request and one answer make a connection; a packet is never
cut in pieces; neighbours' hardware addresses are always known.
"""

# pyright: reportUnknownVariableType=false

from ipaddress import ip_address, ip_network
from typing import Any

from msgspec import structs

from cluster.clientgo import ApiClient, Doc
from cluster.netfilter.conntrack import tuple_of
from cluster.netfilter.dump import parse_dump, save_dump
from cluster.netfilter.nft_parse import parse_nft
from cluster.netfilter.nft_render import list_ruleset
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.walk import Walker
from cluster.network import servers
from cluster.node import interfaces, packages, tools
from cluster.node.frames import size_of
from cluster.node.path import Known, Way, policy_json, travel, walk_json
from cluster.node.state import KEPT, Conversation, KernelConfig, KernelState, Nic, Passed
from cluster.sim import MILLISECOND, SECOND, Outbox, PeerDown
from cluster.trace.notes import Effect
from cluster.wire.dns import DnsQuery
from cluster.wire.http import HttpCancel, HttpRequest, HttpResponse
from cluster.wire.packet import (
    Attach,
    Detach,
    Flushed,
    Forget,
    Listener,
    Listening,
    NetCall,
    NetDone,
    Packet,
    Segment,
    SocketRequest,
    ToolCall,
    ToolResult,
    Written,
)

FIRST = ("syn", "udp", "echo")
PATIENCE = 2 * SECOND
RETRY = SECOND
"""TCP's first retransmission of a SYN; then 2 s, 4 s, 8 s …"""
UNREACHABLE_AFTER = 3 * SECOND
"""How long a kernel asks for a neighbour that isn't there (three ARP probes)."""
OUTSIDE = "outside"
"""The uid of a client beyond the cluster, whose packets come in at eth0 of this node."""
OUTSIDE_ADDRESS = "172.18.0.1"


class Kernel(ApiClient):
    """See the module."""

    kind = "kernel"
    config: KernelConfig
    state: KernelState

    def fresh(self) -> KernelState:
        return KernelState()

    # -- what the agent knows -------------------------------------------------------------------------------------

    def known(self) -> Known:
        """The cluster as the agent has read it."""
        if "nodes" not in self.state.reflectors:
            return Known()
        found = self.__dict__.get("_known")
        if found is None:
            cidrs = {doc["metadata"]["name"]: (doc.get("spec") or {}).get("podCIDR", "") for doc in self.store("nodes")}
            policies = tuple(self.store("networkpolicies")) if "networkpolicies" in self.state.reflectors else ()
            pods: dict[str, Doc] = {}
            spaces: dict[str, Doc] = {}
            if policies and "pods" in self.state.reflectors:
                for doc in self.store("pods"):
                    address = (doc.get("status") or {}).get("podIP")
                    if address and not doc["spec"].get("hostNetwork") and (doc["status"].get("phase") not in ("Succeeded", "Failed")):  # fmt: skip
                        pods[address] = doc
                spaces = {doc["metadata"]["name"]: doc for doc in self.store("namespaces")}
            found = self.__dict__["_known"] = Known(cidrs, policies, pods, spaces)
        return found

    def _forget(self) -> None:
        self.__dict__.pop("_known", None)

    def _awake(self, now: int, out: Outbox) -> bool:
        """Whether packets may go; else the agent is woken and they wait."""
        state = self.state
        if state.agent == "asleep":
            state.agent = "reading"
            cause, out.cause = out.cause, 0
            self.watch_resource(out, "nodes", "/api/v1/nodes")
            self.watch_resource(out, "networkpolicies", "/apis/networking.k8s.io/v1/networkpolicies")
            out.timer("blind", PATIENCE, cause=0)
            out.cause = cause
        return state.agent in ("ready", "blind")

    def on_nodes(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        self._forget()

    on_pods = on_namespaces = on_nodes

    def on_networkpolicies(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """The first policy makes the agent look at pods and namespaces, too."""
        self._forget()
        if event_type != "DELETED" and "pods" not in self.state.reflectors:
            cause, out.cause = out.cause, 0
            self.watch_resource(out, "pods", "/api/v1/pods")
            self.watch_resource(out, "namespaces", "/api/v1/namespaces")
            out.cause = cause
            self.state.agent = "reading"
            out.timer("blind", PATIENCE, cause=0)

    def on_synced(self, key: str, now: int, out: Outbox) -> None:
        wanted = ["nodes", "networkpolicies"]
        wanted += ["pods", "namespaces"] if "pods" in self.state.reflectors else []
        self._forget()
        if self.synced(*wanted):
            self.state.agent = "ready"
            self._go_on(now, out)

    def _go_on(self, now: int, out: Outbox) -> None:
        waiting, self.state.waiting = self.state.waiting, []
        for src, message, cause in waiting:
            out.cause = cause
            self.on_message(src, message, now, out)

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        """An API server's answer to a pod's request is a packet's payload, all else is a client's business."""
        if type(message) is HttpResponse and message.id in self.state.pending:
            self._application(message.id, message, now, out)
            return
        super().step(src, message, now, out)

    # -- messages -------------------------------------------------------------------------------------------------

    def on_message(self, src: str, message: Any, now: int, out: Outbox) -> None:
        state = self.state
        match message:
            case Attach():
                self._attach(message)
            case Detach(uid=uid):
                nic = state.pods.pop(uid, None)
                if nic is not None and state.by_ip.get(nic.attach.ip) == uid:
                    del state.by_ip[nic.attach.ip]
            case Listening(uid=uid, container=container, listeners=listeners):
                if uid in state.pods:
                    state.pods[uid].listeners[container] = listeners
            case Written(write=write):
                state.tables.write(write)
                if write.eager:
                    counts = state.conntrack.by_server(now)
                    state.tables.current(lambda key, target: sum(counts.get((key, target), (0, 0))))
            case Forget(places=places):
                for flow in state.conntrack.stale(dict(places)):
                    state.conntrack.forget(flow)
            case ToolCall(words=words) if words[:1] != ("ip",) or self._awake(now, out):
                self._tool(src, message, now, out)
            case NetCall() | Segment() | ToolCall() if not self._awake(now, out):
                state.waiting.append((src, message, out.cause))
            case NetCall():
                self._call(src, message, now, out)
            case Segment():
                self._pass(message, "flannel.1" if message.tunnel else "eth0", False, "", now, out)
            case HttpCancel() | PeerDown():
                pass
            case _ if hasattr(message, "id") and message.id in state.pending:
                self._application(message.id, message, now, out)

    def _attach(self, attach: Attach) -> None:
        state = self.state
        nic = state.pods.get(attach.uid)
        if nic is None:
            nic = state.pods[attach.uid] = Nic(attach)
            if not attach.host:
                nic.veth, nic.index = interfaces.veth_name(attach.uid), state.next_index
                state.next_index += 1
        nic.attach = attach
        if not attach.host:
            state.by_ip[attach.ip] = attach.uid

    def on_timer(self, name: str, data: Any, now: int, out: Outbox) -> None:
        if name == "blind":
            if self.state.agent == "reading":
                self.state.agent = "blind"
                self._go_on(now, out)
        elif name.startswith("retry/"):
            self._retry(data, now, out)
        elif name.startswith("patience/"):
            talk = self.state.conversations.get(data)
            if talk is not None:
                self._done(data, "timeout", None, now, out)
        elif name.startswith("late/"):
            self._emit(data[0], data[1], now, out)

    # -- a program's call -----------------------------------------------------------------------------------------

    def _call(self, src: str, call: NetCall, now: int, out: Outbox) -> None:
        state = self.state
        if call.uid == OUTSIDE:
            ip = OUTSIDE_ADDRESS
        elif call.uid:
            nic = state.pods.get(call.uid)
            ip = nic.attach.ip if nic is not None else ""
        else:
            ip = self._source(call.dst)
        if not ip:
            out.send(src, NetDone(call.id, "unreachable"))
            return
        if call.dst.startswith("127."):
            ip = "127.0.0.1"
        sport = out.dice.between(32768, 60999)
        while (ip, call.protocol, sport) in state.conversations:
            sport = 32768 + (sport - 32767) % 28232
        key = (ip, call.protocol, sport)
        state.conversations[key] = Conversation(call, src, ip, sport, now, out.cause)
        if call.patience:
            out.timer(f"patience/{call.id}", call.patience, key)
        self._send_first(key, now, out)

    def _source(self, address: str) -> str:
        """The node's own address towards ``address``: that of the device the packet would leave by."""
        cidr = self.known().cidrs.get(self.config.node, "")
        device = interfaces.route_to(address, self.config, self.state, self.known().cidrs).get("device", "eth0")
        if cidr and device in ("cni0", "flannel.1"):
            return interfaces.bridge_address(cidr) if device == "cni0" else interfaces.overlay_address(cidr)
        return self.config.address

    def _send_first(self, key: tuple[str, str, int], now: int, out: Outbox) -> None:
        talk = self.state.conversations[key]
        call = talk.call
        kind = {"tcp": "syn", "udp": "udp", "icmp": "echo"}[call.protocol]
        payload = call.payload if kind != "syn" else None
        packet = Packet(talk.ip, call.dst, call.protocol, talk.sport, call.port)
        if call.protocol == "tcp":
            wait = RETRY << min(talk.tries, 6)
            if not call.timeout or now + wait - talk.began < call.timeout:
                out.timer(f"retry/{call.id}", wait, key)
            else:
                out.timer(f"patience/{call.id}", max(0, talk.began + call.timeout - now), key)
        elif call.timeout:
            out.timer(f"patience/{call.id}", call.timeout, key)
        talk.tries += 1
        talk.packets += 1
        self._emit(Segment(packet, kind, payload, call.id), call.uid, now, out)

    def _retry(self, key: tuple[str, str, int], now: int, out: Outbox) -> None:
        talk = self.state.conversations.get(key)
        if talk is None or talk.phase != "syn":
            return
        if talk.tries > 6:  # net.ipv4.tcp_syn_retries
            self._done(key, "timeout", None, now, out)
        else:
            self._send_first(key, now, out)

    def _done(self, key: tuple[str, str, int], error: str, payload: Any, now: int, out: Outbox) -> None:
        talk = self.state.conversations.pop(key)
        out.cancel(f"retry/{talk.call.id}")
        out.cancel(f"patience/{talk.call.id}")
        local = f"{talk.ip}:{talk.sport}"
        done = NetDone(talk.call.id, error, payload, now - talk.began, talk.connected, local, talk.packets)
        out.send(talk.src, done, cause=talk.cause)

    def _answered(self, key: tuple[str, str, int], segment: Segment, now: int, out: Outbox) -> None:
        """A segment for a socket of this node."""
        talk = self.state.conversations[key]
        call = talk.call
        match segment.kind:
            case "syn-ack" if talk.phase == "syn":
                talk.phase, talk.connected = "open", now - talk.began
                out.cancel(f"retry/{call.id}")
                if call.timeout and not call.patience:
                    out.cancel(f"patience/{call.id}")
                packet = Packet(talk.ip, call.dst, "tcp", talk.sport, call.port)
                talk.packets += 1
                if call.payload is None:
                    self._emit(Segment(packet, "fin", None, call.id), call.uid, now, out)
                    self._done(key, "", None, now, out)
                else:
                    self._emit(Segment(packet, "data", call.payload, call.id), call.uid, now, out)
            case "data":
                packet = Packet(talk.ip, call.dst, "tcp", talk.sport, call.port)
                self._emit(Segment(packet, "fin", None, call.id), call.uid, now, out)
                self._done(key, "", segment.payload, now, out)
            case "rst":
                self._done(key, "refused" if talk.phase == "syn" else "reset", None, now, out)
            case "unreachable":
                what, says = segment.payload
                self._done(key, "refused" if what == "port" else "unreachable", says, now, out)
            case "udp" | "echo-reply":
                self._done(key, "", segment.payload, now, out)
            case _:
                pass

    # -- packets --------------------------------------------------------------------------------------------------

    def _emit(self, segment: Segment, uid: str, now: int, out: Outbox) -> None:
        """A local pod, the node itself or a client outside sends."""
        nic = self.state.pods.get(uid)
        if uid == OUTSIDE:
            self._pass(segment, "eth0", False, "", now, out)
        elif nic is not None and not nic.attach.host and _own(segment.packet.dst, nic.attach.ip):
            self._deliver(segment, uid, now, out)  # by the pod's own lo: the node sees nothing of it
        elif nic is not None and not nic.attach.host:
            self._pass(segment, "cni0", False, uid, now, out)
        else:
            self._pass(segment, "lo", True, uid, now, out)

    def _pass(self, segment: Segment, device: str, local: bool, uid: str, now: int, out: Outbox) -> None:
        """The packet's way through this node."""
        if segment.kind == "unreachable":  # an ICMP error belongs to the connection it is about (RELATED)
            self._error_passes(segment, now, out)
            return
        way = travel(
            self.config, self.state, self.known(), segment.packet, kind=segment.kind, device=device, local=local, pod=uid, now=now,
            dice=out.dice, size=size_of(segment),
        )  # fmt: skip
        self._remember(segment, way, now, out)
        forwarded = structs.replace(segment, packet=way.packet)
        match way.verdict:
            case "pod":
                if device != "cni0":
                    forwarded = structs.replace(forwarded, ttl=forwarded.ttl - 1)
                self._deliver(forwarded, way.pod, now, out)
            case "host":
                self._deliver(forwarded, "", now, out)
            case "forward":
                tunnel = (self.config.address, dict(self.config.nodes)[way.node]) if way.tunnel else None
                sent = structs.replace(forwarded, tunnel=tunnel, ttl=segment.ttl - (0 if local else 1))
                out.send(f"kernel-{way.node}", sent)
            case "reject":
                self._send_back(segment, "port", 0, now, out)
            case "lost":
                if segment.kind in FIRST:
                    self._send_back(segment, "host", UNREACHABLE_AFTER, now, out)
            case "outside":
                key = (way.packet.dst, way.packet.protocol, way.packet.dport)
                if key in self.state.conversations:
                    self._answered(key, forwarded, now, out)
            case _:
                pass

    def _send_back(self, segment: Segment, what: str, delay: int, now: int, out: Outbox) -> None:
        """An ICMP error to the packet's source, quoting the packet as it came here: (what is unreachable, who says so)."""
        packet = segment.packet
        own = interfaces.local_addresses(self.config, self.state, self.known().cidrs)
        error = Segment(
            packet, "unreachable", (what, packet.dst if packet.dst in own else self._source(packet.src)), segment.trace
        )
        if delay:
            out.timer(f"late/{segment.trace}", delay, (error, ""))
        else:
            self._error_passes(error, now, out)

    def _error_passes(self, error: Segment, now: int, out: Outbox) -> None:
        """Un-NAT the quoted packet by its connection's entry, and take the error to its source."""
        packet = error.packet
        for flow in (self.state.conntrack.flows.get(key) for key in _tuples(packet)):
            if flow is not None and (flow.reply.dst, flow.reply.dport) == (packet.src, packet.sport):
                o = flow.original
                packet = Packet(o.src, o.dst, o.protocol, o.sport, o.dport)
                break
        moved = structs.replace(error, packet=packet, tunnel=None)
        key = (packet.src, packet.protocol, packet.sport)
        if key in self.state.conversations:
            self._answered(key, moved, now, out)
            return
        if packet.src in self.state.by_ip or packet.src == self.config.address:
            return
        for node, cidr in self.known().cidrs.items():
            if cidr and node != self.config.node and _inside(packet.src, cidr):
                out.send(f"kernel-{node}", moved)
                return
        for node, address in self.config.nodes:
            if address == packet.src and node != self.config.node:
                out.send(f"kernel-{node}", moved)

    def _deliver(self, segment: Segment, uid: str, now: int, out: Outbox) -> None:
        """The packet is at a socket's door, of a pod or of the node."""
        packet = segment.packet
        key = (packet.dst, packet.protocol, packet.dport)
        if segment.kind not in ("syn", "echo") and key in self.state.conversations:
            self._answered(key, segment, now, out)
            return
        if segment.kind not in FIRST and segment.kind not in ("data", "fin"):
            return
        if segment.kind == "fin":
            return
        back = Packet(packet.dst, packet.src, packet.protocol, packet.dport, packet.sport)
        if segment.kind == "echo":
            self._emit(Segment(back, "echo-reply", segment.ttl, segment.trace), uid, now, out)
            return
        owner, found = self._listener(uid, packet)
        if found is None:
            if segment.kind == "udp":
                self._send_back(structs.replace(segment, packet=packet), "port", 0, now, out)
            else:
                self._emit(Segment(back, "rst", None, segment.trace), uid, now, out)
            return
        if segment.kind == "syn":
            self._emit(Segment(back, "syn-ack", None, segment.trace), uid, now, out)
            return
        self._serve(segment, back, owner, found, now, out)

    def _listener(self, uid: str, packet: Packet) -> tuple[str, Listener | None]:
        """(uid of the pod, its listener); for the node: of any pod in the host's network, and the kubelet's own ports."""
        protocol, port = packet.protocol, packet.dport
        nics = [self.state.pods[uid]] if uid else [nic for nic in self.state.pods.values() if nic.attach.host]
        for nic in nics:
            for listening in nic.listeners.values():
                for one in listening:
                    if one.protocol == protocol and one.port == port and one.address in ("", packet.dst):
                        return nic.attach.uid, one
        if not uid and protocol == "tcp" and (port == 10250 or (port == 10248 and packet.dst == "127.0.0.1")):
            return "", Listener("tcp", port, "https" if port == 10250 else "ok")
        return uid, None

    def _serve(self, segment: Segment, back: Packet, owner: str, found: Listener, now: int, out: Outbox) -> None:
        """The program's answer to a request."""
        nic = self.state.pods.get(owner)
        packet = segment.packet
        key = nic.attach.key if nic is not None else self.config.node
        place = servers.Place(key.rpartition("/")[2], packet.dst, packet.src, packet.sport, self.config.node)
        uid = owner if nic is not None and not nic.attach.host else ""
        kind = "udp" if packet.protocol == "udp" else "data"
        request = segment.payload
        if found.app == "coredns":
            if type(request) is tuple and request[:1] == ("dns",):
                number = out.next_id()
                self.state.pending[number] = (Segment(back, kind, None, segment.trace), uid)
                out.send(f"coredns-{self.config.node}", _query(number, request, place))
            return
        if found.app == "apiserver" and type(request) is servers.Request and request.tls and self.config.apiserver:
            number = out.next_id()
            self.state.pending[number] = (Segment(back, kind, None, segment.trace), uid)
            path, _, query = request.path.partition("?")
            message = HttpRequest(
                number, request.method, path, query, tuple((n.lower(), v) for n, v in request.headers), request.body.encode(),
                remote=f"{packet.src}:{packet.sport}",
            )  # fmt: skip
            out.send(self.config.apiserver, message)
            return
        if found.app == "kube-proxy" and type(request) is servers.Request and not request.tls:
            number = out.next_id()
            self.state.pending[number] = (Segment(back, kind, None, segment.trace), uid)
            asked = SocketRequest(number, found.arg, request.method, request.path.partition("?")[0])
            out.send(f"kube-proxy-{self.config.node}", asked)
            return
        if type(request) is servers.Request:
            answer: Any = servers.http(found, request, place)
        elif kind == "udp":
            answer = servers.datagram(found, str(request), place)
            if answer is None:
                return
        else:
            answer = servers.Answer(broken="http0.9")
        wait = out.dice.between(200, 1500) * (MILLISECOND // 1000)
        out.timer(
            f"late/{segment.trace}/{segment.packet.sport}", wait, (Segment(back, kind, answer, segment.trace), uid)
        )

    def _application(self, request: int, message: Any, now: int, out: Outbox) -> None:
        """A process of this host answered what a packet asked."""
        found = self.state.pending.pop(request, None)
        if found is None:
            return
        segment, uid = found
        payload = tools.http_answer(message) if type(message) is HttpResponse else message
        self._emit(structs.replace(segment, payload=payload), uid, now, out)

    # -- for onlookers --------------------------------------------------------------------------------------------

    def rules_text(self) -> str:
        """What ``iptables-save`` prints here, or, when nftables mode wrote last, ``nft list ruleset``."""
        tables = self.state.tables.current()
        return list_ruleset(tables.nft) if tables.mode == "nftables" else save_dump(tables.ruleset)

    def walker(self, packet: Packet, *, local: bool | None = None) -> Walker | NftWalker:
        """What walks the tables that decide about ``packet``: iptables', or nft's where those let it by (as ``path`` has it); lines are those of
        what ``iptables-save`` or ``nft list ruleset`` prints here.
        """
        tables = self.state.tables.current()
        own = interfaces.local_addresses(self.config, self.state, self.known().cidrs)
        first = Walker(parse_dump(save_dump(tables.ruleset))[0], own)
        if not tables.nft.tables:
            return first
        second = NftWalker(parse_nft(list_ruleset(tables.nft)), own)
        if first.walk(packet, local=local).verdict in ("DROP", "REJECT", "DNAT"):
            return first
        walk = second.walk(packet, local=local)
        return second if tables.mode == "nftables" or walk.verdict != "NONE" or walk.masquerade else first

    def _remember(self, segment: Segment, way: Way, now: int, out: Outbox) -> None:
        """Keep the passage, and note a connection's first packet if it descends from a request."""
        first = segment.kind in FIRST
        self._served(way, size_of(segment))
        walk = walk_json(way) if first else None
        state = self.state
        state.passed.append(
            Passed(
                now, segment.trace, segment.kind, _five(segment.packet), _five(way.packet), way.device_in, way.device_out, way.verdict,
                way.why, tuple(policy_json(one) for one in way.policies),
                (self.config.address, dict(self.config.nodes)[way.node]) if way.tunnel else segment.tunnel, way.state, walk,
            )
        )  # fmt: skip
        del state.passed[: max(0, len(state.passed) - 4 * KEPT)]
        if first and out.cause and walk is not None:
            packet = segment.packet
            verdict = "drop" if way.verdict == "drop" else way.verdict
            text = f"a packet to {packet.dst}:{packet.dport} at {self.config.node}: {verdict}"
            out.note(Effect("packet", self.config.node, text, walk))

    def _served(self, way: Way, size: int) -> None:
        """Connections, packets and bytes at each real server of IPVS."""
        state = self.state
        flow, ipvs = way.flow, state.tables.ruleset.ipvs
        if flow is not None and flow.dnat and ipvs is not None:
            o, r = flow.original, flow.reply
            if ipvs.find(o.dst, o.dport, o.protocol) is not None:
                key = f"{o.protocol} {o.dst}:{o.dport} {r.src}:{r.sport}"
                made, came, went, bytes_in, bytes_out = state.served.get(key, (0, 0, 0, 0, 0))
                back = way.packet.dst == o.src and way.packet.dport == o.sport
                state.served[key] = (
                    made + (way.walk is not None), came + (not back), went + back, bytes_in + size * (not back), bytes_out + size * back,
                )  # fmt: skip

    def _tool(self, src: str, call: ToolCall, now: int, out: Outbox) -> None:
        """Somebody on the node runs a network tool."""
        if call.words[:1] and call.words[0] in packages.NAMES:
            printed = packages.run(self, list(call.words), out)
            out.send(src, ToolResult(call.id, printed.out, printed.err, printed.code))
            return
        stdout, stderr, code, flushed = tools.run(self, list(call.words), call.stdin, now)
        out.send(src, ToolResult(call.id, stdout, stderr, code))
        for family in flushed:
            out.send(f"kube-proxy-{self.config.node}", Flushed(family), cause=0)

    def status(self) -> dict[str, Any]:
        state = self.state
        return {
            "node": self.config.node,
            "mode": state.tables.mode,
            "pods": len(state.pods),
            "flows": len(state.conntrack.flows) // 2,
        }


def _five(packet: Packet) -> tuple[str, int, str, int, str]:
    return packet.src, packet.sport, packet.dst, packet.dport, packet.protocol


def _tuples(packet: Packet) -> list[Any]:
    return [tuple_of(packet), tuple_of(packet).turned()]


def _own(address: str, ip: str) -> bool:
    return address == ip or address.startswith("127.")


def _inside(address: str, cidr: str) -> bool:
    return ip_address(address) in ip_network(cidr)


def _query(number: int, request: tuple[Any, ...], place: servers.Place) -> Any:
    return DnsQuery(number, request[1], request[2], place.client)
