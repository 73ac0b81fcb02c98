"""Words and small geometry that the map's templates ask for."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from explainer.fragments import map_field, map_parts, names, words
from explainer.fragments.words import noop

register = template.Library()

LANES = {
    "clients": noop("clients"),
    "control": noop("controllers, scheduler"),
    "api": noop("API gate"),
    "etcd": "etcd",
    "nodes": noop("nodes"),
}
NARROW = {"control": noop("control"), "api": noop("gate")}
"""Where the sheet is a projector's."""
WORST = {
    "down": noop("stopped"),
    "notready": noop("not ready"),
    "paused": noop("paused"),
    "failing": noop("failing"),
    "cordoned": noop("cordoned"),
    "working": noop("working"),
    "fine": noop("fine"),
}
FAULTS = {
    "cut": noop("cut"),
    "apart": noop("parted"),
    "slow": noop("slow"),
    "lossy": noop("lossy"),
}


@register.simple_tag
def lane_word(word: str, sheet: map_parts.Sheet) -> str:
    """The word over a lane."""
    labels = LANES | NARROW if sheet.big or sheet.crowd else LANES
    return _(labels[word])


@register.simple_tag(takes_context=True)
def here(context: dict[str, Any], /, **parameters: str) -> str:
    """This page's address with ``parameters``, in the moment and on the sheet that it shows."""
    return f"?{urlencode(context['frame']['kept'] | parameters)}"


@register.simple_tag
def state_name(state: str) -> str:
    """What a name says behind it when the thing doesn't run."""
    return {"down": ", " + _("stopped"), "paused": ", " + _("paused")}.get(state, "")


@register.simple_tag
def way_name(link: map_parts.Link) -> str:
    """A line's name for who can't see it."""
    ends = {"nodes": _("nodes"), "outside": "kubectl, curl", "console": _("console")}
    name = f"{ends.get(link.a, link.a)} – {ends.get(link.b, link.b)}"
    return f"{name}, {_(FAULTS[link.fault])} {link.said}".strip() if link.fault else name


@register.filter
def worst_word(state: str) -> str:
    """A node's worst state in a word."""
    return _(WORST[state])


@register.simple_tag
def cell_name(cell: map_parts.Cell) -> str:
    """A cell's name for who can't see it."""
    parts = [f"{count} {words.phase(phase)}" for phase, count, _x in cell.counts]
    return ", ".join(
        [cell.name, _(WORST[cell.worst]), *parts, _("CPU asked for: {n} %").format(n=round(cell.cpu / 10))]
    )


@register.simple_tag
def nodes_name(field: map_parts.Field) -> str:
    """The grid's name for who can't see it."""
    parts = [f"{count} {_(WORST[state])}" for state, count, _x in field.legend]
    return _("{n} nodes. Arrow keys move over them.").format(n=len(field.cells)) + " " + ", ".join(parts)


@register.simple_tag
def glyph_at(box: map_parts.Box) -> dict[str, int]:
    """Where a box's glyph and name stand: above each other, or side by side when the box is low."""
    size = box.glyph
    if box.low:
        x, y = box.x + 6, box.cy - size // 2
        return {
            "x": x,
            "y": y,
            "size": size,
            "cx": x + size // 2,
            "term": box.cy + 5,
            "tx": x + size + 6,
            "ty": box.cy + 5,
        }
    y = box.y + max((box.h - size - 26) // 2, 4)
    return {
        "x": box.cx - size // 2,
        "y": y,
        "size": size,
        "cx": box.cx,
        "term": y + size // 2 + 7,
        "tx": box.cx,
        "ty": y + size + 18,
    }


@register.simple_tag
def mark(state: str, x: int, y: int, big: bool) -> str:
    """A node's glyph for keys and racks."""
    return map_field.glyph(state, x, y + 2, 16 if big else 13)


@register.filter
def foot(cell: map_parts.Cell) -> int:
    """Where a cell's load bar lies."""
    return cell.y + cell.h - 5


@register.simple_tag
def kind_symbol(kind: str) -> str:
    """The symbol of a found thing."""
    return {"pod": "phase-Ready", "host": "kind-host", "service": "kind-service"}.get(kind, f"kind-{kind}")


@register.simple_tag
def request_at(frame: dict[str, Any], number: int) -> str:
    """A request's page, in the moment shown."""
    return f"/clusters/{frame['cluster']}/requests/{number}/{frame['keep']}"


@register.simple_tag
def object_at(frame: dict[str, Any], resource: str, namespace: str, name: str) -> str:
    """An object's page, in the moment shown."""
    parts = [resource, namespace or "-", name]
    return f"/clusters/{frame['cluster']}/objects/{'/'.join(parts)}/{frame['keep']}"


@register.simple_tag
def flight_row(flight: dict[str, Any], now: int) -> str:
    """A message in flight as a line of text (``flight.row`` in templates/frame/words.html says the same)."""
    words = _("{label}: {src} → {dst}, arrives in {left}")
    return words.format(**{**flight, "left": names.span(flight["arriveMicros"] - now)})


@register.simple_tag
def phase_words() -> list[tuple[str, str]]:
    """Every phase with its word."""
    return [(phase, words.phase(phase)) for phase in map_field.PHASES]


FACTS = {
    "ready": noop("ready"),
    "inflight": noop("requests in flight"),
    "watchers": noop("open watches"),
    "objects": noop("objects in its watch cache"),
    "leader": noop("leads"),
    "queue": noop("queue"),
    "rules": noop("rules"),
    "mode": noop("mode"),
    "endpoints": noop("endpoints"),
    "services": noop("Services"),
    "term": noop("term"),
    "role": noop("role"),
    "images": noop("images"),
}


@register.simple_tag
def fact_word(key: str) -> str:
    """What a process's fact is called; upstream's own name where there is no better."""
    return _(FACTS[key]) if key in FACTS else key


@register.simple_tag
def percent(permille: int) -> int:
    """Thousandths as a hundredth."""
    return round(permille / 10)


@register.simple_tag
def percent_of(part: float) -> int:
    """A part of one as a hundredth."""
    return round(part * 100)


def phases_line(counts: list[int]) -> str:
    """``8 Ready, 1 Pending`` from a cell's counts."""
    there = [f"{count} {words.phase(phase)}" for phase, count in zip(map_field.PHASES, counts, strict=True) if count]
    return ", ".join(there)


@register.simple_tag
def pods_line(host: str, model: dict[str, Any]) -> str:
    """A worker's pods counted by phase."""
    cell = next((one for one in model.get("cells", ()) if one["name"] == host), None)
    return phases_line(cell["counts"]) if cell else ""


@register.simple_tag
def racks_table(model: dict[str, Any]) -> list[dict[str, str]]:
    """The racks in words; nothing where every node has a row of its own."""
    workers = model.get("cells") or []
    if len(workers) <= map_field.LISTED_WORKERS:
        return []
    rows: list[dict[str, str]] = []
    for label, members in map_field.racks(workers):
        states = [map_field.worst(member) for member in members]
        there = [f"{states.count(state)} {_(WORST[state])}" for state in map_field.STATES if state in states]
        sums = [sum(column) for column in zip(*(member["counts"] for member in members), strict=True)]
        rows.append({"label": label, "states": ", ".join(there), "pods": phases_line(sums)})
    return rows


@register.simple_tag
def fact_value(value: Any) -> Any:
    """A process's fact as it is read: yes or no, a dash for nothing."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "–" if value in (None, "") else value
