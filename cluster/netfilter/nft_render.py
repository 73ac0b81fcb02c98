"""Prints nft's tables as ``nft list ruleset`` does.

In: an ``Nft`` → out: text that ``nft -f`` loads again. A rule is printed in nft's own spelling of it: ``meta mark set meta mark | 0x00004000`` for ``mark set
mark or 0x4000``.

Simplified here: only the spellings that kube-proxy's rules need are rewritten, other rules stand as they were written.

Upstream: nftables src/rule.c, src/expression.c.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from cluster.netfilter.nft_syntax import PRIORITIES, Chain, Elements, Nft, Table, Value

BITS = {"or": "|", "xor": "^", "and": "&"}
VALID = {"dstnat": ("prerouting",), "srcnat": ("postrouting",)}
"""Hooks at which a priority may be called by that name; the others go anywhere."""
NEXT_LINE = ",\n\t\t\t     "
NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "sctp": 132}
SECONDS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def list_ruleset(nft: Nft, now: int = -1) -> str:
    """The text; with what packets put into dynamic sets if ``now`` (virtual ns) is given."""
    return "".join(f"{line}\n" for table in nft.tables.values() for line in _table(table, now))


def _table(table: Table, now: int) -> Iterator[str]:
    yield f"table {table.family} {table.name} {{"
    blocks = [_set(name, found, now) for name, found in table.sets.items()] + [_chain(c) for c in table.chains.values()]
    if table.comment:
        yield f'\tcomment "{table.comment}"'
    for number, block in enumerate(blocks):
        if number:
            yield ""
        yield from (f"\t{line}" for line in block)
    yield "}"


def _set(name: str, found: Elements, now: int) -> Iterator[str]:
    yield f"{found.kind} {name} {{"
    head = [_timeout(line) for line in found.head]
    if any("dynamic" in line for line in head) and not any(line.startswith("size ") for line in head):
        head.insert(1, "size 65535")
    yield from (f"\t{line}" for line in head)
    if found.values:
        yield "\telements = { " + _elements(found) + " }"
    elif now >= 0 and (alive := [value for value in sorted(found.seen, key=order) if found.remembers(value, now)]):
        yield (
            "\telements = { "
            + NEXT_LINE.join(" . ".join(value) + _expires(found.seen[value], now) for value in alive)
            + " }"
        )
    yield "}"


def _elements(found: Elements) -> str:
    """In nft's order, as many on a line as nft puts there: two addresses, five numbers, else one."""
    kind = next((line for line in found.head if line.startswith("type ")), "")
    per_line = {"type ipv4_addr": 2, "type inet_service": 5, "type inet_proto": 5, "type mark": 5}.get(kind, 1)
    text = ""
    for number, value in enumerate(sorted(found.values, key=order)):
        if number:
            text += ", " if number % per_line else NEXT_LINE
        text += _element(found, value, found.values[value])
    return text


def order(value: Value) -> bytes:
    """What nft sorts by: the element's bytes in network order, each part padded to four, read from the last to the first."""
    return b"".join(_bytes(part) for part in value)[::-1]


def _bytes(part: str) -> bytes:
    if part in NUMBERS:
        return bytes((NUMBERS[part], 0, 0, 0))
    if part.isdigit():
        return int(part).to_bytes(2, "big") + b"\0\0"
    try:
        return ip_address(part.partition("/")[0]).packed
    except ValueError:
        return part.encode()


def _element(found: Elements, value: Value, to: str) -> str:
    comment = f' comment "{found.comments[value]}"' if value in found.comments else ""
    return " . ".join(value) + comment + (f" : {to}" if to else "")


def _timeout(line: str) -> str:
    word, _, rest = line.partition(" ")
    if word != "timeout" or not rest.removesuffix("s").isdigit():
        return line
    return f"timeout {_span(int(rest.removesuffix('s')))}"


def _span(left: int) -> str:
    """Seconds as ``2h59m58s``."""
    text = ""
    for unit, size in SECONDS:
        if left >= size:
            text += f"{left // size}{unit}"
            left %= size
    return text


def _expires(until: int, now: int) -> str:
    left = (until - now) // 1_000_000
    if not until:
        return ""
    return f" expires {_span(left // 1000)}{f'{left % 1000}ms' if left % 1000 else ''}"


def _chain(chain: Chain) -> Iterator[str]:
    yield f"chain {chain.name} {{"
    if chain.comment:
        yield f'\tcomment "{chain.comment}"'
    if chain.hook:
        yield f"\ttype {chain.type} hook {chain.hook} priority {_priority(chain)}; policy {chain.policy};"
    yield from (f"\t{spelled(rule.text)}" for rule in chain.rules)
    yield "}"


def _priority(chain: Chain) -> str:
    for name, number in PRIORITIES.items():
        distance = chain.priority - number
        if abs(distance) <= 10 and chain.hook in VALID.get(name, (chain.hook,)):
            return name if not distance else f"{name} {'-' if distance < 0 else '+'} {abs(distance)}"
    return str(chain.priority)


def spelled(rule: str) -> str:
    """A rule as nft prints it."""
    rule = re.sub(
        r"\bmark set mark (or|xor|and) (0x[0-9a-f]+)",
        lambda m: f"meta mark set meta mark {BITS[m[1]]} {int(m[2], 16):#010x}",
        rule,
    )
    rule = re.sub(
        r"(?<!meta )\bmark and (0x[0-9a-f]+) == (\w+)",
        lambda m: _bits_of_mark(int(m[1], 16), int(m[2], 0)),
        rule,
    )
    rule = re.sub(r"((?:saddr|daddr) (?:!= )?)\{ ([^ ,]+) \}", r"\1\2", rule)  # a set of one is just that one
    rule = re.sub(r"((?:saddr|daddr) (?:!= )?)\{ ([^}]*/[^}]*) \}", _ranged, rule)
    rule = re.sub(r"\bcounter(?! (?:packets|name)\b)", "counter packets 0 bytes 0", rule)
    return rule.replace(" , ", ", ")


def _bits_of_mark(mask: int, value: int) -> str:
    """A comparison of some of the mark's bits: of its uppermost ones nft makes a prefix."""
    length = mask.bit_count()
    if mask == ((1 << length) - 1) << (32 - length):
        return f"meta mark {value:#010x}/{length}"
    return f"meta mark & {mask:#010x} == {value:#010x}"


def counted(rule: str, size: int) -> str:
    """The rule's text after its counter has seen one more packet of ``size`` bytes."""
    return re.sub(
        r"\bcounter packets (\d+) bytes (\d+)",
        lambda m: f"counter packets {int(m[1]) + 1} bytes {int(m[2]) + size}",
        re.sub(r"\bcounter(?! (?:packets|name)\b)", "counter packets 0 bytes 0", rule),
    )


def _ranged(found: re.Match[str]) -> str:
    """A set of prefixes is kept, and printed, in the order of the addresses."""
    elements = [one.strip() for one in found[2].split(",")]
    try:
        elements.sort(key=lambda one: ip_address(re.split("[/-]", one)[0]).packed)
    except ValueError:
        return found[0]
    return f"{found[1]}{{ {', '.join(elements)} }}"
