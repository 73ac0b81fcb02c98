"""The kube-proxy process of one node: watches Services, EndpointSlices and its Node, and keeps the kernel's tables in step.

In: watch events → out: rules in the kernel, and a note for every Service whose rules changed, with the cause of the change.
Changes are gathered: a sync runs at once if the last is ``min_sync_ns`` ago, else when it will be. The first sync is full, later
ones look at changed Services only. If another program flushed the tables (the canary chain is gone), the next periodic look writes
everything again.

A sync decides what every service port's rules are and hands them to the node's kernel (``Written``, to the process ``kernel-<node>``), which
writes the tables out when somebody looks, and keeps them when kube-proxy dies: a thousand nodes whose rules nobody reads cost next to nothing. With a
``supervisor`` (its node's kubelet) the process is a container: it waits for the kubelet's word which Pod it belongs to, and its mode is what
the Pod's ConfigMap said (``life``).

Its HTTP servers are in ``health``: the kernel is told their sockets, and hands on what comes to them.

Simplified here: the periodic sync only looks at the canary (the real one restores the shared chains again).

Upstream: cmd/kube-proxy/app/server.go, pkg/proxy/iptables/proxier.go, pkg/util/async/bounded_frequency_runner.go (1.32).
"""

from collections.abc import Iterable
from typing import Any

from msgspec import structs

from cluster.clientgo import ApiClient, Doc
from cluster.clientgo.transport import VERSION
from cluster.kubeproxy import health, life
from cluster.kubeproxy.graceful import CHECK_EVERY
from cluster.kubeproxy.modes import ipvs, mode_named, nftables, written_whole
from cluster.kubeproxy.options import NotSupported, ProxyOptions, from_configuration
from cluster.kubeproxy.rulebook import Rulebook
from cluster.kubeproxy.stale_flows import cleanup_needed, places
from cluster.kubeproxy.state import KubeProxyConfig, ProxyState
from cluster.kubeproxy.writes import Cleanup, Sweep, write_of
from cluster.netfilter.dump import parse_dump, save_dump
from cluster.netfilter.nft_parse import parse_nft
from cluster.netfilter.nft_render import list_ruleset
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.parse import restore
from cluster.netfilter.render import save
from cluster.netfilter.tables import fresh_ruleset
from cluster.netfilter.walk import Walker
from cluster.sim import SECOND, Outbox
from cluster.trace.notes import Effect
from cluster.wire.packet import Flushed, Forget, Listening, SocketRequest, ToolCall, ToolResult, Written
from cluster.wire.process import ProcessBegin, ProcessBooted, ProcessEnded, ProcessOutput

NOT_OURS = "labelSelector=%21service.kubernetes.io%2Fheadless%2C%21service.kubernetes.io%2Fservice-proxy-name"
"""Headless Services and those of another proxy are not even watched."""
ZONE = "topology.kubernetes.io/zone"
FULL_SYNC_NS = 3600 * SECOND
"""A full sync once an hour, whatever happens (``proxyutil.FullSyncPeriod``)."""
LINES_IN_NOTE = 200
"""A note shows at most this many added and removed lines (the counts are always exact)."""


class KubeProxy(ApiClient):
    """See the module. ``rules_text()`` and ``walker()`` are what onlookers ask: how it would be in another mode."""

    kind = "kube-proxy"
    config: KubeProxyConfig
    state: ProxyState

    def fresh(self) -> ProxyState:
        return ProxyState()

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        """Prepare the kernel and watch. A mode that isn't there is refused: nothing is written, and ``status`` says why."""
        super().boot(disk, now, out)
        if self.config.supervisor:
            self._ask(out)
            return
        try:
            mode_named(self.config.mode)
        except NotSupported as error:
            self.state.refusal = str(error)
            return
        self._run(self.config.mode or "iptables", now, out)

    def _ask(self, out: Outbox) -> None:
        """Which container am I? Asked until somebody says so: the kubelet may have just been started, too."""
        out.send(self.config.supervisor, ProcessBooted(), cause=0)
        out.timer("ask", 2 * SECOND, cause=0)

    @property
    def mode(self) -> str:
        """The mode it runs in (or would)."""
        return self.state.mode or self.config.mode

    def _begin(self, begin: ProcessBegin, now: int, out: Outbox) -> None:
        """The container's first instant: read the configuration, or end."""
        if self.state.pod:
            return
        self.state.pod = begin.pod
        self.state.health.uid, self.state.health.container, self.state.health.began = begin.uid, begin.container, now
        try:
            document = life.configuration(begin.files)
        except life.CannotStart as failure:
            self._end(failure, now, out)
            return
        self.state.document = document
        mode = document.get("mode") or ""
        self._say(life.first_lines(mode, self.config.node_ip), now, out)
        if mode == "ipvs" and self.config.kernel:
            out.send(self.config.kernel, ToolCall(out.next_id(), ("modprobe", "--dry-run", "ip_vs")))
            return
        self._run_container(mode, now, out)

    def _run_container(self, mode: str, now: int, out: Outbox) -> None:
        self._say(life.running_lines(mode, VERSION, self.options().scheduler), now, out)
        self._run(mode or "iptables", now, out)

    def _say(self, lines: list[tuple[str, str, str]], now: int, out: Outbox) -> None:
        """Write to standard error: the container's log."""
        if self.config.supervisor and lines:
            texts = tuple(life.klog(line, self.config.epoch, now) for line in lines)
            out.send(self.config.supervisor, ProcessOutput(texts))

    def _end(self, failure: life.CannotStart, now: int, out: Outbox) -> None:
        texts = tuple(life.klog(line, self.config.epoch, now) for line in failure.args[0])
        out.send(self.config.supervisor, ProcessEnded(1, texts))
        out.exit(1)

    def _run(self, mode: str, now: int, out: Outbox) -> None:
        """Take away what other modes left (as far as kube-proxy does), and watch."""
        self.state.mode = mode
        self._listen(out)
        if self.config.kernel:
            out.send(self.config.kernel, Written(Cleanup(mode)))
        self.watch_resource(out, "node", "/api/v1/nodes", f"fieldSelector=metadata.name%3D{self.config.node}")
        self.watch_resource(out, "services", "/api/v1/services", NOT_OURS)
        self.watch_resource(out, "endpointslices", "/apis/discovery.k8s.io/v1/endpointslices", NOT_OURS)
        out.timer("periodic", self.config.sync_ns, cause=0)
        if mode == "ipvs":
            self._look_at_interfaces(out)
            out.timer("sweep", CHECK_EVERY, cause=0)

    def _look_at_interfaces(self, out: Outbox) -> None:
        """Which addresses has the node? Asked now and then (the real one asks at every sync): the bridge comes with the first pod."""
        if self.config.kernel:
            out.send(self.config.kernel, ToolCall(out.next_id(), ("ip", "-br", "-4", "addr")), cause=0)

    def _interfaces(self, listed: str, now: int, out: Outbox) -> None:
        rows = [line.split() for line in listed.splitlines()]
        found = [
            a.partition("/")[0] for name, _, *given in rows if name not in ("lo", ipvs.DUMMY_DEVICE) for a in given
        ]
        others = tuple(address for address in found if address != self.config.node_ip)
        if others != self.state.node_ips:
            self.state.node_ips, self.state.need_full = others, True
            self._schedule(now, out)

    def _listen(self, out: Outbox) -> None:
        """Tell the kernel what this process listens on, if that changed."""
        known = self.state.health
        found = health.sockets(self.state, self.options) if known.uid and self.config.kernel else ()
        if found != known.told:
            known.told = found
            out.send(self.config.kernel, Listening(known.uid, known.container, found), cause=0)

    def options(self) -> ProxyOptions:
        """The configuration with what is known of the node."""
        config = self.config
        if self.state.document is not None:
            cidrs = {"service_cidrs": (config.service_cidr,)} if config.service_cidr else {}
            node = {"spec": {"podCIDRs": list(self.state.pod_cidrs)}}
            return from_configuration(
                self.state.document, node, node=config.node, node_ip=config.node_ip, node_ips=(config.node_ip, *self.state.node_ips),
                zone=self.state.zone, mode=self.mode, **cidrs,
            )  # fmt: skip
        return ProxyOptions(
            node=config.node,
            node_ip=config.node_ip,
            node_ips=(config.node_ip,),
            zone=self.state.zone,
            mode=self.mode,
            cluster_cidr=config.cluster_cidr,
            masquerade_bit=config.masquerade_bit,
            service_cidrs=(config.service_cidr,) if config.service_cidr else (),
        )

    # -- what is watched ------------------------------------------------------------------------------------------

    def on_services(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """A Service changed."""
        self.state.health.changes["service"] += 1
        if self.state.tracker.service(old, None if event_type == "DELETED" else new, out.cause):
            self._queue("service", f"{new['metadata']['namespace']}/{new['metadata']['name']}", now, out)

    def on_endpointslices(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """A slice changed; if it now belongs to another Service, that is a going and a coming."""
        tracker = self.state.tracker
        self.state.health.changes["endpoint"] += 1
        gone = event_type == "DELETED"
        changed = False
        if old is not None and not gone and _owner(old) != _owner(new):
            changed = tracker.endpoint_slice(old, None, out.cause)
        if tracker.endpoint_slice(old, None if gone else new, out.cause) or changed:
            self._queue("endpoint", f"{new['metadata']['namespace']}/{_owner(new)}", now, out)

    def on_node(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """Our Node changed: its zone matters to every Service with hints (its pods' addresses, to a NodeCIDR detector, to all), and whether it is about to be deleted to its health."""
        taints = (new.get("spec") or {}).get("taints") or ()
        leaving = any(taint.get("key") == health.DELETED_SOON for taint in taints)
        self.state.health.eligible = not leaving and not new["metadata"].get("deletionTimestamp")
        zone = "" if event_type == "DELETED" else (new["metadata"].get("labels") or {}).get(ZONE, "")
        spec = new.get("spec") or {}
        cidrs = tuple(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []))
        moved = cidrs != self.state.pod_cidrs and (self.state.document or {}).get("detectLocalMode") == "NodeCIDR"
        self.state.pod_cidrs = cidrs
        if zone != self.state.zone or moved:
            self.state.zone = zone
            self.state.node_causes = out.cause
            self.state.need_full = True
            self._schedule(now, out)

    def on_synced(self, key: str, now: int, out: Outbox) -> None:
        """Nothing is written before all three have been listed: half a picture would cut working connections."""
        name = {"services": "service", "endpointslices": "endpoint slice"}.get(key, key)
        self._say([("I", "shared_informer.go:320", f'"Caches are synced" controller="{name} config"')], now, out)
        self._schedule(now, out)

    # -- syncing --------------------------------------------------------------------------------------------------

    def _queue(self, kind: str, service: str, now: int, out: Outbox) -> None:
        """A change to be written."""
        known = self.state.health
        known.pending[kind][service] = 1
        if known.queued < 0:
            known.queued = now
        self._schedule(now, out)

    def _schedule(self, now: int, out: Outbox) -> None:
        state = self.state
        state.health.last_queued = now
        if state.scheduled or not self.synced("node", "services", "endpointslices"):
            return
        state.scheduled = True
        wait = 0 if state.last_sync < 0 else max(0, state.last_sync + self.config.min_sync_ns - now)
        out.timer("sync", wait, cause=0)

    def on_timer(self, name: str, data: Any, now: int, out: Outbox) -> None:
        """``sync``: write. ``periodic``: look whether somebody flushed the tables."""
        if name == "ask":
            if not self.state.pod:
                self._ask(out)
        elif name == "sync":
            self.sync(now, out)
        elif name == "periodic":
            out.timer("periodic", self.config.sync_ns, cause=0)
            if self.state.last_full >= 0 and now - self.state.last_full >= FULL_SYNC_NS:
                self.state.need_full = True
                self._schedule(now, out)
            if self.state.flushed and self.mode != "nftables" and self.state.syncs:
                self.state.need_full = True
                self._schedule(now, out)
            if self.mode == "ipvs":
                self._look_at_interfaces(out)
            if self.mode == "ipvs" and self.state.syncs and not self.state.need_full:
                self._hand_over(True, out)  # it writes everything each period, asked or not: that mends any flush
        elif name == "sweep":
            out.timer("sweep", CHECK_EVERY, cause=0)
            if self.config.kernel:
                out.send(self.config.kernel, Written(Sweep(self.mode)), cause=0)

    def sync(self, now: int, out: Outbox) -> None:
        """Write what changed since the last sync into the kernel (``syncProxyRules``)."""
        state, options = self.state, self.options()
        mode = mode_named(options.mode)
        state.scheduled = False
        causes = state.tracker.take_changes()
        health.look(state.health, state.tracker, self.config.node, causes)
        self._listen(out)
        if written_whole(mode):
            self._sync_table(causes, now, out)
            return
        # (On flushed tables a partial restore fails; the real one's full one follows a sync period later.)
        full = state.need_full or state.flushed
        update = state.book.update(state.tracker, options, list(causes), full=full)
        if full:
            state.base_rules = _count(mode.restore_input(options, (), (), (), True))
        state.need_full = state.flushed = False
        state.last_sync = now
        state.syncs += 1
        state.rules = state.base_rules + state.book.rules
        state.full_syncs += full
        if full:
            state.last_full = now
        for service, (added, removed) in update.changes.items():
            out.cause = causes.get(service) or state.node_causes
            if out.cause:
                out.note(self._effect(service, added, removed))
        state.node_causes = 0
        out.cause = 0
        self._hand_over(full, out)
        self._clean_up(causes, out)

    def _clean_up(self, changed: Iterable[str], out: Outbox) -> None:
        """Have the kernel forget UDP flows to endpoints that are no more (``CleanStaleEntries``)."""
        if self.config.kernel and cleanup_needed(changed, self.state.tracker):
            out.send(self.config.kernel, Forget(places(self.state.tracker)), cause=0)

    def _hand_over(self, full: bool, out: Outbox) -> None:
        if self.config.kernel:
            out.send(self.config.kernel, Written(write_of(self.mode, self.options(), self.state, full)), cause=0)

    def _sync_table(self, causes: dict[str, int], now: int, out: Outbox) -> None:
        """nftables and IPVS mode: all in one; a note for every Service whose lines changed."""
        state, options = self.state, self.options()
        mode = mode_named(options.mode)
        services = dict.fromkeys(causes)
        if state.need_full:
            services.update(dict.fromkeys([*state.chosen, *state.tracker.services]))
        if not state.syncs:
            state.rules = mode.base_rules(options)
        for service in services:
            new = mode.chosen(state.tracker, service, options)
            before = state.chosen.pop(service, {})
            if new:
                state.chosen[service] = new
            if before == new:
                continue
            old_lines, new_lines = mode.part(before, options), mode.part(new, options)
            state.rules += _rules_of(new_lines) - _rules_of(old_lines)
            mine = (service + "/", f'"{service}:', f'"{service}"') if mode is nftables else ("",)
            added = [line for line in new_lines if line not in old_lines and any(word in line for word in mine)]
            removed = [line for line in old_lines if line not in new_lines and any(word in line for word in mine)]
            out.cause = causes.get(service) or state.node_causes
            if out.cause and (added or removed):
                out.note(self._effect(service, added, removed))
        if mode is ipvs:
            state.rules = ipvs.rule_count((one for ports in state.chosen.values() for one in ports.values()), options)
        if state.need_full or not state.syncs:
            state.last_full = now
            state.full_syncs += 1
        state.need_full, state.last_sync, state.flushed = False, now, False
        state.syncs += 1
        state.node_causes = 0
        out.cause = 0
        self._hand_over(True, out)
        self._clean_up(services, out)

    def _effect(self, service: str, added: list[str], removed: list[str]) -> Effect:
        parts = []
        if added:
            parts.append(f"wrote {len(added)} rule{'s' if len(added) != 1 else ''}")
        if removed:
            parts.append(f"removed {len(removed)} rule{'s' if len(removed) != 1 else ''}")
        detail = {"service": service, "added": added[:LINES_IN_NOTE], "removed": removed[:LINES_IN_NOTE]}
        text = f"kube-proxy on {self.config.node} {' and '.join(parts)} for {service}"
        return Effect("rules", self.config.node, text, detail)

    # -- messages -------------------------------------------------------------------------------------------------

    def on_message(self, src: str, message: Any, now: int, out: Outbox) -> None:
        """The container's beginning; a flush on the node; what modprobe said."""
        if type(message) is ProcessBegin:
            self._begin(message, now, out)
        elif type(message) is SocketRequest:
            out.send(src, health.answer(message, self.state, self.options(), self.config.epoch, now))
        elif type(message) is Flushed:
            family = "nftables" if self.mode == "nftables" else "iptables"
            self.state.flushed = self.state.flushed or message.family in (family, self.mode)
        elif type(message) is ToolResult and not self.state.mode:
            if message.code:
                self._end(life.ipvs_missing(self.options().scheduler or "rr"), now, out)
            else:
                self._run_container((self.state.document or {}).get("mode") or "", now, out)
        elif type(message) is ToolResult and not message.code:
            self._interfaces(message.stdout, now, out)

    # -- onlookers ------------------------------------------------------------------------------------------------

    def walker(self, mode: str = "") -> Walker | NftWalker:
        """What walks ``rules_text``."""
        node_ips, text = (self.config.node_ip,), self.rules_text(mode)
        if (mode or self.mode) == "nftables":
            return NftWalker(parse_nft(text), node_ips)
        return Walker(parse_dump(text)[0], node_ips)

    def rules_text(self, mode: str = "") -> str:
        """``iptables-save`` or ``nft list ruleset`` of a fresh node after this proxy's first sync in ``mode``; what its node has is the kernel's to say.

        NotSupported for a mode that can't be written.
        """
        if not mode and self.state.refusal:
            raise NotSupported(self.state.refusal)
        written, options = mode_named(mode or self.mode), structs.replace(self.options(), mode=mode or self.mode)
        if written is nftables:
            return list_ruleset(parse_nft(nftables.fresh_table_text(self.state.tracker, options)))
        if written_whole(written):
            return save_dump(written.kernel_of(written.everything(self.state.tracker, options), options))
        kernel = fresh_ruleset()
        restore(kernel, written.canaries())
        restore(kernel, written.base_jumps())
        restore(kernel, Rulebook().sync(self.state.tracker, options, [], full=True).text)
        return save(kernel)

    def status(self) -> dict[str, Any]:
        """Counts only: cheap."""
        state = self.state
        return {
            "mode": self.mode,
            "services": len(state.tracker.services),
            "endpoints": state.book.endpoints,
            "rules": state.rules,
            "lastSync": state.last_sync,
            "syncs": state.syncs,
            "fullSyncs": state.full_syncs,
            **({"error": state.refusal} if state.refusal else {}),
        }


def _count(text: str) -> int:
    return text.count("\n-A ")


def _rules_of(lines: dict[str, None]) -> int:
    """nft's, and those that are appended to a chain."""
    return sum(line.startswith(("add rule ", "-A KUBE-")) for line in lines)


def _owner(endpoint_slice: Doc) -> str:
    return (endpoint_slice["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
