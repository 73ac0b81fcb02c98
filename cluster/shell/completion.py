"""Completion: what may stand at the cursor of a line that is being typed. A question only; nothing is run and nothing is asked of the cluster.

In → the line up to the cursor, and ``Known``: what the terminal and the cluster have (files, variables, objects). Out → ``Found``: where the word at
the cursor begins, and the words it may become, each with a short note. kubectl's verbs, subcommands and flags are those of this console's kubectl;
resources, names and namespaces are the cluster's.

The line is cut into words only as far as that takes: quotes and backslashes are honoured, after ``|`` ``;`` ``&&`` ``||`` ``$(`` and backticks a
command begins anew.

Simplified here: no values of labels, fields or images; real kubectl asks the API server at each Tab, this one reads what etcd holds.

Upstream: kubectl/pkg/util/completion, bash's readline.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct, field

from cluster.shell.commands import COMMANDS
from cluster.shell.commands.kubectl import VERBS
from cluster.shell.commands.kubectl.flags import GLOBAL, Flag

MOST = 80
"""Candidates told; the rest are counted."""
_ENDS = ("&&", "||", "$(", ";", "|", "`", "\n", "(", ")")
_NODES = ("cordon", "uncordon", "drain")
_PODS = ("logs", "exec", "attach", "cp", "port-forward")
_TYPED = (
    "get",
    "describe",
    "delete",
    "edit",
    "label",
    "annotate",
    "patch",
    "scale",
    "explain",
    "wait",
    "autoscale",
    "expose",
    "taint",
)
_SCALABLE = ("deployments", "replicasets", "statefulsets", "replicationcontrollers")
_ROLLED = ("deployments", "daemonsets", "statefulsets")
_OUTPUTS = ("json", "yaml", "wide", "name", "jsonpath=", "custom-columns=", "go-template=")
_VALUES = {
    "output": _OUTPUTS, "dry-run": ("none", "client", "server"), "cascade": ("background", "foreground", "orphan"),
    "type": ("strategic", "merge", "json"), "validate": ("strict", "warn", "ignore"), "watch": ("true", "false"),
}  # fmt: skip


ON_A_HOST = ("kubeadm",)
"""A command that the desk itself does not have is not offered there, where ``kub`` means kubectl."""


class Candidate(Struct, frozen=True):
    """A word that may stand there. ``open``: more of it may follow, so no space."""

    word: str
    note: str = ""
    open: bool = False


class Found(Struct, frozen=True):
    """``start``: the character of the line at which the word begins. ``more``: how many further candidates there are."""

    start: int
    words: tuple[Candidate, ...] = ()
    more: int = 0


class Kind(Struct, frozen=True):
    """A resource as people type it."""

    plural: str
    kind: str
    short: tuple[str, ...] = ()
    singular: str = ""
    namespaced: bool = True


class Known(Struct):
    """What there is. ``names(plural, namespace)``: the objects of a resource; namespace "": those of all."""

    kinds: tuple[Kind, ...] = ()
    names: Callable[[str, str], Iterable[str]] = lambda plural, namespace: ()
    namespace: str = "default"
    files: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()


class _Words(Struct):
    """The simple command at the cursor: its finished words, and the one being typed (``start``, ``text``, ``quote``)."""

    done: list[str] = field(default_factory=list)
    start: int = 0
    text: str = ""
    quote: str = ""
    raw: str = ""


def complete(line: str, known: Known) -> Found:
    """The candidates at the end of ``line`` (what stands after the cursor does not matter)."""
    words = _split(line)
    if words.raw.startswith("$") and words.quote != "'":
        name = words.raw[1:].removeprefix("{")
        start = words.start + len(words.raw) - len(name)
        return _found(start, name, [Candidate(each, "variable") for each in sorted(known.variables)])
    if any(char in words.raw for char in "$\\"):
        return Found(len(line))
    start = words.start + (1 if words.quote else 0)
    if not words.done:
        return _found(
            start, words.text, [Candidate(name, "command") for name in sorted(COMMANDS) if name not in ON_A_HOST]
        )
    if words.done[0] in ("kubectl", "k"):
        return _Kubectl(words.done[1:], words.text, known).found(start)
    return _found(start, words.text, [Candidate(name, "file") for name in known.files])


def _split(line: str) -> _Words:
    words = _Words()
    at = 0
    typing = False
    while at < len(line):
        char = line[at]
        if words.quote:
            if char == words.quote:
                words.quote = ""
            else:
                words.text += char
            words.raw += char
            at += 1
            continue
        end = next((each for each in _ENDS if line.startswith(each, at)), "")
        if end:
            at += len(end)
            words, typing = _Words(start=at), False
        elif char in " \t":
            if typing:
                words.done.append(words.text)
            at += 1
            words, typing = _Words(words.done, at), False
        else:
            typing = True
            words.raw += char
            if char in "'\"":
                words.quote = char
            else:
                words.text += char
            at += 1
    return _Words(
        [each for each in words.done if "=" not in each or each != words.done[0]],
        words.start,
        words.text,
        words.quote,
        words.raw,
    )


def _found(start: int, typed: str, candidates: Iterable[Candidate]) -> Found:
    fitting = [each for each in candidates if each.word.startswith(typed)]
    return Found(start, tuple(fitting[:MOST]), max(0, len(fitting) - MOST))


class _Kubectl:
    """One kubectl command: ``words`` before the cursor's, and what is typed of that one."""

    def __init__(self, words: list[str], typed: str, known: Known) -> None:
        self.typed, self.known = typed, known
        self.flags: dict[str, Flag] = dict(GLOBAL)
        self.verb = self.sub = ""
        self.args: list[str] = []
        self.namespace = known.namespace
        self.awaiting = ""
        """The flag whose value is being typed."""
        self._read(words)

    def _read(self, words: list[str]) -> None:
        for word in words:
            if self.awaiting:
                self._value(self.awaiting, word)
                self.awaiting = ""
            elif word.startswith("-") and word != "-":
                name, equals, value = word.lstrip("-").partition("=")
                name = name if word.startswith("--") else self._long(name)
                flag = self.flags.get(name)
                if equals:
                    self._value(name, value)
                elif flag is not None and flag.kind != "bool" and flag.bare is None:
                    self.awaiting = name
                elif name == "all-namespaces":
                    self.namespace = ""
            elif not self.verb:
                self.verb = word
                self.flags |= getattr(VERBS.get(word), "FLAGS", {})
            elif not self.sub and word in getattr(VERBS.get(self.verb), "SUBCOMMANDS", {}):
                self.sub = word
                self.flags |= VERBS[self.verb].SUBCOMMANDS[word][0]
            else:
                self.args.append(word)

    def _long(self, short: str) -> str:
        return next((name for name, flag in self.flags.items() if flag.short and flag.short == short), short)

    def _value(self, name: str, value: str) -> None:
        if name == "namespace":
            self.namespace = value

    def found(self, start: int) -> Found:
        typed = self.typed
        if self.awaiting:
            return _found(start, typed, self._values(self.awaiting))
        if typed.startswith("--") and "=" in typed:
            name, _, value = typed[2:].partition("=")
            return _found(start + len(name) + 3, value, self._values(name))
        if typed.startswith("-"):
            return _found(start, typed, self._flag_names())
        if not self.verb:
            return _found(start, typed, [Candidate(name, "verb") for name in sorted(VERBS)])
        subcommands = getattr(VERBS.get(self.verb), "SUBCOMMANDS", {})
        if subcommands and not self.sub and not self.args:
            return _found(start, typed, [Candidate(name, self.verb) for name in sorted(subcommands)])
        kind, slash, name = typed.partition("/")
        if slash:
            plural = self._plural(kind)
            return _found(start + len(kind) + 1, name, self._names(plural)) if plural else Found(start)
        return _found(start, typed, self._arguments())

    def _flag_names(self) -> list[Candidate]:
        rows = []
        for name, flag in sorted(self.flags.items()):
            takes = flag.kind != "bool" and flag.bare is None
            short = f"-{flag.short}" if flag.short else ""
            rows.append(Candidate(f"--{name}", short or flag.kind, open=takes))
        return [
            *rows,
            *(
                Candidate(f"-{flag.short}", name)
                for name, flag in sorted(self.flags.items())
                if flag.short and self.typed == "-"
            ),
        ]

    def _values(self, name: str) -> list[Candidate]:
        known = self.known
        if name == "namespace":
            return [Candidate(each, "namespace") for each in sorted(known.names("namespaces", ""))]
        if name in ("filename", "kubeconfig", "patch-file", "from-file"):
            return [Candidate(each, "file") for each in known.files]
        if name == "context":
            return [Candidate(each, "context") for each in known.contexts]
        if name == "serviceaccount":
            return [
                Candidate(each, "serviceaccounts") for each in sorted(known.names("serviceaccounts", self.namespace))
            ]
        return [Candidate(each, name, open=each.endswith("=")) for each in _VALUES.get(name, ())]

    def _arguments(self) -> list[Candidate]:
        verb, args = self.verb, self.args
        if verb in _NODES:
            return self._names("nodes", args)
        if verb in _PODS:
            return self._names("pods") if not args else []
        if verb == "rollout" or (verb == "set" and self.sub):
            return self._of(_ROLLED, args)
        if verb in ("scale", "autoscale"):
            return self._of(_SCALABLE, args)
        if verb == "expose":
            return self._of(("deployments", "pods", "replicasets", "replicationcontrollers", "services"), args)
        if verb == "taint":
            return self._of(("nodes",), args)
        if verb == "top":
            return self._of(("nodes", "pods"), args)
        if verb == "auth" and self.sub == "can-i":
            return self._can_i(args)
        if verb == "config" and self.sub in ("use-context", "delete-context", "set-context"):
            return [Candidate(each, "context") for each in self.known.contexts] if not args else []
        if verb in _TYPED:
            return self._of((), args)
        return []

    def _can_i(self, args: list[str]) -> list[Candidate]:
        verbs = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
        return [Candidate(each, "verb") for each in verbs] if not args else self._kinds() if len(args) == 1 else []

    def _of(self, plurals: tuple[str, ...], args: list[str]) -> list[Candidate]:
        """A resource (of ``plurals``, if they are given), then names of it."""
        if not args:
            return self._kinds(plurals)
        plural = self._plural(args[0].split(",")[0])
        if self.verb in ("explain",) or "/" in args[0] or not plural:
            return []
        return self._names(plural, args[1:])

    def _kinds(self, plurals: tuple[str, ...] = ()) -> list[Candidate]:
        found: dict[str, Candidate] = {}
        for kind in self.known.kinds:
            if not plurals or kind.plural in plurals:
                note = ", ".join((*kind.short, kind.kind))
                found.setdefault(kind.plural, Candidate(kind.plural, note))
                if self.typed:  # what is typed may be a short name or a singular: they are no news in a whole list
                    for other in (*kind.short, kind.singular):
                        if other and other == self.typed:
                            found.setdefault(other, Candidate(other, kind.plural))
        return [found[name] for name in sorted(found)]

    def _plural(self, typed: str) -> str:
        typed = typed.partition(".")[0].lower()
        for kind in self.known.kinds:
            if typed in (kind.plural, kind.singular, *kind.short):
                return kind.plural
        return ""

    def _names(self, plural: str, taken: list[str] | None = None) -> list[Candidate]:
        kind = next((each for each in self.known.kinds if each.plural == plural), None)
        namespace = self.namespace if kind is None or kind.namespaced else ""
        return [
            Candidate(name, plural) for name in sorted(self.known.names(plural, namespace)) if name not in (taken or ())
        ]
