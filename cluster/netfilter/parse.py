"""Reads rule text: any ``iptables-save``, and what ``iptables-restore`` is fed.

``parse_rule(words)`` turns one rule's words into a typed ``Rule``; ``restore(ruleset, text)`` applies a restore input to tables as
``iptables-restore --noflush`` does; ``parse_save(text)`` reads a whole save into a fresh ``Ruleset`` that knows the line of
every rule.

Errors: ``ParseError`` names the line. An unknown match or target is not an error here, it becomes an ``UnknownMatch`` or
``UnknownTarget``: whether it matters is for the walk to say.

Simplified here: modules are told apart by ``-m`` as in printed rules; a table's changes are applied line by line after the whole
text was checked to parse, where the real tool commits table by table. ``-R``, ``-Z``, ``-E`` are refused.

Upstream: iptables/iptables-restore.c, extensions/.
"""

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network

from msgspec import structs

from cluster.netfilter.hooks import BUILTIN
from cluster.netfilter.rules import (
    Address,
    AddrType,
    Comment,
    CopyMark,
    CtState,
    Interface,
    Jump,
    Mark,
    Match,
    Multiport,
    Nat,
    Net,
    Nfacct,
    NoTrack,
    Passive,
    Ports,
    Protocol,
    Recent,
    Reject,
    Rule,
    SetMark,
    Statistic,
    Target,
    UnknownMatch,
    UnknownTarget,
    Verdict,
)
from cluster.netfilter.tables import Chain, Ruleset

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|(\S+)')
_COUNTERS = re.compile(r"^\[\d+:\d+\]\s*")
_PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "132": "sctp", "0": "all"}
_PASSIVE = frozenset(
    ("AUDIT", "CHECKSUM", "CLASSIFY", "DSCP", "ECN", "HL", "IDLETIMER", "LED", "LOG", "NFLOG", "RATEEST", "TCPMSS",
     "TCPOPTSTRIP", "TOS", "TRACE", "TTL", "ULOG")
)  # fmt: skip
_FOREIGN = frozenset(("BPF", "CLUSTERIP", "CT", "HMARK", "NETMAP", "NFQUEUE", "QUEUE", "SECMARK", "CONNSECMARK", "SET",
                      "SYNPROXY", "TEE", "TPROXY", "DNPT", "SNPT", "MIRROR", "SAME"))  # fmt: skip
"""Targets of the kernel that are not simulated: never taken for a chain's name."""


class ParseError(ValueError):
    """The text is not rules. ``line`` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.line = line
        self.reason = reason


def split_words(text: str) -> tuple[str, ...]:
    """Words as iptables-restore splits them: blanks separate, quotes hold together, a backslash escapes within."""
    return tuple(
        (quoted.replace('\\"', '"').replace("\\'", "'").replace("\\\\", "\\") if quoted else single or bare)
        for quoted, single, bare in _WORD.findall(text)
    )


@lru_cache(maxsize=65536)
def parse_net(text: str) -> Net:
    """``10.0.0.0/8``, ``10.0.0.1``, ``10.0.0.0/255.0.0.0``, IPv6 alike. ValueError if it is none."""
    network = ip_network(text, strict=False)
    return Net(network.version, int(network.network_address), int(network.netmask), str(network))


@lru_cache(maxsize=65536)
def address_number(text: str) -> tuple[int, int]:
    """(4 or 6, the address as an integer)."""
    address = ip_address(text)
    return address.version, int(address)


@lru_cache(maxsize=65536)
def parse_rule(text: str) -> Rule:
    """The rule after ``-A CHAIN``. ValueError names what is wrong."""
    return _RuleReader(split_words(text)).read()


def _ports(text: str) -> tuple[int, int]:
    low, colon, high = text.partition(":")
    first = int(low) if low else 0
    return (first, int(high) if high else 65535) if colon else (first, first)


def _value_mask(text: str) -> tuple[int, int]:
    value, slash, mask = text.partition("/")
    return int(value, 0), int(mask, 0) if slash else 0xFFFFFFFF


class _RuleReader:
    """One pass over a rule's words. Matches of ``-m`` are opened by name and filled by the options that follow."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words
        self.at = 0
        self.matches: list[Match] = []
        self.target: Target | None = None

    def read(self) -> Rule:
        while self.at < len(self.words):
            negate = self._take_if("!")
            word = self._take()
            if word in ("-s", "--source", "--src", "-d", "--destination", "--dst"):
                side = "-s" if word in ("-s", "--source", "--src") else "-d"
                self.matches.append(Address(side, parse_net(self._take()), negate))
            elif word in ("-p", "--protocol", "--proto"):
                name = self._take().lower()
                self.matches.append(Protocol(_PROTOCOLS.get(name, name), negate))
            elif word in ("-i", "--in-interface", "-o", "--out-interface"):
                self.matches.append(Interface("-i" if word in ("-i", "--in-interface") else "-o", self._take(), negate))
            elif word in ("-m", "--match"):
                self._module(self._take())
            elif word in ("-j", "--jump"):
                self._target(self._take())
            elif word in ("-g", "--goto"):
                self.target = Jump(self._take(), goto=True)
            elif word in ("--dport", "--sport", "--destination-port", "--source-port", "--tcp-flags", "--syn"):
                self.at -= 2 if negate else 1  # the protocol's own module, loaded by -p without an -m
                self._port_module(next((m.name for m in self.matches if type(m) is Protocol), ""))
            elif word in ("-c", "--set-counters"):
                self.at += 2
            else:
                raise ValueError(f"unknown option {word!r}")
        return Rule(tuple(self.matches), self.target)

    def _take(self) -> str:
        if self.at >= len(self.words):
            raise ValueError("the rule ends where a word is expected")
        self.at += 1
        return self.words[self.at - 1]

    def _take_if(self, word: str) -> bool:
        if self.at < len(self.words) and self.words[self.at] == word:
            self.at += 1
            return True
        return False

    def _options(self) -> list[tuple[bool, str, list[str]]]:
        """(negated, option, values) up to the next ``-m``, ``-j``, ``-g`` or a general option."""
        found: list[tuple[bool, str, list[str]]] = []
        while self.at < len(self.words):
            negate = self.words[self.at] == "!"
            here = self.at + 1 if negate else self.at
            word = self.words[here] if here < len(self.words) else ""
            if not word.startswith("--") or word in ("--jump", "--goto", "--match", "--protocol", "--source",
                                                     "--destination", "--src", "--dst"):  # fmt: skip
                break
            self.at = here + 1
            values: list[str] = []
            if word == "--comment":  # free text: whatever it begins with, it is the value
                values.append(self._take())
            while self.at < len(self.words) and self.words[self.at] != "!" and not _is_option(self.words[self.at]):
                values.append(self._take())
            found.append((negate, word, values))
        return found

    def _module(self, name: str) -> None:
        start = self.at
        if name in ("tcp", "udp", "sctp"):
            self._port_module(name)
            return
        options = self._options()
        try:
            match = _MODULES[name](options) if name in _MODULES else None
        except (IndexError, KeyError, ValueError):
            match = None
        self.matches.append(match or UnknownMatch(name, ("-m", name, *self.words[start : self.at])))

    def _port_module(self, name: str) -> None:
        start = self.at
        values: dict[str, object] = {}
        for negate, option, words in self._options():
            if option in ("--sport", "--source-port") and words:
                values["sport"], values["not_sport"] = _ports(words[0]), negate
            elif option in ("--dport", "--destination-port") and words:
                values["dport"], values["not_dport"] = _ports(words[0]), negate
            elif option == "--tcp-flags" and len(words) == 2 and name == "tcp":
                values["flags"], values["not_flags"] = (words[0], words[1]), negate
            elif option == "--syn" and name == "tcp":
                values["flags"], values["not_flags"] = ("FIN,SYN,RST,ACK", "SYN"), negate
            else:
                self.matches.append(UnknownMatch(name, ("-m", name, *self.words[start : self.at])))
                return
        if name not in ("tcp", "udp", "sctp"):
            raise ValueError("a port without -p tcp, udp or sctp")
        for at, known in enumerate(self.matches):
            if (
                values and type(known) is Ports and known.module == name
            ):  # a module loaded earlier takes later options too
                self.matches[at] = structs.replace(known, **values)
                return
        self.matches.append(Ports(name, **values))  # type: ignore[arg-type]

    def _target(self, name: str) -> None:
        start = self.at
        options = self._options()
        words = self.words[start : self.at]
        match name:
            case "ACCEPT" | "DROP" | "RETURN":
                self.target = Verdict(name)
            case "REJECT":
                self.target = Reject(options[0][2][0] if options else "icmp-port-unreachable")
            case "MARK" | "CONNMARK":
                self.target = _mark_target(name, options, words)
            case "DNAT" | "SNAT" | "MASQUERADE" | "REDIRECT":
                self.target = _nat_target(name, options, words)
            case "NOTRACK":
                self.target = NoTrack(("NOTRACK",))
            case "CT" if words == ("--notrack",):
                self.target = NoTrack(("CT", "--notrack"))
            case _ if name in _PASSIVE:
                self.target = Passive(name, words)
            case _ if name in _FOREIGN or words:
                self.target = UnknownTarget(name, words)
            case _:
                self.target = Jump(name)


def _is_option(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and (word[1] == "-" or word[1].isalpha())


_Options = list[tuple[bool, str, list[str]]]


def _comment(options: _Options) -> Match | None:
    ((_, option, values),) = options
    return Comment(" ".join(values)) if option == "--comment" else None


def _nfacct(options: _Options) -> Match | None:
    ((_, _, values),) = options
    return Nfacct(values[0])


def _conntrack(options: _Options) -> Match | None:
    ((negate, option, values),) = options
    return CtState(tuple(values[0].split(",")), negate) if option == "--ctstate" else None


def _state(options: _Options) -> Match | None:
    ((negate, option, values),) = options
    return CtState(tuple(values[0].split(",")), negate, "state") if option == "--state" else None


def _mark(options: _Options) -> Match | None:
    ((negate, option, values),) = options
    return Mark(*_value_mask(values[0]), negate) if option == "--mark" else None


def _connmark(options: _Options) -> Match | None:
    ((negate, option, values),) = options
    return Mark(*_value_mask(values[0]), negate, "connmark") if option == "--mark" else None


_ADDRESS_TYPES = ("LOCAL", "UNICAST", "MULTICAST", "BROADCAST")


def _addrtype(options: _Options) -> Match | None:
    src = dst = ""
    not_src = not_dst = False
    for negate, option, values in options:
        if option == "--src-type" and values[0] in _ADDRESS_TYPES:
            src, not_src = values[0], negate
        elif option == "--dst-type" and values[0] in _ADDRESS_TYPES:
            dst, not_dst = values[0], negate
        else:
            return None
    return AddrType(src, dst, not_src, not_dst)


def _statistic(options: _Options) -> Match | None:
    given = {option: (negate, values) for negate, option, values in options}
    if given["--mode"][1] != ["random"]:
        return None
    negate, values = given["--probability"]
    # libxt_statistic.c: lround(0x80000000 * probability)
    return Statistic(int(float(values[0]) * 0x80000000 + 0.5), negate)


def _recent(options: _Options) -> Match | None:
    given = {option: (negate, values) for negate, option, values in options}
    op = next(o for o in ("set", "rcheck", "update", "remove") if f"--{o}" in given)
    if "--rttl" in given:
        return None
    number = {o: int(given[o][1][0]) if o in given else 0 for o in ("--seconds", "--hitcount")}
    return Recent(
        op,  # type: ignore[arg-type]
        given["--name"][1][0] if "--name" in given else "DEFAULT",
        number["--seconds"],
        number["--hitcount"],
        "--reap" in given,
        given[f"--{op}"][0],
        given["--mask"][1][0] if "--mask" in given else "",
        "--rdest" if "--rdest" in given else "--rsource",
    )


def _multiport(options: _Options) -> Match | None:
    ((negate, option, values),) = options
    which = {"--source-ports": "--sports", "--destination-ports": "--dports"}.get(option, option)
    if which not in ("--sports", "--dports", "--ports"):
        return None
    return Multiport(which, tuple(_ports(p) for p in values[0].split(",")), negate)


_MODULES = {
    "comment": _comment,
    "nfacct": _nfacct,
    "conntrack": _conntrack,
    "state": _state,
    "mark": _mark,
    "connmark": _connmark,
    "addrtype": _addrtype,
    "statistic": _statistic,
    "recent": _recent,
    "multiport": _multiport,
}


def _mark_target(name: str, options: _Options, words: tuple[str, ...]) -> Target:
    if len(options) >= 1 and options[0][1] in ("--save-mark", "--restore-mark") and name == "CONNMARK":
        if all(v in ("0xffffffff", "0xFFFFFFFF") for _, _option, vs in options[1:] for v in vs):
            return CopyMark(options[0][1], words)  # type: ignore[arg-type]
        return UnknownTarget(name, words)
    if len(options) != 1 or len(options[0][2]) != 1:
        return UnknownTarget(name, words)
    option, text = options[0][1], options[0][2][0]
    value, mask = _value_mask(text)
    match option:
        case "--set-xmark":
            return SetMark(value, mask, name)  # type: ignore[arg-type]
        case "--set-mark":
            return SetMark(value, value | mask, name)  # type: ignore[arg-type]
        case "--or-mark":
            return SetMark(value, value, name)  # type: ignore[arg-type]
        case "--xor-mark":
            return SetMark(value, 0, name)  # type: ignore[arg-type]
        case "--and-mark":
            return SetMark(0, ~value & 0xFFFFFFFF, name)  # type: ignore[arg-type]
        case _:
            return UnknownTarget(name, words)


def _nat_target(name: str, options: _Options, words: tuple[str, ...]) -> Target:
    address, port, flags = "", 0, []
    for _, option, values in options:
        if option in ("--to-destination", "--to-source") and len(values) == 1:
            address, port = _endpoint(values[0])
        elif option == "--to-ports" and values and values[0].isdigit():
            port = int(values[0])
        elif option in ("--random", "--random-fully", "--persistent") and not values:
            flags.append(option)
        else:
            return UnknownTarget(name, words)
        if address == "?":
            return UnknownTarget(name, words)
    return Nat(name, address, port, tuple(flags))  # type: ignore[arg-type]


def _endpoint(text: str) -> tuple[str, int]:
    """``ip``, ``ip:port``, ``[v6]:port``, ``:port``; "?" for ranges, which are not simulated."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") > 1:
        address, port = text, ""
    else:
        address, _, port = text.partition(":")
    if "-" in address or (port and not port.isdigit()):
        return "?", 0
    return address, int(port) if port else 0


def restore(ruleset: Ruleset, text: str, *, noflush: bool = True, lines: bool = False) -> None:
    """Apply ``iptables-restore`` input. ``lines``: remember at which line each rule stood. ParseError: nothing was changed."""
    plan: list[tuple[int, str, str, str, object]] = []
    table = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] == "#":
            continue
        if line[0] == "*":
            table = line[1:].strip()
            if table not in BUILTIN:
                raise ParseError(number, f"unknown table {table!r}")
            plan.append((number, "*", table, "", None))
        elif line == "COMMIT":
            table = ""
        elif not table:
            raise ParseError(number, "a rule outside of a table (no *table line before it)")
        elif line[0] == ":":
            words = line[1:].split()
            if not words:
                raise ParseError(number, "a chain without a name")
            plan.append((number, ":", table, words[0], words[1] if len(words) > 1 else "-"))
        else:
            plan.append((number, *_command(number, table, _COUNTERS.sub("", line))))
    _check_jumps(ruleset, plan, noflush)
    for number, op, table_name, chain, argument in plan:
        _apply(ruleset, number if lines else 0, op, table_name, chain, argument, noflush)


def _command(number: int, table: str, line: str) -> tuple[str, str, str, object]:
    op, _, rest = line.partition(" ")
    chain, _, rest = rest.strip().partition(" ")
    try:
        match op:
            case "-A" | "--append":
                return "-A", table, chain, parse_rule(rest.strip())
            case "-I" | "--insert":
                first, _, more = rest.strip().partition(" ")
                at = int(first) if first.isdigit() else 1
                return "-I", table, chain, (at, parse_rule(more if first.isdigit() else rest.strip()))
            case "-D" | "--delete":
                return "-D", table, chain, parse_rule(rest.strip())
            case "-F" | "--flush" | "-X" | "--delete-chain" | "-N" | "--new-chain":
                return {"--flush": "-F", "--delete-chain": "-X", "--new-chain": "-N"}.get(op, op), table, chain, None
            case "-P" | "--policy":
                return ":", table, chain, rest.strip()
            case _:
                raise ParseError(number, f"unknown command {op!r}")
    except ParseError:
        raise
    except ValueError as error:
        raise ParseError(number, str(error)) from None


def _check_jumps(ruleset: Ruleset, plan: list[tuple[int, str, str, str, object]], noflush: bool) -> None:
    """Every chain named must exist in its table, as the kernel demands."""
    known: dict[tuple[str, str], bool] = {}
    for number, op, table, chain, argument in plan:
        if op in (":", "-N"):
            known[table, chain] = True
        if op in ("*", ":", "-N"):
            continue
        rule = argument[1] if op == "-I" else argument  # type: ignore[index]
        target = rule.target.chain if isinstance(rule, Rule) and isinstance(rule.target, Jump) else ""
        for name in (chain, target):
            there = noflush and ruleset.chain(table, name) is not None
            if name and (table, name) not in known and name not in BUILTIN[table] and not there:
                raise ParseError(number, f"no chain {name!r} in table {table}")


def _apply(ruleset: Ruleset, number: int, op: str, table: str, name: str, argument: object, noflush: bool) -> None:
    if op == "*":
        if not noflush:
            ruleset.tables.pop(table, None)
        ruleset.table(table)
        return
    chains = ruleset.table(table)
    chain = chains.get(name)
    match op:
        case ":":
            if chain is None:
                chains[name] = Chain(str(argument))
            elif name in BUILTIN[table]:
                chain.policy = str(argument) if argument != "-" else chain.policy
            else:  # --noflush still flushes a user's chain that is declared
                chain.rules, chain.lines = [], []
        case "-N":
            chains.setdefault(name, Chain())
        case "-X":
            chains.pop(name, None)
        case "-F":
            assert chain is not None
            chain.rules, chain.lines = [], []
        case "-A":
            assert chain is not None and isinstance(argument, Rule)
            chain.rules.append(argument)
            if number:
                chain.lines.append(number)
        case "-I":
            assert chain is not None and isinstance(argument, tuple)
            chain.rules.insert(argument[0] - 1, argument[1])
            if number:
                chain.lines.insert(argument[0] - 1, number)
        case _:
            assert chain is not None and isinstance(argument, Rule)
            if argument in chain.rules:
                at = chain.rules.index(argument)
                del chain.rules[at]
                del chain.lines[at : at + 1]


def parse_save(text: str, family: int = 4) -> Ruleset:
    """A whole ``iptables-save`` (or restore input) as tables that remember their lines."""
    ruleset = Ruleset(family)
    restore(ruleset, text, noflush=True, lines=True)
    return ruleset
