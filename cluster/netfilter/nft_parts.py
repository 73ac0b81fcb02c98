"""Reads the parts of a rule that hold by chance or by a first packet's flags, and those that decide nothing: limits, logs, changes of a packet's header.

Each function starts behind the word it is named for. Errors: ``ValueError`` or ``ParseError`` for what isn't simulated.

Simplified here: every limit, quota and count finds nobody before this packet.

Upstream: nftables src/parser_bison.y, src/statement.c; Linux net/netfilter/nft_limit.c, nft_quota.c, nft_connlimit.c, nft_log.c.
"""

from cluster.netfilter.nft_syntax import Chance, Flags, Passive, Reader, Unknown

OPERATORS = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}
OPERATORS |= {op: op for op in OPERATORS.values()}
TCP_FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr")
"""By their bits, the lowest first."""
PASSIVE_TARGETS = (
    "LOG",
    "NFLOG",
    "TCPMSS",
    "CHECKSUM",
    "CLASSIFY",
    "AUDIT",
    "TRACE",
    "TTL",
    "HL",
    "TOS",
    "DSCP",
    "ECN",
)
WHERE_TO = ("saddr", "daddr", "sport", "dport", "protocol", "nexthdr", "version", "length", "frag-off")
"""Header fields that decide a packet's way: what writes them is no mere change."""
SIZES = {"bytes": 1, "kbytes": 1 << 10, "mbytes": 1 << 20}


def draw(reader: Reader) -> Chance | None:
    """``numgen random mod N < M`` or ``== M``; what ends in a map is no mere chance: None."""
    if reader.take().text not in ("random", "inc"):
        return None
    reader.expect("mod")
    modulus = int(reader.take().text)
    if reader.accept("offset"):
        return None
    return _share(reader, modulus)


def random(reader: Reader) -> Chance | None:
    """``meta random & MASK < M``: iptables' statistic as iptables-nft writes it."""
    reader.take()
    if not reader.accept("&") and not reader.accept("and"):
        return _share(reader, 1 << 32)
    return _share(reader, int(reader.take().text, 0) + 1)


def operator(reader: Reader) -> str:
    """The comparison here, "" when there is none."""
    return OPERATORS[reader.take().text] if reader.peek() in OPERATORS else ""


def _share(reader: Reader, total: int) -> Chance | None:
    op = operator(reader) or "=="
    if not reader.peek().isdigit():
        return None
    limit = int(reader.take().text)
    hits = {"<": limit, "<=": limit + 1, ">": total - limit - 1, ">=": total - limit, "==": 1, "!=": total - 1}[op]
    return Chance(min(max(hits, 0), total) / total)


def limit(reader: Reader) -> Chance:
    """``limit rate [over] 5/minute [burst 5 packets]``: the bucket is full, so the first packet is within."""
    reader.expect("rate")
    over = reader.accept("over")
    if "/" not in reader.take().text:  # in bytes: as "10 mbytes/second"
        reader.take()
    if reader.accept("burst"):
        reader.take()
        reader.take()
    return Chance(0.0 if over else 1.0)


def quota(reader: Reader) -> Chance:
    """``quota [over|until] 10 mbytes [used 3 kbytes]``: over once all of it is used."""
    over = reader.accept("over")
    if not over:
        reader.accept("until")
    most, used = _size(reader), _size(reader) if reader.accept("used") else 0
    return Chance(float((used >= most) == over))


def _size(reader: Reader) -> int:
    return int(reader.take().text) * SIZES[reader.take().text]


def count(reader: Reader) -> Chance:
    """``ct count [over] N``: this connection is the first."""
    reader.take()
    over = reader.accept("over")
    return Chance(float((int(reader.take().text) < 1) == over))


def remember(reader: Reader, word: str) -> Passive | Chance:
    """``add @set { … }``, ``update``, ``delete``, ``meter name { … }``: a limit inside ends the rule for packets beyond it."""
    name = reader.take().text
    while reader.peek() != "{":
        reader.take()
    start = reader.at
    reader.skip_block()
    inside = [token.text for token in reader.words[start : reader.at] if not token.quoted]
    if "over" not in inside:
        return Passive(f"{word} {name}")
    none = inside[inside.index("over") + 1] == "0"  # over none at all: this one is
    return Passive(f"{word} {name}") if none else Chance(0.0)


def flags(reader: Reader) -> Flags | None:
    """Behind ``tcp``: a list means any of them, ``! list`` none, ``==`` these and no others, ``W / M`` of those in M just W; a set is a choice of ``==``."""
    reader.take()
    if reader.accept("&") or reader.accept("and"):
        mask = _flag_set(reader)
        op = operator(reader)
        if op not in ("==", "!="):
            return None
        if reader.peek() == "{":
            return _choice(reader, mask, op == "!=")
        wanted = _flag_set(reader)
        return Flags(mask, wanted, op == "!=") if wanted else Flags(mask, (), op == "==")
    if reader.accept("!"):
        return Flags(_flag_set(reader), (), True)
    op = operator(reader)
    if reader.peek() == "{":
        return _choice(reader, TCP_FLAGS, op == "!=")
    if reader.peek() == "vmap":
        return None
    wanted = _flag_set(reader)
    if reader.accept("/"):
        mask = _flag_set(reader)
        return Flags(mask, wanted, op == "!=") if wanted else Flags(mask, (), op != "!=")
    return Flags(TCP_FLAGS, wanted, op == "!=") if op else Flags(wanted, ())


def _choice(reader: Reader, mask: tuple[str, ...], negate: bool) -> Flags:
    """``{ syn | ack, fin }``."""
    reader.expect("{")
    choices: list[tuple[str, ...]] = []
    while not reader.accept("}"):
        choices.append(_flag_set(reader, ("|",)))
        reader.accept(",")
    return Flags(mask, choices[0], negate, tuple(choices[1:]))


def _flag_set(reader: Reader, joined: tuple[str, ...] = (",", "|")) -> tuple[str, ...]:
    found: list[str] = []
    depth = 0
    while True:
        word = reader.take().text
        depth += word.count("(") - word.count(")")
        for name in word.strip("()").replace("|", ",").split(","):
            if name[:1].isdigit():
                found += [flag for bit, flag in enumerate(TCP_FLAGS) if int(name, 0) >> bit & 1]
            elif name in TCP_FLAGS:
                found.append(name)
            elif name:
                raise ValueError(f"{name!r} is no flag")
        if reader.peek() in joined:
            reader.take()
        elif depth <= 0:
            return tuple(found)


def xt(reader: Reader) -> Passive | Unknown:
    """What iptables-nft lists of an extension that nft has no words for: its name, without its options."""
    kind = reader.take().text
    name = reader.take().text
    if name in (PASSIVE_TARGETS if kind == "target" else ("nfacct", "comment")):
        return Passive(f"{name}")
    return Unknown(f"xt {kind} {name}", kind == "target")


def log(reader: Reader) -> Passive:
    """``log [prefix …] [level …] [group …] [flags …]``."""
    while reader.peek() in ("prefix", "group", "level", "snaplen", "queue-threshold", "flags"):
        option, word = reader.take().text, reader.take().text
        if option == "flags" and word in ("tcp", "ip"):
            reader.take()
            while reader.accept(","):
                reader.take()
    return Passive("log")


def mangle(reader: Reader, word: str) -> Passive | Unknown:
    """``HEADER FIELD set VALUE``: a change that is not followed; one that decides where the packet goes, or its mark, is unknown."""
    words = [word]
    while reader.peek() != "set":
        words.append(reader.take().text)
    reader.take()
    if words[-1] in (*WHERE_TO, "mark") or word.startswith("@"):
        rest = [token.text for token in reader.words[reader.at :]]
        reader.at = len(reader.words)
        return Unknown(" ".join([*words, "set", *rest]), final=True)
    value = reader.take().text
    while reader.accept(","):
        reader.take()
    if value in ("rt", "ip", "ip6", "meta", "ct"):
        reader.take()
    if reader.accept("map") and not reader.peek().startswith("@"):
        reader.skip_block()
    elif reader.peek().startswith("@"):
        reader.take()
    return Passive(f"{' '.join(words)} set")
