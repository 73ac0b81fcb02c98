"""A Service's rules as a drawing: chains are cards, rules their lines, jumps are lines from a rule to the chain that it sends the packet to.

In → out: lines of a dump (``rules_view.lines``) and those that concern a Service in; cards and links with coordinates out, and ``chains``: the whole dump by
table and chain, to be folded. Columns follow the longest way from the entry, so that every jump goes to the right.

Units: user units of the viewBox.
"""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _

from . import names
from .walk_words import short

CARD, GAP_X, GAP_Y = 296, 58, 18
HEAD, ROW = 28, 24
TOP = 8
MAX_CARDS = 12
"""Cards in one column; the others are counted."""
MAX_ROWS = 14
LETTERS = 33
SERVICE = (
    "KUBE-SVC-",
    "KUBE-SVL-",
    "KUBE-EXT-",
    "KUBE-FW-",
    "KUBE-XLB-",
    "service-",
    "local-",
    "external-",
    "firewall-",
)
ENDPOINT = ("KUBE-SEP-", "endpoint-")
MAX_LINES = 900
"""Lines of the whole dump that are sent; the rest is found by searching."""
PLAINER = (
    (re.compile(r"-m (?:tcp|udp|sctp) ?"), ""),
    (re.compile(r"-m statistic --mode random --probability (0\.\d{1,4})\d*"), r"p = \1"),
    (re.compile(r"-m addrtype --(src|dst)-type (\S+)"), r"\1 \2"),
    (re.compile(r"-m recent --name \S+ --rcheck --seconds (\d+) --reap"), r"seen within \1 s"),
    (re.compile(r"-m conntrack --ctstate"), "ctstate"),
    (re.compile(r"-m nfacct --nfacct-name\s+\S+ ?"), ""),
    (re.compile(r"/32\b"), ""),
    (re.compile(r"--dport"), "port"),
    (re.compile(r"-m (\w+) "), ""),
    (re.compile(r"-j DNAT --to-destination"), "DNAT"),
    (re.compile(r"-[jg] "), "→ "),
    (re.compile(r"meta l4proto (\w+) dnat to"), r"\1 dnat to"),
    (re.compile(r"numgen random mod (\d+) vmap .*"), r"one of \1 at random"),
)


def own(name: str) -> bool:
    """Whether a chain belongs to one Service."""
    return name.startswith((*SERVICE, *ENDPOINT))


def tree(rows: list[dict[str, Any]], concerned: set[int]) -> dict[str, Any] | None:
    """Return cards and links, or None when the dump has no chains of this Service."""
    mine = [row for row in rows if row["number"] in concerned and row["kind"] in ("rule", "element")]
    chains: dict[str, list[dict[str, Any]]] = {}
    for row in mine:
        inside = row["chain"] or row.get("set", "")
        if inside:
            chains.setdefault(inside, []).append(row)
    if not any(own(name) for name in chains):
        return None
    depth = _depths(chains)
    columns: dict[int, list[str]] = {}
    for name in chains:
        columns.setdefault(depth[name], []).append(name)
    cards: dict[str, dict[str, Any]] = {}
    more = 0
    for column in sorted(columns):
        y = TOP
        # In the order of the rules that lead there, so that lines cross as little as can be.
        led = {
            to: at for at, to in enumerate(to for card in cards.values() for row in card["rows"] for to in row["to"])
        }
        columns[column].sort(key=lambda name, led=led: led.get(name, -1))
        for name in columns[column][:MAX_CARDS]:
            card = _card(name, chains[name], column, y, chains)
            cards[name] = card
            y += card["h"] + GAP_Y
        more += max(len(columns[column]) - MAX_CARDS, 0)
    height = max(card["y"] + card["h"] for card in cards.values()) + TOP
    _center(cards, height)
    for card in cards.values():
        _texts(card)
    links = [
        _link(row, cards[to], [one for one in cards.values() if card["x"] < one["x"] < cards[to]["x"]])
        for card in cards.values()
        for row in card["rows"]
        for to in row["to"]
        if to in cards
    ]
    height = max([height, *(link["low"] + TOP for link in links)])
    width = (max(columns) + 1) * CARD + max(columns) * GAP_X + 2 * TOP
    return {"cards": list(cards.values()), "links": links, "width": width, "height": round(height), "more": more}


def _targets(row: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(re.findall(r"(?:-[jg]|jump|goto) ([^\s,}]+)", row["text"])))


def _depths(chains: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    """The longest way to every chain from where packets come in."""
    depth = dict.fromkeys(chains, 0)
    for _turn in range(len(chains)):
        moved = False
        for name, rows in chains.items():
            for row in rows:
                for to in _targets(row):
                    if to in depth and to != name and depth[to] <= depth[name] and depth[name] < 6:
                        depth[to], moved = depth[name] + 1, True
        if not moved:
            break
    return depth


def _card(name: str, rows: list[dict[str, Any]], column: int, y: float, chains: dict[str, Any]) -> dict[str, Any]:
    shown = rows[:MAX_ROWS]
    lines = []
    for row in shown:
        to = [target for target in _targets(row) if target in chains]
        lines.append(
            {
                "number": row["number"],
                "text": names.cut(plain(row["text"], bool(to)), LETTERS),
                "full": row["text"].strip(),
                "to": to,
            }
        )
    height = HEAD + ROW * len(lines) + (ROW if len(rows) > len(shown) else 0) + 6
    x = TOP + column * (CARD + GAP_X)
    kind = "endpoint" if name.startswith(ENDPOINT) else "own" if own(name) else "entry"
    return {
        "name": name,
        "label": names.cut(name, 31),
        "kind": kind,
        "x": x,
        "y": y,
        "w": CARD,
        "h": height,
        "rows": lines,
        "left": len(rows) - len(shown),
        "table": rows[0]["table"],
    }


def plain(text: str, followed: bool) -> str:
    """Return a rule in few letters; where a line shows the jump its target is left out."""
    parts = short(text.strip())
    said = f"{parts['ask']} {'' if followed else parts['act']}".strip()
    for pattern, to in PLAINER:
        said = pattern.sub(to, said)
    if followed:
        said = re.sub(r"\s*:?\s*(?:jump|goto) \S+", "", re.sub(r'\s*comment "[^"]*"', "", said))
    return said.strip(" ,") or _("every packet")


def _center(cards: dict[str, dict[str, Any]], height: float) -> None:
    """Each column stands in the middle."""
    by_x: dict[float, list[dict[str, Any]]] = {}
    for card in cards.values():
        by_x.setdefault(card["x"], []).append(card)
    for column in by_x.values():
        used = column[-1]["y"] + column[-1]["h"] + TOP
        for card in column:
            card["y"] = round(card["y"] + (height - used) / 2)


def _texts(card: dict[str, Any]) -> None:
    card["head_y"] = card["y"] + 19
    card["rule_y"] = card["y"] + HEAD
    card["text_x"] = card["x"] + 10
    for at, row in enumerate(card["rows"]):
        row["y"] = card["y"] + HEAD + ROW * at + 17
        row["mid"] = row["y"] - 5
        row["right"] = card["x"] + card["w"]
    card["left_y"] = card["y"] + HEAD + ROW * len(card["rows"]) + 17


def _link(row: dict[str, Any], card: dict[str, Any], between: list[dict[str, Any]]) -> dict[str, Any]:
    """A jump: a curve to the next column; past the cards of the columns between it, beneath them."""
    x1, y1, x2, y2 = row["right"], row["mid"], card["x"], card["y"] + 14
    bend = GAP_X * 0.6
    tip = f"M{x2 - 7:g} {y2 - 4:g}L{x2:g} {y2:g}L{x2 - 7:g} {y2 + 4:g}"
    if not between:
        return {
            "d": f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2 - 6:g} {y2:g}",
            "tip": tip,
            "low": 0,
        }
    low = max(one["y"] + one["h"] for one in between) + 12
    left, right = x1 + GAP_X, x2 - GAP_X
    way = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {left - bend:g} {low:g} {left:g} {low:g}H{right:g}"
    return {"d": f"{way}C{right + bend:g} {low:g} {x2 - bend:g} {y2:g} {x2 - 6:g} {y2:g}", "tip": tip, "low": low}


def folded(rows: list[dict[str, Any]], concerned: set[int], query: str) -> dict[str, Any]:
    """Return tables → chains → lines to fold; with a ``query`` only chains with such a line, and those open."""
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    heads: dict[str, str] = {}
    wanted = query.lower()
    for row in rows:
        if row["kind"] in ("comment", "commit", "table"):
            continue
        name = row["chain"] or row.get("set", "")
        if not name:
            continue
        chain = tables.setdefault(row["table"], {}).setdefault(
            name, {"name": name, "lines": [], "concerned": False, "hit": False}
        )
        chain["concerned"] = chain["concerned"] or row["number"] in concerned
        chain["hit"] = chain["hit"] or bool(wanted and wanted in row["text"].lower())
        if row["kind"] == "chain":
            heads[f"{row['table']} {name}"] = row["text"]
        else:
            chain["lines"].append(row)
    left = MAX_LINES
    hidden = 0
    out = []
    for table, chains in tables.items():
        shown = []
        for chain in sorted(chains.values(), key=lambda c: not (c["concerned"] or c["hit"])):
            if wanted and not chain["hit"]:
                continue
            if len(chain["lines"]) > left:
                hidden += 1
                continue
            left -= len(chain["lines"])
            head = heads.get(f"{table} {chain['name']}", "")
            lines = [
                {
                    **line,
                    "parts": _parts(line["text"], chains),
                    "concerned": line["number"] in concerned,
                    "hit": bool(wanted and wanted in line["text"].lower()),
                }
                for line in chain["lines"]
            ]
            shown.append(
                {**chain, "lines": lines, "count": len(lines), "head": head, "anchor": anchor(table, chain["name"])}
            )
        shown.sort(key=lambda c: list(chains).index(c["name"]))
        if shown:
            out.append({"name": table, "chains": shown})
    for table in out:
        table["bare"] = [chain["name"] for chain in table["chains"] if not chain["lines"]]
        table["chains"] = [chain for chain in table["chains"] if chain["lines"]]
    out.sort(key=lambda table: not any(chain["concerned"] for chain in table["chains"]))
    return {"tables": out, "hidden": hidden}


def anchor(table: str, chain: str) -> str:
    """Return a chain's id on the page."""
    return re.sub(r"[^\w.-]", "_", f"c-{table}-{chain}")


def _parts(text: str, chains: dict[str, Any]) -> list[dict[str, str]]:
    """A line's text in pieces; names of chains are links."""
    out: list[dict[str, str]] = []
    end = 0
    for found in re.finditer(r"(?:-[jg]|jump|goto) ([^\s,}]+)", text):
        if found[1] in chains:
            out += [{"text": text[end : found.start(1)]}, {"text": found[1], "to": found[1]}]
            end = found.end(1)
    return [*out, {"text": text[end:]}]
