"""A journey in words: a sentence for every step, what a rule compares, and why a rule nearly caught the packet.

In → out: frames of ``cluster/netfilter/journey.py`` in, the same with ``sentence``, ``title``, ``checks`` and ``near`` in the reader's language
out. Names that the kernel and kube-proxy coined (hooks, tables, chains, targets) stay as they are.
"""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _

from . import particles
from .words import noop

ASKS = {
    "src": (noop("from %(want)s"), noop("not from %(want)s")),
    "dst": (noop("to %(want)s"), noop("not to %(want)s")),
    "in": (noop("arrives at interface %(want)s"), noop("does not arrive at interface %(want)s")),
    "out": (noop("leaves by interface %(want)s"), noop("does not leave by interface %(want)s")),
    "protocol": (noop("protocol %(want)s"), noop("protocol is not %(want)s")),
    "sport": (noop("from port %(want)s"), noop("not from port %(want)s")),
    "dport": (noop("to port %(want)s"), noop("not to port %(want)s")),
    "flags": (noop("TCP flags %(want)s"), noop("TCP flags are not %(want)s")),
    "state": (noop("the connection is %(want)s"), noop("the connection is none of %(want)s")),
    "mark": (noop("carries the mark %(want)s"), noop("does not carry the mark %(want)s")),
    "connmark": (
        noop("its connection carries the mark %(want)s"),
        noop("its connection does not carry the mark %(want)s"),
    ),
    "srctype": (noop("the sender's address is %(want)s"), noop("the sender's address is not %(want)s")),
    "dsttype": (noop("the destination is %(want)s"), noop("the destination is not %(want)s")),
    "chance": (noop("by chance, with probability %(want)s"), noop("by chance, not with probability %(want)s")),
    "recent": (
        noop("this client was here in the last %(want)s s"),
        noop("this client was not here in the last %(want)s s"),
    ),
    "key": (noop("%(key)s is %(want)s"), noop("%(key)s is not %(want)s")),
    "map": (noop("is found in %(want)s (%(key)s entries, one look)"), ""),
    "set": (
        noop("is in the set %(want)s (%(key)s entries, one look)"),
        noop("is not in the set %(want)s (%(key)s entries, one look)"),
    ),
    "draw": (noop("draws one of %(want)s numbers"), ""),
    "other": (noop("%(want)s (not known here)"), ""),
}
TYPES = {
    "LOCAL": noop("an address of this node"),
    "UNICAST": "UNICAST",
    "BROADCAST": "BROADCAST",
    "MULTICAST": "MULTICAST",
}


def check(ask: dict[str, Any]) -> dict[str, Any]:
    """Return one comparison: ``{text, have, held}``; held is allow, deny, change (by chance) or wait (nobody knows)."""
    plain, negated = ASKS.get(ask["kind"], ASKS["other"])
    pattern = negated if ask["negate"] and negated else plain
    want = _(TYPES[ask["want"]]) if ask["kind"] in ("srctype", "dsttype") and ask["want"] in TYPES else ask["want"]
    if ask["kind"] == "map":
        want = ask["want"] or _("a map in the rule")
    if ask["kind"] == "mark":
        want = ask["want"].split("/")[0]
    held = ask["held"]
    state = "wait" if held is None else "deny" if held == 0 else "allow" if held == 1 else "change"
    have = ask["have"] if ask["have"] and ask["have"] != ask["want"] else ""
    return {
        "text": particles.settle(_(pattern) % {"want": want, "key": ask["key"]}),
        "have": have,
        "held": state,
        "kind": ask["kind"],
    }


def tell(frames: list[dict[str, Any]], first: int = 1) -> list[dict[str, Any]]:
    """Return the frames with what people read; numbers count on from ``first``."""
    return [
        {
            **frame,
            "number": number,
            "sentence": particles.settle(sentence(frame)),
            "title": title(frame),
            "short": frame.get("chain", "") if frame.get("chain") != frame["hook"] else frame.get("table", ""),
            "checks": [check(ask) for ask in frame.get("asks", ())],
            "near": [{**near, "check": check(near["ask"])} for near in frame.get("near", ())],
            "changed": changed(frame),
            "act": act(frame),
            "service": service(frame),
            "outcome_kind": outcome_kind(frame),
        }
        for number, frame in enumerate(frames, first)
    ]


def title(frame: dict[str, Any]) -> str:
    """Return where it happens."""
    if frame["kind"] == "rule":
        return f"{frame['hook']} › {frame['table']}"
    return {
        "sent": _("the packet is sent"),
        "arrive": _("at the other node"),
        "name": "DNS",
        "pass": frame["hook"],
        "route": _("routing decision"),
        "confirm": "conntrack",
        "policy": "NetworkPolicy",
        "untranslate": "conntrack",
        "end": _("the end"),
    }[frame["kind"]]


def outcome_kind(frame: dict[str, Any]) -> str:
    """Return the verdict's shape: allow, deny, change, skip."""
    outcome = str(frame.get("outcome") or frame.get("verdict") or "")
    if (
        frame["kind"] == "untranslate"
        or frame.get("station") == "ipvs"
        or (re.match(r"(DNAT|SNAT|MASQUERADE|REDIRECT|mark|connmark)\b", outcome) and frame["kind"] == "rule")
    ):
        return "change"
    if outcome.upper().removeprefix("POLICY ").startswith(("DROP", "REJECT")):
        return "deny"
    if outcome.startswith(("unknown", "counted", "RETURN", "return")):
        return "skip"
    return "allow"


def act(frame: dict[str, Any]) -> str:
    """Return what a rule did, in a word: a chain is named by the next step."""
    outcome = str(frame.get("outcome", ""))
    drawn = re.match(r"(\d+) of (\d+):", outcome)
    if drawn:
        return _("1 of %(n)s") % {"n": drawn[2]}
    return "" if outcome.startswith(("jump", "goto")) else outcome.removeprefix("policy ").partition(" from ")[0]


COMMENTED = re.compile(r"^(?:\w+ \w+ for )?([a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.-]*)(?::| |$)")
CHAINED = re.compile(r"^(?:service|local|external|firewall|endpoint)-[A-Z2-7]{8}-([a-z0-9.-]+/[a-z0-9.-]+)/")


def service(frame: dict[str, Any]) -> str:
    """Return the Service that kube-proxy wrote the rule for, as its comment or its chain's name tells."""
    found = COMMENTED.match(str(frame.get("comment", ""))) or CHAINED.match(str(frame.get("chain", "")))
    return found[1] if found else ""


def changed(frame: dict[str, Any]) -> list[str]:
    """Return which fields of the header this step changed."""
    return [key for key in ("src", "sport", "dst", "dport", "mark") if frame["before"][key] != frame["after"][key]]


def at(packet: dict[str, Any], side: str) -> str:
    """Return ``address:port`` of one side."""
    address, port = packet[side], packet["sport" if side == "src" else "dport"]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def sentence(frame: dict[str, Any]) -> str:
    """Return what happens, in one sentence."""
    before, after = frame["before"], frame["after"]
    values = {
        "src": at(before, "src"),
        "dst": at(before, "dst"),
        "from": before["src"],
        "to": before["dst"],
        "hook": frame["hook"],
    }
    match frame["kind"]:
        case "sent":
            return _("%(src)s sends a packet to %(dst)s.") % values
        case "arrive":
            return _arrive(frame, values)
        case "name":
            told = {"name": frame["name"], "n": len(frame["tried"]), "ip": frame["ip"]}
            return (
                _(
                    "The Pod asks cluster DNS for %(name)s: question %(n)s along its search path is answered with %(ip)s."
                )
                % told
            )
        case "pass":
            return _("%(hook)s: no rule catches the packet.") % values
        case "route" if frame["to"] == "INPUT":
            return _("Routing: %(to)s is an address of this node, so the packet goes to INPUT.") % values
        case "route":
            return _("Routing: %(to)s is somewhere else, so the packet goes through FORWARD.") % values
        case "confirm":
            back = frame["entry"]["reply"]
            return _("conntrack remembers the connection: what comes from %(src)s to %(dst)s is its answer.") % {
                "src": at(back, "src"), "dst": at(back, "dst"),
            }  # fmt: skip
        case "untranslate" if frame["of"] == "snat":
            return _(
                "conntrack knows the connection and gives the answer its true receiver: %(now)s instead of %(dst)s."
            ) % {**values, "now": at(after, "dst")}
        case "untranslate" if frame["of"] == "ipvs":
            return _("IPVS gives the answer the sender that the client asked: %(now)s instead of %(src)s.") % {
                **values,
                "now": at(after, "src"),
            }
        case "untranslate":
            return _("conntrack gives the answer the sender that the client asked: %(now)s instead of %(src)s.") % {
                **values,
                "now": at(after, "src"),
            }
        case "policy":
            return _policy(frame)
        case "end":
            return _end(frame, values)
        case _:
            return _rule(frame, values)


def _arrive(frame: dict[str, Any], values: dict[str, Any]) -> str:
    values = {
        **values,
        "node": frame["node"],
        "device": frame["device"],
        "a": frame["outer"][0],
        "b": frame["outer"][1],
    }
    if frame["tunnel"]:
        return (
            _(
                "%(node)s takes the packet for %(dst)s out of the tunnel (VXLAN, %(a)s → %(b)s): it comes in by %(device)s."
            )
            % values
        )
    return (
        _("The packet for %(dst)s comes in at %(node)s by %(device)s, as it is: nothing is wrapped around it.") % values
    )


def _policy(frame: dict[str, Any]) -> str:
    values = {key: frame[key] for key in ("pod", "direction", "policy", "node")} | {"rule": frame["index"] + 1}
    if frame["allowed"] and not frame["policy"]:
        return _("On %(node)s no NetworkPolicy selects %(pod)s for %(direction)s: nothing forbids it.") % values
    if frame["allowed"]:
        return (
            _("On %(node)s rule %(rule)s of the NetworkPolicy %(policy)s allows it (%(direction)s of %(pod)s).")
            % values
        )
    return (
        _(
            "On %(node)s the NetworkPolicy %(policy)s isolates %(pod)s for %(direction)s, and no rule allows this packet."
        )
        % values
    )


def _end(frame: dict[str, Any], values: dict[str, Any]) -> str:
    verdict = frame["verdict"]
    if verdict == "DROP":
        return _("The packet ends here. Nobody is told: the client waits until it gives up.")
    if verdict == "REJECT":
        return _("The packet ends here, and the client is told: connection refused.")
    if verdict is None:
        return _("Where it ends cannot be told: a rule asks for something that is not known here.")
    if frame["hook"] == "INPUT":
        return _("The packet reaches a process of this node at %(dst)s. It sees %(from)s as the sender.") % values
    return _("The packet leaves for %(dst)s. The receiver sees %(from)s as the sender.") % values


def _rule(frame: dict[str, Any], values: dict[str, Any]) -> str:
    outcome, after = frame["outcome"], frame["after"]
    values = {**values, "line": frame["line"], "chain": frame["chain"], "outcome": outcome}
    word, _space, target = outcome.partition(" ")
    if word in ("jump", "goto"):
        values["target"] = target
        return _("Line %(line)s sends the packet on to the chain %(target)s.") % values
    drawn = re.fullmatch(r"(\d+) of (\d+): (?:goto|jump) (\S+)", outcome)
    if drawn:
        values |= {"n": int(drawn[1]) + 1, "of": drawn[2], "target": drawn[3]}
        return _("Line %(line)s draws number %(n)s of %(of)s: on to the chain %(target)s.") % values
    if frame.get("station") == "ipvs":
        if outcome.startswith("no real server"):
            return (
                _("IPVS: the virtual server %(chain)s has no real server, so the client is told that nobody listens.")
                % values
            )
        return _("IPVS takes the packet out: the virtual server %(chain)s hands the connection to %(now)s.") % {
            **values,
            "now": at(after, "dst"),
        }
    if word in ("DNAT", "REDIRECT"):
        return _("Line %(line)s translates the destination: %(dst)s becomes %(now)s.") % {
            **values,
            "now": at(after, "dst"),
        }
    if word in ("MASQUERADE", "SNAT"):
        return _("Line %(line)s translates the source: the receiver will see %(now)s instead of %(from)s.") % {
            **values,
            "now": after["src"],
        }
    if word == "mark":
        if after["mark"]:
            return _("Line %(line)s marks the packet: %(mark)s asks for masquerade on the way out.") % {
                **values,
                "mark": target,
            }
        return _("Line %(line)s takes the mark off again.") % values
    if word.upper() == "RETURN":
        return _("Line %(line)s ends the chain %(chain)s: back to where it was called.") % values
    if word == "policy":
        return _("No rule of %(chain)s decided, so its policy does: %(outcome)s.") % {**values, "outcome": target}
    if word.upper() in ("DROP", "REJECT", "ACCEPT"):
        return _("Line %(line)s decides: %(outcome)s.") % {**values, "outcome": outcome.upper()}
    if word == "unknown":
        return _("Line %(line)s asks what is not known here: both ways are walked.") % values
    return _("Line %(line)s: %(outcome)s.") % values


SAVED = re.compile(r"^-A ([^-\s]\S*) ?")
COMMENT = re.compile(r'\s*-m comment --comment ("(?:[^"\\]|\\.)*"|\S+)')


def short(text: str) -> dict[str, str]:
    """Return a saved rule in parts: ``{ask, act, comment}``, its chain left out and its comment behind."""
    found = COMMENT.search(text)
    comment = found[1].strip('"').replace('\\"', '"') if found else ""
    rest = SAVED.sub("", COMMENT.sub("", text))
    cut = re.search(r"(?:^| )(-[jg] .*)$", rest)
    return {"ask": rest[: cut.start()] if cut else rest, "act": cut[1] if cut else "", "comment": comment}
