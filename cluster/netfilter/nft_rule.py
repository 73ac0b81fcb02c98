"""Reads one rule of nft's language: words → statements.

A match or statement that isn't simulated becomes ``Unknown``, and whether it matters is for the walk to say.

Upstream: nftables src/parser_bison.y.
"""

from math import gcd

from msgspec import structs

from cluster.netfilter import nft_parts as parts
from cluster.netfilter.addresses import address_number
from cluster.netfilter.errors import ParseError
from cluster.netfilter.nft_literals import ANY, readable
from cluster.netfilter.nft_syntax import (
    VERDICTS,
    Chance,
    Counter,
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
    Value,
    Verdict,
    VerdictMap,
    pairs,
)

MOST_CHOICES = 256
"""Destinations of one translation that are walked one by one."""
BITS = {"and": "&", "or": "|", "xor": "^", "&": "&", "|": "|", "^": "^"}
PAYLOADS = {
    "ip": (
        "saddr",
        "daddr",
        "protocol",
        "dscp",
        "ecn",
        "ttl",
        "length",
        "version",
        "id",
        "frag-off",
        "hdrlength",
        "checksum",
    ),
    "ip6": ("saddr", "daddr", "nexthdr", "hoplimit", "dscp", "ecn", "length", "version", "flowlabel"),
    "tcp": ("sport", "dport", "sequence", "ackseq", "doff", "window", "checksum", "urgptr"),
    "udp": ("sport", "dport", "length", "checksum"),
    "udplite": ("sport", "dport", "checksum"),
    "dccp": ("sport", "dport", "type"),
    "sctp": ("sport", "dport", "vtag", "checksum"),
    "th": ("sport", "dport"),
    "icmp": ("type", "code", "checksum", "id", "sequence", "gateway", "mtu"),
    "icmpv6": ("type", "code", "checksum", "parameter-problem", "packet-too-big", "id", "sequence", "max-delay"),
    "ah": ("nexthdr", "hdrlength", "reserved", "spi", "sequence"),
    "esp": ("spi", "sequence"),
    "comp": ("nexthdr", "flags", "cpi"),
    "ether": ("saddr", "daddr", "type"),
    "vlan": ("id", "type"),
    "arp": ("operation", "htype", "ptype"),
}
METAS = (
    "iif",
    "oif",
    "iifname",
    "oifname",
    "iiftype",
    "oiftype",
    "iifgroup",
    "oifgroup",
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
        except (ParseError, ValueError, LookupError, ZeroDivisionError):
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
    depth = 0
    while not reader.over() and (final or depth > 0 or reader.peek() not in DECIDES):
        depth += {"{": 1, "}": -1}.get(reader.peek(), 0)
        if reader.peek() == "comment" and depth <= 0:
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
            if not reader.take().quoted and reader.peek(1) == "map":  # the counter that a field of the packet names
                reader.at += 2
                reader.skip_block()
        return Counter()
    if word in VERDICTS:
        return Verdict(word)
    if word in ("jump", "goto"):
        if reader.peek() == "{":  # a chain without a name
            return None
        return Verdict(f"{word} {reader.take().text}")
    if word == "reject":
        while not reader.over() and reader.peek() != "comment":
            reader.take()
        return Verdict("reject")
    if word == "notrack":
        return NoTrack()
    if word == "log":
        return parts.log(reader)
    if word in ("masquerade", "redirect", "dnat", "snat"):
        return _translate(reader, word)
    if (word in ("update", "add", "delete") and reader.peek().startswith("@")) or word == "meter":
        return _remember(reader, word)
    if word == "numgen":
        start = reader.at
        found = parts.draw(reader)
        if found is not None:
            return found
        reader.at = start
        return _numgen(reader)
    if word == "limit":
        return parts.limit(reader)
    if word == "flow":
        return Passive(" ".join([word, reader.take().text, reader.take().text]))
    if word == "quota":
        return parts.quota(reader)
    if word == "ct" and reader.peek() == "count":
        return parts.count(reader)
    if word == "meta" and reader.peek() == "random":
        return parts.random(reader)
    if word == "tcp" and reader.peek() == "flags" and reader.peek(1) != "set":
        return parts.flags(reader)
    if word == "xt":
        return parts.xt(reader)
    if _sets(reader, word):
        return _set_mark(reader, word) or parts.mangle(reader, word)
    reader.at -= 1
    return _match(reader)


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
        address, _, port = text.partition(" ")
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


def _sets(reader: Reader, word: str) -> bool:
    """Whether what begins with ``word`` writes a field: ``meta mark set``, ``ip dscp set``, ``tcp option maxseg size set``."""
    if word.startswith("@"):  # bits at a place: "@nh,0,8 set"
        return reader.peek(4) == "set"
    if word == "mark":
        return reader.peek() == "set"
    if word not in ("meta", "ct", *PAYLOADS):
        return False
    option = reader.peek() in ("option", "original", "reply")
    return reader.peek(1) == "set" or (option and "set" in (reader.peek(2), reader.peek(3)))


def _remember(reader: Reader, word: str) -> Passive | Chance:
    """``update @set { ip saddr }``: who is put into the set; with more words in the braces nobody says who."""
    at, name = reader.at, reader.peek()
    found = parts.remember(reader, word)
    if not isinstance(found, Passive) or word not in ("add", "update") or reader.words[at + 1].text != "{":
        return found
    end, reader.at = reader.at, at + 2
    keys: list[Key] = []
    while (key := _key(reader)) is not None:
        keys.append(key)
        if not reader.accept("."):
            break
    whole, reader.at = reader.at == end - 1, end
    return structs.replace(found, named=name[1:], keys=tuple(keys)) if whole and keys else found


def _set_mark(reader: Reader, word: str) -> SetMark | None:
    start = reader.at
    found = _mark_set(reader, word)
    if found is None:
        reader.at = start
    return found


def _mark_set(reader: Reader, word: str) -> SetMark | None:
    target = "ctmark" if word == "ct" else "mark"
    if word != "mark" and (word not in ("meta", "ct") or reader.take().text != "mark"):
        return None
    if not reader.accept("set"):
        return None
    source = reader.take().text
    if source in ("meta", "ct"):
        if reader.take().text != "mark":
            return None
        source = "ctmark" if source == "ct" else "mark"
    elif source != "mark":
        try:
            int(source, 0)
        except ValueError:
            return None
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
        return Key((word, name)) if name in PAYLOADS[word] else None
    if word == "meta":
        word = reader.take().text
        return Key(("meta", word), _bits(reader) if word == "mark" else ())
    if word == "mark" or word in METAS:
        return Key(("meta", word), _bits(reader) if word == "mark" else ())
    if word == "ct":
        name = reader.take().text
        if name in ("original", "reply"):
            if reader.peek() in ("ip", "ip6"):
                reader.take()
            return Key(("ct", name, reader.take().text))
        return Key(("ct", name), _bits(reader) if name == "mark" else ())
    if word == "fib":
        words = [word, reader.take().text]
        while reader.accept("."):
            words += [".", reader.take().text]
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
    if reader.peek() in BITS:  # bits of anything but a mark
        return None
    if reader.accept("vmap"):
        if reader.peek().startswith("@"):
            return VerdictMap(tuple(keys), (), reader.take().text[1:])
        reader.expect("{")
        return VerdictMap(tuple(keys), tuple((_read(keys, value), verdict) for value, verdict in pairs(reader)))
    op = parts.operator(reader)
    exact = bool(op)
    if reader.accept("!"):  # none of these bits
        op = "!="
    if reader.peek().startswith("@"):
        return Match(tuple(keys), op or "==", (), reader.take().text[1:])
    if reader.accept("{"):
        exact = True
        values = [value for value, _ in pairs(reader)]
    else:
        values = _alternatives(reader)
    if exact and keys[0].words == ("ct", "status"):  # all of its bits, of which some are never seen here
        return None
    return Match(tuple(keys), op or "==", tuple(_read(keys, value) for value in values))


def _alternatives(reader: Reader) -> list[Value]:
    """``a``, ``a . b``, ``a, b``, ``"10:00"-"12:00"``."""
    values = [[reader.take().text]]
    while reader.peek() in (".", ",", "|", "-"):
        word = reader.take().text
        if word in "|-":
            values[-1][-1] += word + reader.take().text
            continue
        if word == ",":
            values.append([])
        values[-1].append(reader.take().text)
    return [tuple(value) for value in values]


def _read(keys: list[Key], value: Value) -> Value:
    """A literal's parts as they are compared. ValueError: they can't be."""
    if value == (ANY,):
        return value
    if len(value) != len(keys):
        raise ValueError("more or fewer parts than are asked for")
    return tuple(readable(key, part) for key, part in zip(keys, value, strict=True))
