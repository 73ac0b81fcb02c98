"""Reads one iptables rule: words → a typed ``Rule``.

Matches of ``-m`` are opened by name and filled by the options that follow (``extensions``); a module or target that isn't known becomes
``UnknownMatch`` or ``UnknownTarget`` with its words. ValueError names what is no rule at all.

Simplified here: modules are told apart by ``-m`` as in printed rules; names of services and hosts are not looked up.

Upstream: iptables/xshared.c ``do_parse``, extensions/.
"""

import re
from functools import lru_cache

from msgspec import structs

from cluster.netfilter.addresses import PROTOCOLS, address_number, parse_net
from cluster.netfilter.extensions import MODULES, Options, ports, value_mask
from cluster.netfilter.rules import (
    Address,
    CopyMark,
    Fragment,
    Interface,
    Jump,
    Match,
    Nat,
    NoTrack,
    Passive,
    Ports,
    Protocol,
    Reject,
    Rule,
    SetMark,
    Target,
    UnknownMatch,
    UnknownTarget,
    Verdict,
)

_FREE_TEXT = ("--comment", "--log-prefix", "--nflog-prefix", "--ulog-prefix", "--string", "--hex-string")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|(\S+)')
_PROTOCOLS = {**PROTOCOLS, "0": "all"}
_PASSIVE = frozenset(
    ("AUDIT", "CHECKSUM", "CLASSIFY", "DSCP", "ECN", "HL", "IDLETIMER", "LED", "LOG", "NFLOG", "RATEEST", "TCPMSS",
     "TCPOPTSTRIP", "TOS", "TRACE", "TTL", "ULOG")
)  # fmt: skip
_FOREIGN = frozenset(("BPF", "CLUSTERIP", "CT", "HMARK", "NETMAP", "NFQUEUE", "QUEUE", "SECMARK", "CONNSECMARK", "SET",
                      "SYNPROXY", "TEE", "TPROXY", "DNPT", "SNPT", "MIRROR", "SAME"))  # fmt: skip
"""Targets of the kernel that are not simulated: never taken for a chain's name."""


def split_words(text: str) -> tuple[str, ...]:
    """Words as iptables-restore splits them: blanks separate, quotes hold together, a backslash escapes within."""
    return tuple(
        (quoted.replace('\\"', '"').replace("\\'", "'").replace("\\\\", "\\") if quoted else single or bare)
        for quoted, single, bare in _WORD.findall(text)
    )


@lru_cache(maxsize=65536)
def parse_rule(text: str) -> Rule:
    """The rule after ``-A CHAIN``. ValueError names what is wrong."""
    return RuleReader(split_words(text)).read()


class RuleReader:
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
            elif word in ("-f", "--fragment"):
                self.matches.append(Fragment(negate))
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
        # addresses first: they keep most packets out, and asking them first is quickest
        first = [match for match in self.matches if type(match) is Address]
        rest = [match for match in self.matches if type(match) is not Address] if first else self.matches
        return Rule((*first, *rest), self.target)

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
            if word in _FREE_TEXT:  # whatever it begins with, it is the value
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
            match = MODULES[name](options) if name in MODULES else None
        except (IndexError, KeyError, ValueError, StopIteration, ZeroDivisionError):
            match = None
        if not match:
            match = UnknownMatch(name, ("-m", name, *self.words[start : self.at]))
        self.matches.extend(match if isinstance(match, list) else [match])

    def _port_module(self, name: str) -> None:
        start = self.at
        values: dict[str, object] = {}
        for negate, option, words in self._options():
            if option in ("--sport", "--source-port") and words:
                values["sport"], values["not_sport"] = ports(words[0]), negate
            elif option in ("--dport", "--destination-port") and words:
                values["dport"], values["not_dport"] = ports(words[0]), negate
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
                self.target = _reject(options)
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


def _reject(options: Options) -> Reject:
    if not options:
        return Reject()
    (_, option, values), *more = options
    if more or option != "--reject-with" or len(values) != 1:
        raise ValueError(f"REJECT does not know {option!r}")
    default = values[0] in ("icmp-port-unreachable", "port-unreach", "icmp6-port-unreachable")
    return Reject("" if default else values[0])


def _mark_target(name: str, options: Options, words: tuple[str, ...]) -> Target:
    if len(options) >= 1 and options[0][1] in ("--save-mark", "--restore-mark") and name == "CONNMARK":
        if any(len(values) != 1 for _, _, values in options[1:]):
            return UnknownTarget(name, words)
        masks = {option: int(values[0], 0) for _, option, values in options[1:]}
        both = masks.get("--mask", 0xFFFFFFFF)
        return CopyMark(options[0][1], masks.get("--nfmask", both), masks.get("--ctmask", both))  # type: ignore[arg-type]
    if len(options) != 1 or len(options[0][2]) != 1:
        return UnknownTarget(name, words)
    option, text = options[0][1], options[0][2][0]
    value, mask = value_mask(text)
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


def _nat_target(name: str, options: Options, words: tuple[str, ...]) -> Target:
    place: Place = ("", 0, "", 0)
    flags = []
    for _, option, values in options:
        if "/" in "".join(values):  # ports that keep their distance from a base
            return UnknownTarget(name, words)
        if option in ("--to-destination", "--to-source") and len(values) == 1:
            place = _place(values[0])
        elif option == "--to-ports" and len(values) == 1:
            first, last = _port_range(values[0])
            place = ("", first, "", last)
        elif option in ("--random", "--random-fully", "--persistent") and not values:
            flags.append(option)
        else:
            return UnknownTarget(name, words)
    address, port, last_address, last_port = place
    return Nat(name, address, port, tuple(flags), last_address, last_port)  # type: ignore[arg-type]


Place = tuple[str, int, str, int]
"""(address, port, last address, last port): the last ones only in ranges."""


def _place(text: str) -> Place:
    """``ip``, ``ip:port``, ``[v6]:port``, ``:port``, ``ip-ip:port-port``. ValueError if it is none."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") > 1:
        address, port = text, ""
    else:
        address, _, port = text.partition(":")
    first, dash, last = address.partition("-")
    for one in (first, last):
        if one:
            address_number(one)
    low, high = _port_range(port) if port else (0, 0)
    return first, low, last if dash else "", high


def _port_range(text: str) -> tuple[int, int]:
    """``80`` → (80, 0); ``80-90`` → (80, 90)."""
    low, dash, high = text.partition("-")
    return int(low), int(high) if dash else 0
