"""The proxy without a cluster: ``proxyrules`` (objects → the rules kube-proxy would write) and ``tracepacket`` (rules → a packet's walk).

In: text as ``kubectl get -o yaml`` and ``iptables-save`` print it → out: text, or plain JSON-able data. Errors: ``NotSupported`` for a
configuration this proxy doesn't do, ``ParseError`` for rule text that is none, ``ValueError`` for objects that are none.

Simplified here: a rule text without any rule in nat's PREROUTING is taken for what kube-proxy feeds to ``iptables-restore``, and its
own jumps are added in front (the answer's ``assumed`` says so).

Upstream: cmd/kube-proxy; the shape of the answers is this project's own.
"""

from typing import Any

import yaml

from cluster.api.codec import YAML_RESOLVERS
from cluster.kubeproxy.change_tracker import ChangeTracker
from cluster.kubeproxy.modes import ipvs, mode_named, nftables, userspace
from cluster.kubeproxy.modes.iptables import base_jumps
from cluster.kubeproxy.options import NotSupported, ProxyOptions, from_configuration, node_addresses
from cluster.kubeproxy.rulebook import Rulebook
from cluster.netfilter.dump import parse_dump
from cluster.netfilter.errors import ParseError
from cluster.netfilter.nft_parse import parse_nft
from cluster.netfilter.nft_syntax import Nft, Unknown
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.parse import restore
from cluster.netfilter.rules import SetMatch, UnknownMatch, UnknownTarget
from cluster.netfilter.tables import Ruleset
from cluster.netfilter.walk import Walker, as_json
from cluster.wire.packet import Packet


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML as kubectl prints it."""


_Loader.yaml_implicit_resolvers = YAML_RESOLVERS
_KINDS = ("Node", "Service", "EndpointSlice", "ServiceCIDR")


def read_objects(text: str) -> list[dict[str, Any]]:
    """Every Node, Service, EndpointSlice and ServiceCIDR in a YAML or JSON stream; Lists are opened, other kinds passed over."""
    found: list[dict[str, Any]] = []
    waiting = [d for d in yaml.load_all(text, Loader=_Loader) if d is not None]
    while waiting:
        doc = waiting.pop(0)
        if not isinstance(doc, dict):
            raise ValueError(f"an object was expected, not {type(doc).__name__}: {str(doc)[:60]!r}")
        if str(doc.get("kind", "")).endswith("List") or (doc.get("kind") is None and "items" in doc):
            kind = str(doc.get("kind", "List")).removesuffix("List")
            waiting = [{"kind": kind, **i} if kind else i for i in doc.get("items") or []] + waiting
        elif doc.get("kind") in _KINDS:
            if not isinstance(doc.get("metadata"), dict) or "name" not in doc["metadata"]:
                raise ValueError(f"a {doc['kind']} without metadata.name")
            found.append(doc)
    return found


def tracker_of(objects: list[dict[str, Any]], family: int) -> ChangeTracker:
    """What a proxy knows that has seen exactly these objects."""
    tracker = ChangeTracker(family)
    for doc in objects:
        if doc["kind"] == "Service":
            tracker.service(None, doc)
        elif doc["kind"] == "EndpointSlice":
            tracker.endpoint_slice(None, doc)
    return tracker


def options_for(
    objects: list[dict[str, Any]],
    *,
    node: str = "",
    config: dict[str, Any] | None = None,
    mode: str = "",
    family: int = 4,
    random_fully: bool = True,
    nfacct: bool = True,
    node_ips: tuple[str, ...] = (),
    **more: Any,
) -> ProxyOptions:
    """Options from a ``KubeProxyConfiguration`` document, the Node among the objects, and what the node's tools can do.

    ``node_ips``: the addresses of its interfaces, the primary one first; () takes those of the Node object.
    """
    found = next((d for d in objects if d["kind"] == "Node" and d["metadata"]["name"] == node), None)
    addresses = tuple(ip for ip in node_ips if (":" in ip) == (family == 6))
    if not addresses and found is not None:
        addresses = node_addresses(found, family)
    given: dict[str, Any] = {
        "node": node,
        "family": family,
        "node_ips": addresses,
        "node_ip": addresses[0] if addresses else "",
        "random_fully": random_fully,
        "nfacct": nfacct,
        **more,
    }
    if mode:
        given["mode"] = mode
    cidrs = [c for d in objects if d["kind"] == "ServiceCIDR" for c in (d.get("spec") or {}).get("cidrs") or ()]
    if cidrs:
        given.setdefault("service_cidrs", tuple(c for c in cidrs if (":" in c) == (family == 6)))
    return from_configuration(config or {}, found, **given)


def proxyrules(objects: str, options: ProxyOptions, *, previous: str | None = None, jumps: bool = False) -> str:
    """What kube-proxy would feed to ``iptables-restore`` for these objects (after ``previous`` ones, a partial sync), or to ``nft -f``.

    IPVS mode: its sets, virtual servers and rules as ``ipset save``, ``ipvsadm-save`` and restore input (always all of it: each is compared
    with what the kernel holds).
    """
    mode = mode_named(options.mode)
    tracker = tracker_of(read_objects(objects), options.family)
    if mode in (ipvs, userspace):
        return mode.fresh_table_text(tracker, options, jumps=jumps)
    if mode is nftables:
        text = nftables.fresh_table_text(tracker, options)
        if previous is None:
            return text
        return nftables.with_stale(
            text, nftables.fresh_table_text(tracker_of(read_objects(previous), options.family), options)
        )
    if previous is None:
        return Rulebook().sync(tracker, options, [], full=True, jumps=jumps).text
    before = tracker_of(read_objects(previous), options.family)
    book = Rulebook()
    book.sync(before, options, [], full=True)
    names = {**before.services, **tracker.services}
    changed = sorted(
        n for n in names
        if before.services.get(n) != tracker.services.get(n) or before.slices.get(n) != tracker.slices.get(n)
    )  # fmt: skip
    return book.sync(tracker, options, changed, full=False, jumps=jumps).text


OWN_JUMPS = {
    "KUBE-NODE-PORT": ipvs.base_jumps,
    "KUBE-PORTALS-CONTAINER": userspace.base_jumps,
    "KUBE-SERVICES": base_jumps,
}
"""A chain by which a mode's restore input is known → the jumps that it makes beside it."""
NFT_VERBS = ("add", "create", "flush", "delete", "destroy")
NFT_OBJECTS = ("table", "chain", "rule", "set", "map", "element", "ruleset", "flowtable", "counter", "quota")


def is_nft(text: str) -> bool:
    """Whether this is nft's language rather than iptables'."""
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            return words[0] == "table" or (words[0] in NFT_VERBS and len(words) > 1 and words[1] in NFT_OBJECTS)
    return text.lstrip().startswith("#!/usr/sbin/nft")


def read_rules(text: str, family: int = 4) -> tuple[Ruleset, str]:
    """(the kernel, what was assumed) of any ``iptables-save`` or restore input, with ``ipset save`` and ``ipvsadm-save`` if there are any."""
    ruleset, assumed = parse_dump(text, family)
    nat = ruleset.tables.get("nat", {})
    marker = next((name for name in OWN_JUMPS if name in nat), "")
    if not marker or any(nat[chain].rules for chain in ("PREROUTING", "OUTPUT") if chain in nat):
        return ruleset, assumed
    added = Ruleset(family)
    restore(added, OWN_JUMPS[marker]())
    for table in ("filter", "nat"):
        for name, chain in added.tables[table].items():
            if chain.rules and name in ruleset.tables.get(table, {}):
                mine = ruleset.tables[table][name]
                there = [r for r in chain.rules if getattr(r.target, "chain", "") in ruleset.tables[table]]
                mine.rules = there + mine.rules
                mine.lines = [0] * len(there) + mine.lines
    also = "the text has no jumps from the built-in chains: kube-proxy's own were added (line 0)"
    return ruleset, f"{also}; {assumed}" if assumed else also


def tracepacket(
    rules: str,
    *,
    src: str,
    dst: str,
    protocol: str,
    port: int,
    node_ips: tuple[str, ...] = (),
    sport: int = 40000,
    in_interface: str | None = None,
    out_interface: str | None = None,
    tried: bool = False,
) -> dict[str, Any]:
    """Walk the first packet of a connection through ``rules``; ``tracepacket``'s JSON. Unknown words are reported at their line."""
    family = 6 if ":" in dst else 4
    if (":" in src) != (":" in dst):
        raise ValueError(f"{src} and {dst} are of different families")
    packet = Packet(src, dst, protocol.lower(), sport, port)
    if is_nft(rules):
        nft = parse_nft(rules)
        walker = NftWalker(nft, node_ips, tried, in_interface, out_interface)
        return _with_unknown(as_json(walker.walk(packet)), unknown_statements(nft))
    ruleset, assumed = read_rules(rules, family)
    walker = Walker(ruleset, node_ips, tried=tried, in_interface=in_interface, out_interface=out_interface)
    answer = as_json(walker.walk(packet))
    if assumed:
        answer["assumed"] = assumed
    return _with_unknown(answer, unknown_words(ruleset))


def walker_for(
    rules: str,
    *,
    node_ips: tuple[str, ...] = (),
    family: int = 4,
    in_interface: str | None = None,
    out_interface: str | None = None,
) -> Walker | NftWalker:
    """What walks any rule text. ParseError says the line and the reason."""
    if is_nft(rules):
        return NftWalker(parse_nft(rules), node_ips, False, in_interface, out_interface)
    ruleset, _ = read_rules(rules, family)
    return Walker(ruleset, node_ips, in_interface=in_interface, out_interface=out_interface)


def _with_unknown(answer: dict[str, Any], strange: list[str]) -> dict[str, Any]:
    if strange:
        answer["unknownInText"] = strange
    return answer


def unknown_statements(nft: Nft) -> list[str]:
    """The same for nft's language."""
    return [
        f"line {rule.line}: unknown {'statement' if one.final else 'match'} {one.text!r}"
        for table in nft.tables.values()
        for chain in table.chains.values()
        for rule in chain.rules
        for one in rule.statements
        if isinstance(one, Unknown)
    ]


def unknown_words(ruleset: Ruleset) -> list[str]:
    """Every match and target of the text that isn't simulated, met on this walk or not, by line."""
    found: list[tuple[int, str]] = []
    for chains in ruleset.tables.values():
        for chain in chains.values():
            for line, rule in zip(chain.lines, chain.rules, strict=False):
                found += [(line, f"unknown match {m.module!r}") for m in rule.matches if isinstance(m, UnknownMatch)]
                found += [
                    (line, "unknown match 'set'")
                    for m in rule.matches
                    if isinstance(m, SetMatch) and (m.rest or m.name not in ruleset.sets)
                ]
                if isinstance(rule.target, UnknownTarget):
                    found.append((line, f"unknown target {rule.target.name!r}"))
    return [f"line {line}: {what}" for line, what in sorted(found)]


__all__ = ["NotSupported", "ParseError", "options_for", "proxyrules", "read_objects", "read_rules", "tracepacket"]
