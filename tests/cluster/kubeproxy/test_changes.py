"""However objects change, what partial syncs leave in a kernel is what a first full sync would write: no stale chain, no missing one."""

from random import Random
from typing import Any

import pytest
from msgspec import structs

from cluster.kubeproxy.change_tracker import ChangeTracker
from cluster.kubeproxy.modes import iptables, ipvs, nftables
from cluster.kubeproxy.rulebook import Rulebook
from cluster.kubeproxy.writes import NftablesWrite, TablesWrite, WholeWrite
from cluster.netfilter.ipvs import save_servers
from cluster.netfilter.nft_render import list_ruleset
from cluster.netfilter.node_tables import NodeTables
from cluster.netfilter.render import save
from tests.cluster.kubeproxy.test_agreement import OPTIONS, world

Docs = dict[tuple[str, str], dict[str, Any]]


def changed(docs: Docs, dice: Random) -> Docs:
    """Another world of the same names, with some of the old objects kept: so Services go while their endpoints stay, ports get other
    names, addresses move, slices come without a Service."""
    other = {(d["kind"], d["metadata"]["name"]): d for d in world(dice.randrange(10_000)).documents}
    made: Docs = {}
    for key in {**docs, **other}:
        pick = dice.choice(
            (docs.get(key), other.get(key), None) if dice.random() < 0.3 else (docs.get(key), other.get(key))
        )
        if pick is None:
            continue
        if key[0] == "Service" and dice.random() < 0.3:
            ports = [{**port, "name": dice.choice((port["name"], "web", ""))} for port in pick["spec"]["ports"][:1]]
            pick = {**pick, "spec": {**pick["spec"], "ports": ports}}
        made[key] = pick
    return made


def tell(tracker: ChangeTracker, before: Docs, after: Docs) -> None:
    for key in {**before, **after}:
        if before.get(key) is not after.get(key):
            heard = tracker.service if key[0] == "Service" else tracker.endpoint_slice
            heard(before.get(key), after.get(key))


def fresh(docs: Docs) -> ChangeTracker:
    tracker = ChangeTracker()
    tell(tracker, {}, docs)
    return tracker


def chains(tables: NodeTables) -> dict[str, list[str]]:
    """Chain → its rules, those that services share in no order."""
    found: dict[str, list[str]] = {}
    table = ""
    for line in save(tables.ruleset, counters=False).splitlines():
        if line.startswith("*"):
            table = line
        elif line.startswith(":"):
            found[f"{table} {line.split()[0]}"] = []
        elif line.startswith("-A "):
            found[f"{table} :{line.split()[1]}"].append(line)
    return {
        chain: rules if "KUBE-S" in chain and "-SERVICES" not in chain else sorted(rules)
        for chain, rules in found.items()
    }


def iptables_kernel(book: Rulebook, tables: NodeTables, tracker: ChangeTracker, full: bool) -> None:
    book.update(tracker, OPTIONS, list(tracker.take_changes()), full=full)
    tables.write(TablesWrite("iptables", OPTIONS, tuple(book.names), dict(book.ports), full))
    tables.current()


@pytest.mark.parametrize("seed", range(15))
def test_iptables(seed: int) -> None:
    dice, docs, tracker, book, tables = Random(seed), {}, ChangeTracker(), Rulebook(), NodeTables()
    for step in range(5):
        after = changed(docs, dice)
        tell(tracker, docs, after)
        docs = after
        iptables_kernel(book, tables, tracker, full=step == 0)
        first = NodeTables()
        iptables_kernel(Rulebook(), first, fresh(docs), full=True)
        assert chains(tables) == chains(first), step
        assert book.rules == sum(iptables_size(rules) for rules in book.ports.values())


def iptables_size(rules: iptables.PortRules) -> int:
    return len(rules.filter) + len(rules.nat) + sum(len(lines) for _, lines in rules.chains)


@pytest.mark.parametrize("seed", range(4))
def test_nftables_and_ipvs(seed: int) -> None:
    dice, docs, tracker, tables = Random(seed), {}, ChangeTracker(), NodeTables()
    for _ in range(4):
        after = changed(docs, dice)
        tell(tracker, docs, after)
        docs = after
        told = fresh(docs)
        for into, source in ((tables, tracker), (first := NodeTables(), told)):
            for mode, written, kind in ((nftables, "nftables", NftablesWrite), (ipvs, "ipvs", WholeWrite)):
                options = structs.replace(OPTIONS, mode=written)
                ports = {
                    name: one
                    for service in source.services
                    for name, one in mode.chosen(source, service, options).items()
                }
                into.write(kind(written, options, ports))
                into.current()
        assert list_ruleset(tables.nft) == list_ruleset(first.nft)
        assert chains(tables) == chains(first)
        assert {name: found.entries for name, found in tables.ruleset.sets.items()} == {
            name: found.entries for name, found in first.ruleset.sets.items()
        }
        assert tables.ruleset.ipvs is not None and first.ruleset.ipvs is not None
        mine, theirs = (sorted(save_servers(one.ruleset.ipvs).splitlines()) for one in (tables, first))
        assert mine == theirs and tables.ruleset.ipvs.addresses == first.ruleset.ipvs.addresses
