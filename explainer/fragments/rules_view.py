"""A node's rules as numbered lines with anchors, and a packet's walk through them.

In → out: ``iptables-save`` text in (with ``ipset save`` and ``ipvsadm-save`` before it: a set or a virtual server stands as a chain of its own), lines with table and chain out; a walk (``verdict, endpoints, masquerade, steps``) in, steps joined to
their lines out. A step names its table, chain and rule; ``line`` is a line of the text when the walk gives it.
"""

from __future__ import annotations

import re
from typing import Any

VIRTUAL_SERVER = re.compile(r"-([Aa]) (-t|-u|--sctp-service) (\S+)")
PROTOCOLS = {"-t": "tcp", "-u": "udp", "--sctp-service": "sctp"}


def lines(text: str) -> list[dict[str, Any]]:
    """Return every line of a dump with its number, table, chain, jump target and kind."""
    if text.startswith("table "):
        return _nft_lines(text)
    out = []
    table = ""
    for number, line in enumerate(text.rstrip("\n").split("\n") if text else [], 1):
        kind, chain, target = "rule", "", ""
        if line.startswith("*"):
            table, kind = line[1:].strip(), "table"
        elif line.startswith(":"):
            chain, kind = line[1:].split(" ", 1)[0], "chain"
        elif line.startswith(("create ", "add ")):
            table, chain = "ipset", line.split(" ", 2)[1]
            kind = "chain" if line.startswith("create ") else "rule"
        elif found := VIRTUAL_SERVER.match(line):
            table, chain = "ipvs", f"{PROTOCOLS[found[2]]} {found[3]}"
            kind = "chain" if found[1] == "A" else "rule"
        elif line.startswith("-A "):
            chain = line.split(" ", 2)[1]
            target = _after(line, "-j") or _after(line, "-g")
        elif line.startswith("#"):
            kind = "comment"
        else:
            kind = "commit"
        out.append({"number": number, "text": line, "table": table, "chain": chain, "target": target, "kind": kind})
    return out


def count(rows: list[dict[str, Any]], counters: dict[str, list[list[int]]]) -> None:
    """Give every rule of a chain that has caught something what it caught, as ``packets`` and ``size``."""
    seen: dict[str, int] = {}
    for row in rows:
        key = f"{row['table']} {row['chain']}"
        held = counters.get(key)
        if held is None or row["kind"] != "rule":
            continue
        at = seen[key] = seen.get(key, -1) + 1
        if at < len(held):
            row["packets"], row["size"] = held[at]


def _nft_lines(text: str) -> list[dict[str, Any]]:
    out = []
    table = chain = held = ""
    for number, line in enumerate(text.rstrip("\n").split("\n"), 1):
        words = line.split()
        kind, target = "rule" if chain else "element", ""
        if line.startswith("table "):
            table, kind = " ".join(words[1:3]), "table"
        elif line.startswith("\t") and words and words[0] in ("chain", "set", "map"):
            chain, held = (words[1], "") if words[0] == "chain" else ("", words[1])
            kind = "chain"
        elif words == ["}"]:
            chain, held = ("", "") if line == "\t}" else (chain, held)
            kind = "commit"
        elif not words:
            kind = "comment"
        for verb in ("jump", "goto"):
            target = target or _after(line, verb)
        row = {"number": number, "text": line, "table": table, "chain": chain, "target": target, "kind": kind}
        out.append({**row, "set": held})
    return out


def _after(line: str, flag: str) -> str:
    parts = line.split()
    return parts[parts.index(flag) + 1] if flag in parts[:-1] else ""


def about(rows: list[dict[str, Any]], service: dict[str, Any] | None) -> set[int]:
    """Return the numbers of the lines that concern a service: those naming it, and the chains they lead to."""
    if service is None:
        return set()
    name = f"{service['namespace']}/{service['name']}"
    address = service.get("clusterIP") or "-"
    chains: set[str] = set()
    picked: set[int] = set()
    for row in rows:
        text = row["text"]
        if row["table"] in ("ipset", "ipvs"):
            if re.search(rf"(?<![\d.:a-f]){re.escape(address)}(?![\d.a-f])", text):
                picked.add(row["number"])
            continue
        named = f'"{name}' in text or f" {name}" in text or f"-d {address}/32" in text
        if (
            f"-{name}/" in text or f'"{name}:' in text or f"-{name}/" in row["chain"]
        ):  # nft's names of chains and its comments
            picked.add(row["number"])
        if named and name in text.replace(f"{name}-", ""):
            picked.add(row["number"])
            if row["chain"].startswith(("KUBE-SVC-", "KUBE-SEP-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SVL-")):
                chains.add(row["chain"])
            if row["target"].startswith(("KUBE-SVC-", "KUBE-SEP-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SVL-")):
                chains.add(row["target"])
    return picked | {row["number"] for row in rows if row["chain"] in chains}
