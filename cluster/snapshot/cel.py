"""CEL over the cluster's objects: one expression, true or false, asked again whenever something it looks at has changed.

In → a text such as ``pods.filter(p, p.status.phase == "Running").size() >= 3``. Each plural (``pods``, ``deployments``, a custom resource's)
is the list of all its objects as etcd holds them. Out → ``Expression.holds(objects)``: bool, or ``Unsettled`` with one sentence when it has no
value just now (a field that isn't there yet). ``Refused`` when the text is no expression, names what there isn't, or would cost too much.

An evaluation costs about 0.3 ms an object, so the macros over a plural whose body looks at nothing but its own variable (``all``, ``exists``,
``exists_one``, ``filter(…).size()``) remember each object's verdict and ask only about objects that changed.

Simplified here: CEL's standard functions and macros only. Not supported, each refused by name: optional fields (``.?``, ``[?…]``,
``orValue``), Kubernetes' own libraries (``quantity``, ``split``, ``isSorted``, ``find``, ``url``, ``ip`` …), ``cel.bind``, macros with two
variables. At most ``MAX_TEXT`` characters and ``MAX_COST`` steps an evaluation outside what is remembered.

Upstream: cel.dev, github.com/google/cel-spec; evaluated by cel-python.
"""

import re
from collections.abc import Callable
from typing import Any

import celpy
from celpy.adapter import json_to_cel
from celpy.celparser import CELParseError
from celpy.celtypes import BoolType, IntType, ListType
from celpy.evaluation import CELEvalError

from cluster.api.cel import MACROS, STANDARD, TYPES, depth
from cluster.snapshot.objects import Objects

MAX_TEXT = 500
MAX_DEPTH = 24
"""Brackets within brackets."""
MAX_COST = 2000
GUESS = 10
"""Elements that a list inside an object is taken to have."""


class Refused(ValueError):
    """This text can't be asked; the sentence says why."""


class Unsettled(Exception):
    """It has no value just now; the sentence says why."""


class _Op:
    """Part of the text that is worked out here: a macro over the plural ``table``, or its size. ``body`` empty: the size."""

    def __init__(self, table: str, macro: str, variable: str, body: Any) -> None:
        self.table, self.macro, self.variable, self.body = table, macro, variable, body
        self.known: dict[str, tuple[Any, bool | str]] = {}
        """Name → document and verdict (true, false, or the sentence of an error)."""

    def value(self, objects: Objects) -> Any:
        table = objects.get(self.table)
        if self.body is None:
            return IntType(len(table))
        known = self.known
        self.known = {}
        yes = no = 0
        trouble = ""
        for name, doc in table.items():
            seen = known.get(name)
            if seen is None or seen[0] is not doc:
                seen = (doc, self._ask(doc))
            self.known[name] = seen
            if seen[1] is True:
                yes += 1
            elif seen[1] is False:
                no += 1
            else:
                trouble = trouble or f"{self.table} {name}: {seen[1]}"
        return self._fold(yes, no, trouble)

    def _fold(self, yes: int, no: int, trouble: str) -> Any:
        """What all verdicts come to. CEL: an error counts unless the others have decided already."""
        if self.macro == "all":
            if trouble and not no:
                raise Unsettled(trouble)
            return BoolType(not no)
        if self.macro == "exists":
            if trouble and not yes:
                raise Unsettled(trouble)
            return BoolType(bool(yes))
        if trouble:
            raise Unsettled(trouble)
        return IntType(yes) if self.macro == "filter" else BoolType(yes == 1)

    def _ask(self, doc: Any) -> bool | str:
        try:
            found = _run(self.body, {self.variable: json_to_cel(doc)})
        except Unsettled as error:
            return str(error)
        return bool(found) if isinstance(found, BoolType) else "the macro's condition is neither true nor false"


class Expression:
    """One expression. ``tables``: the plurals it looks at. Refused."""

    def __init__(self, text: str, is_plural: Callable[[str], bool]) -> None:
        self.text = text
        if len(text) > MAX_TEXT:
            raise Refused(f"an expression has at most {MAX_TEXT} characters")
        if depth(text) > MAX_DEPTH:
            raise Refused(f"brackets may stand within brackets {MAX_DEPTH} deep")
        if re.search(r"\.\?|\[\?", text):
            raise Refused("optional fields (.? and [?]) are not supported here; ask has(x.y) first")
        self._env = celpy.Environment()
        tree = self._compile(text)
        self._check(tree, frozenset(), is_plural)
        self.ops: list[_Op] = []
        shorter = self._shorten(tree, is_plural)
        self._tree = self._compile(shorter)
        self._program = self._env.program(self._tree)
        self._whole = sorted(name for name in _idents(self._tree) if is_plural(name))
        """Plurals that are handed over as lists."""
        self.tables = tuple(sorted({*self._whole, *(op.table for op in self.ops)}))
        self._seen: list[Any] | None = None
        self._last: bool | Unsettled = False
        if not self.tables:
            raise Refused("the expression looks at no objects; name some, such as pods or deployments")

    def holds(self, objects: Objects) -> bool:
        """Whether it is true of ``objects``. Unsettled; Refused when the cluster has become too large for it."""
        seen = [doc for table in self.tables for doc in objects.get(table).values()]
        if (
            self._seen is None
            or len(seen) != len(self._seen)
            or any(a is not b for a, b in zip(seen, self._seen, strict=True))
        ):
            self._seen = seen
            try:
                self._last = self._evaluate(objects)
            except Unsettled as error:
                self._last = error
        if isinstance(self._last, Unsettled):
            raise self._last
        return self._last

    def _evaluate(self, objects: Objects) -> bool:
        cost = self._cost(self._tree, objects)
        if cost > MAX_COST:
            raise Refused(
                f"this would take about {cost} steps each time, more than {MAX_COST}: use filter(…).size(), exists or all "
                "with a condition on one object at a time"
            )
        values: dict[str, Any] = {f"op__{n}": op.value(objects) for n, op in enumerate(self.ops)}
        for name in self._whole:
            values[name] = ListType([json_to_cel(doc) for doc in objects.get(name).values()])
        found = _run(self._program, values)
        if not isinstance(found, BoolType):
            raise Refused("the expression is neither true nor false: compare something, such as pods.size() >= 3")
        return bool(found)

    # -- reading the text ------------------------------------------------------------------------------------------

    def _compile(self, text: str) -> Any:
        try:
            return self._env.compile(text)
        except CELParseError as error:
            place = f" at character {error.column}" if error.column else ""
            raise Refused(f"this is not CEL{place}: {_quoted(text)}") from error
        except (ValueError, RecursionError) as error:
            raise Refused(f"this is not CEL: {_quoted(text)}") from error

    def _check(self, tree: Any, bound: frozenset[str], is_plural: Callable[[str], bool]) -> None:
        """Every name means something. Refused."""
        if not hasattr(tree, "children"):
            return
        children, kind = tree.children, tree.data
        if kind == "ident":
            name = str(children[0])
            if name not in bound and name not in TYPES and not is_plural(name):
                raise Refused(f"there is no resource {name!r}; name a plural, such as pods, nodes or deployments")
        elif kind in ("ident_arg", "member_dot_arg"):
            name = str(children[0 if kind == "ident_arg" else 1])
            if name not in STANDARD:
                raise Refused(f"the function {name!r} is not supported here: CEL's standard functions and macros are")
            if kind == "member_dot_arg" and name in MACROS:
                self._check(children[0], bound, is_plural)
                parts = children[2].children if len(children) > 2 else []
                if len(parts) != 2:
                    raise Refused(f"the macro {name} takes a variable and one expression here")
                self._check(parts[1], bound | {_only_ident(parts[0])}, is_plural)
                return
        elif kind in ("dot_ident", "dot_ident_arg", "member_object"):
            raise Refused("messages and leading dots are not supported here")
        for child in children:
            self._check(child, bound, is_plural)

    def _shorten(self, tree: Any, is_plural: Callable[[str], bool]) -> str:
        """The text with each part that is worked out here replaced by a name."""
        found: list[tuple[int, int, _Op]] = []
        self._find(tree, is_plural, found)
        text = self.text
        for start, end, op in reversed(found):
            self.ops.append(op)
            text = f"{text[:start]}op__{len(self.ops) - 1}{text[end:]}"
        return text

    def _find(self, tree: Any, is_plural: Callable[[str], bool], found: list[tuple[int, int, _Op]]) -> None:
        if not hasattr(tree, "children"):
            return
        op = self._op(tree, is_plural)
        if op is not None:
            found.append((tree.meta.start_pos, tree.meta.end_pos, op))
            return
        if tree.data == "member_dot_arg" and str(tree.children[1]) in MACROS:
            self._find(tree.children[0], is_plural, found)  # a body may run often, under another meaning of names
            return
        for child in tree.children:
            self._find(child, is_plural, found)

    def _op(self, tree: Any, is_plural: Callable[[str], bool]) -> _Op | None:
        if tree.data == "ident_arg" and str(tree.children[0]) == "size" and len(tree.children) > 1:
            table = _ident(tree.children[1].children[0])
            return _Op(table, "", "", None) if is_plural(table) else None
        if tree.data != "member_dot_arg":
            return None
        name = str(tree.children[1])
        if name == "size":
            table = _ident(tree.children[0])
            if is_plural(table):
                return _Op(table, "", "", None)
            inner = _down(tree.children[0], "member_dot_arg")
            return self._macro(inner, ("filter",), is_plural) if inner is not None else None
        return self._macro(tree, ("all", "exists", "exists_one"), is_plural)

    def _macro(self, tree: Any, macros: tuple[str, ...], is_plural: Callable[[str], bool]) -> _Op | None:
        name, table = str(tree.children[1]), _ident(tree.children[0])
        if name not in macros or not is_plural(table):
            return None
        variable, body = tree.children[2].children
        if any(is_plural(other) and other != _only_ident(variable) for other in _idents(body)):
            return None
        text = self.text[body.meta.start_pos : body.meta.end_pos]
        inner = self._compile(text)
        if self._cost(inner, None) > MAX_COST:
            raise Refused("the macros within macros of this expression would take too many steps")
        return _Op(table, name, _only_ident(variable), self._env.program(inner))

    def _cost(self, tree: Any, objects: Objects | None) -> int:
        """About how many macro steps, and objects handed over, an evaluation takes."""
        if not hasattr(tree, "children"):
            return 0
        if tree.data == "ident" and objects is not None:
            return len(objects.get(str(tree.children[0])))
        if tree.data == "member_dot_arg" and str(tree.children[1]) in MACROS:
            of, body = tree.children[0], tree.children[2].children[1]
            table = _ident(of)
            size = len(objects.get(table)) if objects is not None and table in self._tables_of(objects) else _length(of)
            return self._cost(of, objects) + size * (1 + self._cost(body, objects))
        return sum(self._cost(child, objects) for child in tree.children)

    @staticmethod
    def _tables_of(objects: Objects) -> dict[str, Any]:
        return objects.by_resource


def _run(program: Any, values: dict[str, Any]) -> Any:
    try:
        return program.evaluate(values)
    except CELEvalError as error:
        raise Unsettled(_sentence(str(error.args[0]) if error.args else str(error))) from error
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        raise Unsettled(_sentence(str(error))) from error


def _sentence(text: str) -> str:
    """cel-python's complaint as a sentence without its insides."""
    member = re.search(r"no such member in mapping: '?([\w.-]+)", text)
    if member:
        return f"there is no field {member[1]!r} (has(…) asks whether there is)"
    if "overload" in text:
        kinds = " and ".join(kind.lower() for kind in re.findall(r"(\w+)Type'?>", text)[:2])
        return f"{kinds or 'these'} don't go together: CEL compares and adds values of one type only"
    return text.split(" (in activation")[0][:160]


def _quoted(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _down(tree: Any, kind: str) -> Any:
    """Through the levels of precedence that have one child, to a node of ``kind``; None if something else stands there."""
    while hasattr(tree, "children"):
        if tree.data == kind:
            return tree
        if len(tree.children) != 1:
            return None
        tree = tree.children[0]
    return None


def _ident(tree: Any) -> str:
    found = _down(tree, "ident")
    return str(found.children[0]) if found is not None else ""


def _only_ident(tree: Any) -> str:
    name = _ident(tree)
    if not name:
        raise Refused("a macro's first argument is a variable's name")
    return name


def _idents(tree: Any) -> list[str]:
    if not hasattr(tree, "children"):
        return []
    if tree.data == "ident":
        return [str(tree.children[0])]
    return [name for child in tree.children for name in _idents(child)]


def _length(tree: Any) -> int:
    """Elements of a literal list; a guess for any other."""
    literal = _down(tree, "list_lit")
    if literal is None:
        return GUESS
    return sum(len(child.children) for child in literal.children if hasattr(child, "children"))
