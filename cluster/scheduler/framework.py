"""The scheduling framework: runs the plug-ins over the Nodes and keeps every answer.

A cycle in → one Pod and all Nodes; out → the Node, or why none. First each plug-in's ``pre_filter`` reads what it needs once
(or steps aside, or refuses the Pod everywhere); then for each Node the ``filter`` s in order until one says no; then the
``score`` s of those that remain, normalised to 0…100 per plug-in and multiplied by its weight. Of equal best the dice choose.

With 100 Nodes or more only a share of them is searched (50 % − Nodes/125, at least 5 % and 100 feasible ones), going on from
where the last cycle stopped.

Pods of one template ask the same of a Node, and a Node changes only when a Pod comes or goes: what ``local`` plug-ins say of a
Node is remembered per kind of Pod (``Overview.known``) until the Node changes, and Nodes of which all plug-ins say the same
share one row of scores. It is derived, and never differs from asking again.

The folder ``plugins`` is the registry: one file, one ``Plugin``. ``order`` says when its filter runs.

Upstream: kubernetes pkg/scheduler/{schedule_one.go,framework/runtime/framework.go,apis/config/v1/default_plugins.go}.
"""

from collections.abc import Hashable
from functools import lru_cache
from importlib import import_module
from itertools import chain, islice
from pkgutil import iter_modules
from typing import Any, ClassVar

import orjson
from msgspec import Struct, field

from cluster.clientgo import Doc, Store
from cluster.scheduler import plugins as folder
from cluster.scheduler.nodeinfo import NodeInfo, PodFacts
from cluster.sim import Dice

MAX_SCORE = 100
MIN_FEASIBLE = 100
SHOWN = 24
"""Nodes in the matrix that people are shown."""


class Reason(Struct, frozen=True):
    """Why a plug-in refuses. ``unresolvable``: no preemption could help."""

    texts: tuple[str, ...]
    unresolvable: bool = False
    plugin: str = ""


class Verdict:
    """What the local plug-ins said of ``node`` when it was at ``generation``."""

    __slots__ = ("facts", "generation", "node", "refusal")

    def __init__(self, node: NodeInfo, refusal: Reason | None) -> None:
        self.node, self.generation, self.refusal = node, node.generation, refusal
        self.facts: tuple[Hashable, ...] | None = None


KINDS = 16
"""Kinds of Pods remembered at once."""


class Overview:
    """What the scheduler keeps of all Nodes together, so that no cycle goes over all of them. Derived from them."""

    def __init__(self, nodes: dict[str, NodeInfo]) -> None:
        self.nodes = {name: info for name, info in nodes.items() if info.doc is not None}
        self.names = list(self.nodes)
        self.images: dict[str, int] = {}
        """Image → how many Nodes have it."""
        self.affine: dict[str, None] = {}
        """Nodes with Pods that have pod affinity or anti-affinity."""
        self.known: dict[bytes, list[Verdict | None]] = {}
        for info in self.nodes.values():
            self.count_images(info, 1)
            self.look(info)

    def count_images(self, info: NodeInfo, by: int) -> None:
        """``info``'s images come (1) or go (-1)."""
        for image in info.images:
            self.images[image] = self.images.get(image, 0) + by

    def look(self, info: NodeInfo) -> None:
        """A Pod came to ``info`` or left it."""
        if info.with_affinity:
            self.affine[info.name] = None
        else:
            self.affine.pop(info.name, None)

    def verdicts(self, kind: bytes) -> "list[Verdict | None]":
        """What is known for Pods of that kind of each Node, in the order of ``names``."""
        found = self.known.get(kind)
        if found is None:
            if len(self.known) >= KINDS:
                del self.known[next(iter(self.known))]
            found = self.known[kind] = [None] * len(self.names)
        return found


def kind_of(pod: PodFacts) -> bytes:
    """Everything that local plug-ins read of a Pod: equal for Pods of one template."""
    spec: Doc = pod.doc["spec"]
    images = [c.get("image") for group in ("initContainers", "containers") for c in spec.get(group) or ()]
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity")
    return orjson.dumps([
        pod.requests, pod.nonzero_cpu, pod.nonzero_memory, pod.ports, spec.get("nodeName"), spec.get("nodeSelector"),
        node_affinity, spec.get("tolerations"), images,
    ])  # fmt: skip


class Cycle:
    """One Pod's way through the plug-ins. ``data``: what each plug-in noted for itself in ``pre_filter``/``pre_score``."""

    def __init__(self, pod: PodFacts, overview: Overview, stores: dict[str, Store]) -> None:
        self.pod = pod
        self.spec: Doc = pod.doc["spec"]
        self.overview = overview
        self.nodes = overview.nodes
        self.stores = stores
        self.data: dict[str, Any] = {}
        self.only: dict[str, str] = {}
        """Node → the plug-in that allows no others; empty: all Nodes may be tried."""

    def affine_nodes(self) -> list[NodeInfo]:
        """Nodes with Pods that have pod affinity or anti-affinity."""
        return [self.nodes[name] for name in self.overview.affine if name in self.nodes]


class Plugin:
    """One plug-in. What it doesn't override it doesn't do."""

    name: ClassVar[str]
    order: ClassVar[int] = 100
    weight: ClassVar[int] = 0
    """0: it doesn't score."""
    local: ClassVar[bool] = False
    """Its filter and its facts depend on the Node and on what ``kind_of`` says of the Pod, and on nothing else."""
    reacts_to: ClassVar[tuple[str, ...]] = ()
    """Events after which a Pod it refused may fit: node/add node/update pod/add pod/delete pod/update volume."""

    def pre_filter(self, cycle: Cycle) -> Reason | bool:
        """False: nothing to filter for this Pod. True: ask ``filter``. A Reason: no Node will do."""
        return True

    def filter(self, cycle: Cycle, node: NodeInfo) -> Reason | None:
        """None: the Node will do."""
        return None

    def pre_score(self, cycle: Cycle, nodes: list[NodeInfo]) -> bool:
        """False: nothing to score for this Pod."""
        return True

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """How good, in a unit of its own."""
        return 0

    def facts(self, cycle: Cycle, node: NodeInfo) -> Hashable:
        """Of a ``local`` plug-in: all that the score depends on, beside what ``pre_score`` read."""
        return self.score(cycle, node)

    def score_of(self, cycle: Cycle, facts: Any) -> int:
        """Of a ``local`` plug-in: the score of a Node with these facts."""
        return facts

    def normalize(self, cycle: Cycle, scores: dict[str, int]) -> dict[str, int]:
        """The same in 0…100."""
        return scores


def default_normalize(scores: dict[str, int], reverse: bool) -> dict[str, int]:
    """The best gets 100 (helper.DefaultNormalizeScore); ``reverse``: the lowest is the best."""
    top = max(scores.values(), default=0)
    if top == 0:
        return dict.fromkeys(scores, MAX_SCORE) if reverse else scores
    result = {name: MAX_SCORE * value // top for name, value in scores.items()}
    return {name: MAX_SCORE - value for name, value in result.items()} if reverse else result


@lru_cache(maxsize=1)
def registry() -> tuple[Plugin, ...]:
    """All plug-ins, in the order in which their filters run."""
    found: list[Plugin] = []
    for module in sorted(info.name for info in iter_modules(folder.__path__)):
        for value in vars(import_module(f"{folder.__name__}.{module}")).values():
            if isinstance(value, type) and issubclass(value, Plugin) and value.__module__.endswith(f".{module}"):
                found.append(value())
    return tuple(sorted(found, key=lambda plugin: plugin.order))


class Outcome(Struct):
    """What became of a cycle. ``node`` empty: nowhere. ``refused``: Node → Reason."""

    node: str = ""
    refused: dict[str, Reason] = field(default_factory=dict)
    feasible: list[NodeInfo] = field(default_factory=list)
    """The Nodes that would do, in the order they were found."""
    groups: list[list[str]] = field(default_factory=list)
    """Nodes that all plug-ins say the same of."""
    rows: list[dict[str, list[int]]] = field(default_factory=list)
    """Of each group: plug-in → [raw, normalised, weighted]."""
    sums: list[int] = field(default_factory=list)
    """Of each group: the sum of what is weighted."""
    everywhere: Reason | None = None
    """A ``pre_filter`` refused the Pod as such."""
    evaluated: int = 0
    best: int = 1
    """How many Nodes share the highest score."""
    next_start: int = 0

    @property
    def scores(self) -> dict[str, dict[str, list[int]]]:
        """Node → plug-in → [raw, normalised, weighted]."""
        return {name: row for names, row in zip(self.groups, self.rows, strict=True) for name in names}

    def leading(self, count: int) -> dict[str, dict[str, list[int]]]:
        """The rows of the ``count`` Nodes with the highest sums; of equal ones those that were found first."""
        found: dict[str, dict[str, list[int]]] = {}
        for total in sorted(set(self.sums), reverse=True):
            rows = self._rows_with(total)
            for name in self.names_with(total)[: count - len(found)]:
                found[name] = rows[name]
            if len(found) >= count:
                break
        return found

    def names_with(self, total: int) -> list[str]:
        """The Nodes with that sum, in the order they were found."""
        some = [names for names, found in zip(self.groups, self.sums, strict=True) if found == total]
        if len(some) == 1:
            return some[0]
        wanted = {name for names in some for name in names}
        return [node.name for node in self.feasible if node.name in wanted]

    def _rows_with(self, total: int) -> dict[str, dict[str, list[int]]]:
        parts = zip(self.groups, self.rows, self.sums, strict=True)
        return {name: row for names, row, found in parts if found == total for name in names}


def feasible_wanted(count: int) -> int:
    """How many feasible Nodes are enough (numFeasibleNodesToFind)."""
    if count < MIN_FEASIBLE:
        return count
    percent = max(5, 50 - count // 125)
    return max(MIN_FEASIBLE, count * percent // 100)


def run_filters(cycle: Cycle, names: list[str], start: int) -> tuple[list[Verdict], Outcome]:
    """The Nodes that will do, and why the others won't. ``names``: the overview's."""
    outcome = Outcome(next_start=start)
    active: list[Plugin] = []
    for plugin in registry():
        verdict = plugin.pre_filter(cycle)
        if isinstance(verdict, Reason):
            outcome.everywhere = Reason(verdict.texts, verdict.unresolvable, plugin.name)
            return [], outcome
        if verdict and type(plugin).filter is not Plugin.filter:
            active.append(plugin)
    feasible: list[Verdict] = []
    wanted, count = feasible_wanted(len(names)), len(names)
    if cycle.only:
        texts = "node(s) didn't satisfy plugin(s) [" + " ".join(sorted(set(cycle.only.values()))) + "]"
        excluded = Reason((texts,), True, next(iter(cycle.only.values())))
        for name in names:
            if name not in cycle.only:
                outcome.refused[name] = excluded
        names = (
            [name for name in names if name in cycle.only]
            if len(cycle.only) > 1
            else [name for name in cycle.only if name in cycle.nodes]
        )
        start, count = 0, len(names)
        verdicts: list[Verdict | None] = [None] * count
    else:
        verdicts = cycle.overview.verdicts(kind_of(cycle.pod))
    local = [plugin for plugin in active if plugin.local]
    others = [plugin for plugin in active if not plugin.local]
    evaluated = 0
    for place in chain(range(start, count), range(start)):
        evaluated += 1
        known = verdicts[place]  # what the local filters say, asked only if the Node has changed
        if known is None or known.generation != known.node.generation:
            node = cycle.nodes[names[place]]
            known = verdicts[place] = Verdict(node, filter_node(cycle, node, local))
        refusal = known.refusal
        if refusal is None and others:
            refusal = filter_node(cycle, known.node, others)
        if refusal is None:
            feasible.append(known)
            if len(feasible) >= wanted:
                break
        else:
            outcome.refused[known.node.name] = refusal
    outcome.evaluated = evaluated
    if not cycle.only and count:
        outcome.next_start = (start + outcome.evaluated) % count
    cycle.data["filters"] = active
    return feasible, outcome


def filter_node(cycle: Cycle, node: NodeInfo, active: list[Plugin]) -> Reason | None:
    """The first refusal."""
    for plugin in active:
        refusal = plugin.filter(cycle, node)
        if refusal is not None:
            return Reason(refusal.texts, refusal.unresolvable, plugin.name)
    return None


def run_scores(cycle: Cycle, feasible: list[Verdict], outcome: Outcome, dice: Dice) -> None:
    """Choose among ``feasible``."""
    if len(feasible) == 1:
        outcome.node = feasible[0].node.name
        return
    nodes = [verdict.node for verdict in feasible]
    scoring = [plugin for plugin in registry() if plugin.weight]
    active = [plugin for plugin in scoring if plugin.pre_score(cycle, nodes)]
    local = [plugin for plugin in scoring if plugin.local]
    places = {plugin.name: place for place, plugin in enumerate(local)}
    asked: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
    for plugin in active:
        if not plugin.local:
            raw = {node.name: plugin.score(cycle, node) for node in nodes}
            asked[plugin.name] = (raw, plugin.normalize(cycle, raw))
    tables = [table for pair in asked.values() for table in pair]
    # Nodes that all plug-ins say the same of are one group, and get one row.
    groups: dict[tuple[Any, ...], list[str]] = {}
    for verdict in feasible:
        name, key = verdict.node.name, verdict.facts
        if key is None:
            key = verdict.facts = tuple([plugin.facts(cycle, verdict.node) for plugin in local])
        if tables:
            key = (*key, *[table[name] for table in tables])
        names = groups.get(key)
        if names is None:
            groups[key] = [name]
        else:
            names.append(name)
    rows: list[dict[str, list[int]]] = [{} for _ in groups]
    totals = [0] * len(groups)
    firsts = [names[0] for names in groups.values()]
    for plugin in active:
        if plugin.local:
            place = places[plugin.name]
            raw = {names[0]: plugin.score_of(cycle, key[place]) for key, names in groups.items()}
            normal = plugin.normalize(cycle, raw)
        else:
            raw, normal = asked[plugin.name]
        for number, name in enumerate(firsts):
            weighted = normal[name] * plugin.weight
            totals[number] += weighted
            rows[number][plugin.name] = [raw[name], normal[name], weighted]
    outcome.feasible, outcome.groups, outcome.rows, outcome.sums = nodes, list(groups.values()), rows, totals
    winners = outcome.names_with(max(totals))
    outcome.best = len(winners)
    outcome.node = winners[0] if len(winners) == 1 else winners[dice.below(len(winners))]


def explained(cycle: Cycle, outcome: Outcome, names: list[str]) -> dict[str, Any]:
    """The plug-in × Node matrix, for people: ``{nodes, filters, refused, scores, weights, winner, everywhere?, more}``.

    ``filters``: the plug-ins that were asked about each Node, in order. ``refused``: Node → [plug-in, why]. ``scores``: Node →
    plug-in → [raw, normalised, weighted]. Of many Nodes only ``SHOWN`` are told (the best scores, the first refused); ``more``
    says how many were left out.
    """
    scored = outcome.leading(SHOWN)
    kept = dict.fromkeys([outcome.node, *scored] if outcome.node else scored)
    for name in islice(outcome.refused, max(SHOWN - len(kept), 8)):
        kept[name] = None
    told: dict[str, Any] = {
        "nodes": list(kept),
        "filters": [plugin.name for plugin in cycle.data.get("filters", ())],
        "refused": {
            n: [outcome.refused[n].plugin, ", ".join(outcome.refused[n].texts)] for n in kept if n in outcome.refused
        },
        "scores": scored,
        "weights": weights(),
        "winner": outcome.node,
        "more": len(names) - len(kept),
    }
    if outcome.everywhere is not None:
        told["everywhere"] = [outcome.everywhere.plugin, ", ".join(outcome.everywhere.texts)]
    return told


@lru_cache(maxsize=1)
def weights() -> dict[str, int]:
    """Plug-in → its weight, of those that score."""
    return {plugin.name: plugin.weight for plugin in registry() if plugin.weight}


def failure_text(outcome: Outcome, total: int, preemption: str) -> str:
    """``0/3 nodes are available: 1 Insufficient cpu, 2 node(s) …. preemption: …`` (FitError.Error)."""
    text = f"0/{total} nodes are available:"
    if outcome.everywhere is not None:
        text += f" {', '.join(outcome.everywhere.texts)}."
    else:
        counts: dict[str, int] = {}
        for reason in outcome.refused.values():
            for entry in reason.texts:
                counts[entry] = counts.get(entry, 0) + 1
        if counts:
            text += " " + ", ".join(sorted(f"{count} {entry}" for entry, count in counts.items())) + "."
    return f"{text} {preemption}" if preemption else text
