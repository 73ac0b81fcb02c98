"""Reads one rule of nft's language: words → statements.

A match or statement that isn't simulated becomes ``Unknown``, and whether it matters is for the walk to say.

Upstream: nftables src/parser_bison.y.
"""

from math import gcd

from cluster.netfilter.addresses import address_number
from cluster.netfilter.errors import ParseError
from cluster.netfilter.nft_syntax import (
    VERDICTS,
    Chance,
    Counter,
    Flags,
    Key,
    Match,
    NoTrack,
    Numgen,
    Passive,
    Reader,
    Rule,
    SetMark,
    Statement,
    Token,
    Translate,
    Unknown,
    Verdict,
    VerdictMap,
    pairs,
)

MOST_CHOICES = 256
"""Destinations of one translation that are walked one by one."""
OPERATORS = ("==", "!=", "<", ">", "<=", ">=")
BITS = {"and": "&", "or": "|", "xor": "^", "&": "&", "|": "|", "^": "^"}
PAYLOADS = {
    "ip": ("saddr", "daddr", "protocol", "dscp", "ttl", "length", "version"),
    "ip6": ("saddr", "daddr", "nexthdr", "hoplimit", "dscp"),
    "tcp": ("sport", "dport", "flags"),
    "udp": ("sport", "dport"),
    "sctp": ("sport", "dport"),
    "th": ("sport", "dport"),
}
METAS = (
    "iif",
    "oif",
    "iifname",
    "oifname",
    "iiftype",
    "oiftype",
    "skuid",
    "skgid",
    "nftrace",
    "rtclassid",
    "ibrname",
    "obrname",
)
DECIDES = (
    *VERDICTS,
    "reject",
    "jump",
    "goto",
    "dnat",
    "snat",
    "masquerade",
    "redirect",
    "queue",
    "tproxy",
    "synproxy",
    "dup",
    "fwd",
)


def rule_of(words: list[Token], line: int) -> Rule:
    """A rule's words as statements."""
    text = " ".join(f'"{word.text}"' if word.quoted else word.text for word in words)
    reader = Reader(words)
    statements: list[Statement] = []
    while not reader.over():
        start = reader.at
        try:
            statement = _statement(reader)
        except (ParseError, ValueError, IndexError, ZeroDivisionError):
            statement = None
        if statement is None:
            reader.at = start
            statement = _unknown(reader)
        if statement != Passive(""):
            statements.append(statement)
    return Rule(line, text, tuple(statements))


def _unknown(reader: Reader) -> Unknown:
    """Pass over what isn't understood, to the next word that decides something."""
    found = [reader.take().text]
    final = found[0] in DECIDES
    while not reader.over() and (final or reader.peek() not in DECIDES):
        if reader.peek() == "comment":
            break
        found.append(reader.take().text)
        final = final or found[-1] == "vmap"  # whatever it finds there decides
    return Unknown(" ".join(found), final)


def _statement(reader: Reader) -> Statement | None:
    word = reader.take().text
    if word == "comment":
        reader.take()
        return Passive("")
    if word == "counter":
        if reader.accept("packets"):
            reader.take()
            reader.expect("bytes")
            reader.take()
        elif reader.accept("name"):
            reader.take()
        return Counter()
    if word in VERDICTS:
        return Verdict(word)
    if word in ("jump", "goto"):
        return Verdict(f"{word} {reader.take().text}")
    if word == "reject":
        while not reader.over() and reader.peek() != "comment":
            reader.take()
        return Verdict("reject")
    if word == "notrack":
        return NoTrack()
    if word == "log":
        return _log(reader)
    if word in ("masquerade", "redirect", "dnat", "snat"):
        return _translate(reader, word)
    if word in ("update", "add", "delete") and reader.peek().startswith("@"):
        name = reader.take().text
        reader.skip_block()
        return Passive(f"{word} {name}")
    if word == "numgen":
        start = reader.at
        found = _draw(reader)
        if found is not None:
            return found
        reader.at = start
        return _numgen(reader)
    if word == "limit":
        return _limit(reader)
    if word == "meta" and reader.peek() == "random":
        return _random(reader)
    if word == "tcp" and reader.peek() == "flags":
        return _flags(reader)
    if word == "xt":
        return _xt(reader)
    if word in ("mark", "meta", "ct") and "set" in (reader.peek(), reader.peek(1)):
        return _set_mark(reader, word)
    reader.at -= 1
    return _match(reader)


def _draw(reader: Reader) -> Chance | None:
    """``numgen random mod N < M`` or ``== M``; what ends in a map is no mere chance: None."""
    if reader.take().text not in ("random", "inc"):
        return None
    reader.expect("mod")
    modulus = int(reader.take().text)
    if reader.accept("offset"):
        return None
    return _share(reader, modulus)


def _random(reader: Reader) -> Chance | None:
    """``meta random & MASK < M``: iptables' statistic as iptables-nft writes it."""
    reader.take()
    if not reader.accept("&") and not reader.accept("and"):
        return _share(reader, 1 << 32)
    return _share(reader, int(reader.take().text, 0) + 1)


def _share(reader: Reader, total: int) -> Chance | None:
    op = reader.take().text if reader.peek() in OPERATORS else "=="
    if not reader.peek().isdigit():
        return None
    limit = int(reader.take().text)
    hits = {"<": limit, "<=": limit + 1, ">": total - limit - 1, ">=": total - limit, "==": 1, "!=": total - 1}[op]
    return Chance(min(max(hits, 0), total) / total)


def _limit(reader: Reader) -> Chance | None:
    """``limit rate [over] 5/minute [burst 5 packets]``: the bucket is full, so the first packet is within."""
    reader.expect("rate")
    over = reader.accept("over")
    if "/" not in reader.take().text:  # in bytes: as "10 mbytes/second"
        reader.take()
    if reader.accept("burst"):
        reader.take()
        reader.take()
    return Chance(0.0 if over else 1.0)


def _flags(reader: Reader) -> Flags | None:
    """``tcp flags syn / fin,syn,rst,ack``, ``tcp flags & (fin | syn) == syn``, ``tcp flags syn``."""
    reader.take()
    if reader.accept("&"):
        mask = _flag_set(reader)
        negate = reader.take().text == "!="
        return Flags(mask, _flag_set(reader), negate)
    negate = reader.accept("!=")
    wanted = _flag_set(reader)
    if reader.accept("/"):
        return Flags(_flag_set(reader), wanted, negate)
    return Flags(wanted, (), negate)


def _flag_set(reader: Reader) -> tuple[str, ...]:
    found: list[str] = []
    depth = 0
    while True:
        word = reader.take().text
        depth += word.count("(") - word.count(")")
        found += [w for w in word.strip("()").replace("|", ",").split(",") if w and w != "0x0"]
        if reader.peek() in (",", "|"):
            reader.take()
        elif depth <= 0:
            return tuple(found)


def _xt(reader: Reader) -> Passive | Unknown:
    """What iptables-nft lists of an extension that nft has no words for: its name, without its options."""
    kind = reader.take().text
    name = reader.take().text
    if name in (_PASSIVE_TARGETS if kind == "target" else ("nfacct", "comment")):
        return Passive(f"{name}")
    return Unknown(f"xt {kind} {name}", kind == "target")


_PASSIVE_TARGETS = ("LOG", "NFLOG", "TCPMSS", "CHECKSUM", "CLASSIFY", "AUDIT", "TRACE")


def _log(reader: Reader) -> Passive:
    options = ("prefix", "group", "level", "snaplen", "queue-threshold", "flags")
    while reader.peek() in options:
        reader.take()
        reader.take()
    return Passive("log")


def _translate(reader: Reader, kind: str) -> Translate | None:
    if kind in ("dnat", "snat") and reader.peek() in ("ip", "ip6", "inet"):
        reader.take()
    port = 0
    address = ""
    choices: tuple[tuple[str, int], ...] = ()
    if reader.accept("to"):
        if reader.peek() == "numgen":
            reader.take()
            found = _numgen(reader, "map")
            if found is None:
                return None
            choices = _weighted(found)
        else:
            address, port = _place(reader.take().text)
            if address:
                address_number(address)  # a range, a map or a hash is none of what is walked
            if reader.peek() == ".":
                return None
    while reader.peek() in ("fully-random", "random", "persistent", ","):
        reader.take()
    return Translate(kind, address, port, choices)


def _weighted(numgen: Numgen) -> tuple[tuple[str, int], ...]:
    """Every destination as often as numbers lead to it, in lowest terms. ValueError: numbers without a destination, or too many."""
    counts = [(last - first + 1, place) for first, last, place in numgen.spans(numgen.values)]
    if numgen.named or sum(count for count, _ in counts) != numgen.modulus:
        raise ValueError("not every number has a destination")
    common = gcd(*(count for count, _ in counts))
    if numgen.modulus // common > MOST_CHOICES:
        raise ValueError("too many destinations")
    found: list[tuple[str, int]] = []
    for count, text in counts:
        address, _, port = text.partition(" . ")
        address_number(address)
        found += [(address, int(port or 0))] * (count // common)
    return tuple(found)


def _place(text: str) -> tuple[str, int]:
    """``1.2.3.4:80``, ``[fd00::1]:80``, ``:8080``, ``fd00::1`` → (address, port)."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return address, int(port[1:]) if port else 0
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, int(port)
    return text, 0


def _numgen(reader: Reader, into: str = "vmap") -> Numgen | None:
    if reader.take().text not in ("random", "inc"):
        return None
    reader.expect("mod")
    modulus = int(reader.take().text)
    if modulus <= 0:
        raise ValueError("a modulus of nothing")
    offset = int(reader.take().text) if reader.accept("offset") else 0
    reader.expect(into)
    if reader.peek().startswith("@"):
        return Numgen(modulus, offset, (), reader.take().text[1:])
    reader.expect("{")
    return Numgen(modulus, offset, tuple(pairs(reader)))


def _set_mark(reader: Reader, word: str) -> SetMark | None:
    target = "ctmark" if word == "ct" else "mark"
    if word != "mark" and reader.take().text != "mark":
        return None
    reader.expect("set")
    source = reader.take().text
    if source in ("meta", "ct"):
        if reader.take().text != "mark":
            return None
        source = "ctmark" if source == "ct" else "mark"
    elif source != "mark":
        int(source, 0)
    return SetMark(target, source, _bits(reader))


def _bits(reader: Reader) -> tuple[tuple[str, int], ...]:
    found = []
    while reader.peek() in BITS:
        op = BITS[reader.take().text]
        found.append((op, int(reader.take().text, 0)))
    return tuple(found)


def _key(reader: Reader) -> Key | None:
    word = reader.take().text
    if word in PAYLOADS:
        name = reader.take().text
        return Key((word, name), _bits(reader)) if name in PAYLOADS[word] else None
    if word == "meta":
        return Key(("meta", reader.take().text), _bits(reader))
    if word == "mark" or word in METAS:
        return Key(("meta", word), _bits(reader))
    if word == "ct":
        name = reader.take().text
        if name in ("original", "reply"):
            if reader.peek() in ("ip", "ip6"):
                reader.take()
            return Key(("ct", name, reader.take().text))
        return Key(("ct", name), _bits(reader))
    if word == "fib":
        words = [word]
        while reader.peek() not in ("type", "oif", "oifname", ""):
            words.append(reader.take().text)
        return Key((*words, reader.take().text))
    return None


def _match(reader: Reader) -> Match | VerdictMap | None:
    keys = []
    while True:
        key = _key(reader)
        if key is None:
            return None
        keys.append(key)
        if not reader.accept("."):
            break
    if reader.accept("vmap"):
        if reader.peek().startswith("@"):
            return VerdictMap(tuple(keys), (), reader.take().text[1:])
        reader.expect("{")
        return VerdictMap(tuple(keys), tuple(pairs(reader)))
    op = reader.take().text if reader.peek() in OPERATORS else "=="
    if reader.accept("!"):  # none of these bits
        op = "!="
    if reader.peek().startswith("@"):
        return Match(tuple(keys), op, (), reader.take().text[1:])
    if reader.accept("{"):
        return Match(tuple(keys), op, tuple(value for value, _ in pairs(reader)))
    values = [[reader.take().text]]
    while reader.peek() in (".", ","):
        if reader.take().text == ",":
            values.append([])
        values[-1].append(reader.take().text)
    return Match(tuple(keys), op, tuple(tuple(value) for value in values))
