"""CEL as the apiserver uses it: admission policies, match conditions, and the rules of custom resources.

In → a text such as ``object.spec.replicas <= 5`` and the names that it may use; out → ``Program.evaluate(values)``, whose values are plain
JSON. ``CompileError`` carries the real server's ``compilation failed: …`` with line, column and a mark under the place; ``Failure`` is an
evaluation's error in cel-go's words (``no such key: foo``).

Simplified here: no types are checked before a value is there (the real checker knows the schemas of custom resources and the types of
literals), so some texts that a real server refuses at once fail when they are evaluated; syntax errors have our words. Not evaluated, each
refused by name: optional fields (``.?``, ``[?…]``), ``cel.bind``, ``sets.*``, ``url``, ``ip``, ``cidr``, semantic versions and
comprehensions with two variables. The cost of an evaluation is bounded by an estimate of its steps, not by cel-go's cost model.

Upstream: apiserver/pkg/cel, cel.dev; evaluated by cel-python.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import celpy
from celpy.adapter import json_to_cel
from celpy.celparser import CELParseError
from celpy.celtypes import BoolType, DoubleType, IntType, MapType, StringType, UintType
from celpy.evaluation import CELEvalError, base_functions

from cluster.api.cel_library import FUNCTIONS as LIBRARY

MAX_TEXT = 16 * 1024
MAX_DEPTH = 40
"""Brackets within brackets."""
MAX_STEPS = 200_000
"""About how many elements all macros of one evaluation may look at."""

MACROS = ("all", "exists", "exists_one", "filter", "map")
STANDARD = frozenset(
    "size contains startsWith endsWith matches int uint double string bool bytes dyn type timestamp duration has getFullYear getMonth getDate "
    "getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds".split()
) | frozenset(MACROS)
TYPES = frozenset("int uint double string bool bytes list map null_type type".split())
_REFUSED = frozenset(
    "optional orValue hasValue bind url isURL ip isIP cidr isCIDR semver isSemver transformList transformMap".split()
)
_ESCAPES = {"__dot__": ".", "__dash__": "-", "__slash__": "/", "__underscores__": "__"}
KEYWORDS = "true false null in as break const continue else for function if import let loop package namespace return var void while".split()


class CompileError(ValueError):
    """This text is no expression that could be evaluated here."""


class Failure(Exception):
    """The evaluation has no value; the text is cel-go's."""


class Lazy(MapType):  # type: ignore[misc]
    """``variables``: each is evaluated when somebody looks at it, and once."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__()
        self.makers = makers
        self.known: dict[str, Any] = {}

    def __contains__(self, key: object) -> bool:
        return str(key) in self.makers

    def __getitem__(self, key: Any) -> Any:
        name = str(key)
        if name not in self.known:
            self.known[name] = self.makers[name]()
        return self.known[name]

    def get(self, key: Any, default: Any = None) -> Any:
        found: Any = default
        if key in self:
            found = self[key]
        return found


class Program:
    """One expression that may use ``names``. CompileError."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self.text = text
        self._names = frozenset(names)
        if len(text) > MAX_TEXT or depth(text) > MAX_DEPTH:
            raise CompileError("compilation failed: ERROR: <input>:1:1: expression is too large")
        optional = re.search(r"\.\?|\[\?", _without_strings(text))
        if optional:
            raise self._wrong(optional.start(), "optional fields are not evaluated by Clearplane, use has()")
        environment = celpy.Environment()
        try:
            tree = environment.compile(text)
        except CELParseError as error:
            line, column = error.line or 1, error.column or 1
            raise CompileError(
                f"compilation failed: {_marked(text, line, column, 'Syntax error: unexpected input')}"
            ) from error
        except (ValueError, RecursionError) as error:
            raise CompileError("compilation failed: ERROR: <input>:1:1: Syntax error: unexpected input") from error
        self.macro_depth = 0
        self._check(tree, frozenset(), 0)
        self._program = environment.program(tree, functions=_functions())

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Its value as cel-python has it (``BoolType``, ``StringType`` …). ``values`` are JSON, ``Lazy`` or other CEL values. Failure."""
        largest = max((_widest(value) for value in values.values()), default=1)
        if self.macro_depth and largest**self.macro_depth > MAX_STEPS:
            raise Failure("operation cancelled: actual cost limit exceeded")
        try:
            return self._program.evaluate({name: _to_cel(value) for name, value in values.items()})
        except CELEvalError as error:
            raise Failure(_words(error)) from error
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
            raise Failure(_words(error)) from error

    def _check(self, tree: Any, bound: frozenset[str], depth: int) -> None:
        """Every name and function is known; escaped field names get their real ones."""
        if not hasattr(tree, "children"):
            return
        children, kind = tree.children, tree.data
        if kind == "ident" and str(children[0]) not in bound | self._names | TYPES:
            raise self._undeclared(children[0])
        if kind == "member_dot":
            children[1] = children[1].update(value=unescaped(str(children[1])))
        elif kind in ("ident_arg", "member_dot_arg"):
            token = children[0 if kind == "ident_arg" else 1]
            name = str(token)
            if name in _REFUSED:
                raise self._wrong(token.start_pos or 0, f"'{name}' is not evaluated by Clearplane")
            if name not in STANDARD and name not in LIBRARY:
                raise self._undeclared(token)
            parts = (
                children[2].children
                if kind == "member_dot_arg" and len(children) > 2 and children[2] is not None
                else []
            )
            if kind == "member_dot_arg" and name in MACROS and (name != "map" or len(parts) == 2):
                if len(parts) != 2:
                    raise self._wrong(
                        token.start_pos or 0, f"'{name}' with {len(parts)} arguments is not evaluated by Clearplane"
                    )
                self.macro_depth = max(self.macro_depth, depth + 1)
                self._check(children[0], bound, depth)
                self._check(parts[1], bound | {_ident(parts[0])}, depth + 1)
                return
        elif kind in ("dot_ident", "dot_ident_arg", "member_object"):
            raise self._wrong(0, "messages and leading dots are not evaluated by Clearplane")
        for child in children:
            self._check(child, bound, depth)

    def _undeclared(self, token: Any) -> CompileError:
        return self._wrong(token.start_pos or 0, f"undeclared reference to '{token}' (in container '')")

    def _wrong(self, place: int, words: str) -> CompileError:
        line = self.text.count("\n", 0, place) + 1
        column = place - (self.text.rfind("\n", 0, place) + 1) + 1
        return CompileError(f"compilation failed: {_marked(self.text, line, column, words)}")


@lru_cache(maxsize=512)
def compiled(text: str, names: frozenset[str]) -> Program:
    """The program of a text, made once. CompileError."""
    return Program(text, names)


def unescaped(name: str) -> str:
    """The field that ``__dash__`` and the like stand for."""
    if "__" not in name:
        return name
    if name.startswith("__") and name.endswith("__") and name[2:-2] in KEYWORDS:
        return name[2:-2]
    return re.sub("|".join(_ESCAPES), lambda found: _ESCAPES[found[0]], name)


def is_true(value: Any) -> bool:
    """Whether a value is CEL's true, and not merely something."""
    return isinstance(value, BoolType | bool) and bool(value)


def plain(value: Any) -> str | None:
    """The text of a string value; None for any other."""
    return str(value) if isinstance(value, StringType | str) else None


def _to_cel(value: Any) -> Any:
    return json_to_cel(value) if value is None or type(value) in (dict, list, str, int, float, bool) else value


def _widest(value: Any) -> int:
    """Elements of the largest list or map in ``value``."""
    if type(value) is dict:
        return max(len(value), *(_widest(inner) for inner in value.values())) if value else 1
    if type(value) is list:
        return max(len(value), *(_widest(inner) for inner in value)) if value else 1
    return len(value) if isinstance(value, str) else 1


def _marked(text: str, line: int, column: int, words: str) -> str:
    lines = text.split("\n")
    shown = lines[line - 1] if line <= len(lines) else ""
    return f"ERROR: <input>:{line}:{column}: {words}\n | {shown}\n | {'.' * (column - 1)}^"


def _words(error: Exception) -> str:
    """cel-python's complaint in cel-go's words."""
    text = str(error.args[0]) if error.args else str(error)
    if member := re.search(r"no such (?:member in mapping|key): '?([^' ]+)", text):
        return f"no such key: {member[1]}"
    if text == "no such key" and error.__cause__ is not None and error.__cause__.args:
        return f"no such key: {error.__cause__.args[0]}"
    if "overload" in text:
        return "no such overload"
    if text == "invalid_argument" or "out of range" in text:
        return "index out of bounds"
    if "zero" in text:
        return "division by zero"
    return text.split(" (in activation")[0][:200]


def depth(text: str) -> int:
    """How deep brackets, or signs in a row, stand within one another: the parser would take as many steps down."""
    deepest = here = 0
    for char in text:
        here += (char in "([{") - (char in ")]}")
        deepest = max(deepest, here)
    return max(deepest, max((len(run) for run in re.findall(r"[!-]+", text)), default=0))


def _without_strings(text: str) -> str:
    return re.sub(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", lambda found: "_" * len(found[0]), text)


def _ident(tree: Any) -> str:
    while hasattr(tree, "children") and len(tree.children) == 1:
        if tree.data == "ident":
            return str(tree.children[0])
        tree = tree.children[0]
    raise CompileError("compilation failed: ERROR: <input>:1:1: argument must be a simple name")


def _numbers(plain: Callable[[Any, Any], Any], compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    """Comparison as CEL has it for values whose types are known late: numbers compare across their types."""

    def ask(a: Any, b: Any) -> Any:
        if type(a) is not type(b) and isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS):
            return BoolType(compare(a, b))
        return plain(a, b)

    return ask


def _equal(plain: Callable[[Any, Any], Any], same: bool) -> Callable[[Any, Any], Any]:
    """Equality: values of different types are never equal, which is no error."""

    def ask(a: Any, b: Any) -> Any:
        if isinstance(a, CELEvalError):
            return a
        if isinstance(b, CELEvalError):
            return b
        if isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS):
            return BoolType((float(a) == float(b)) is same)
        try:
            return plain(a, b)
        except TypeError:
            return BoolType(not same)

    return ask


_NUMBERS = (IntType, UintType, DoubleType)


@lru_cache(maxsize=1)
def _functions() -> dict[str, Any]:
    base: Any = base_functions
    compares: dict[str, Callable[[Any, Any], bool]] = {
        "_<_": lambda a, b: float(a) < float(b),
        "_<=_": lambda a, b: float(a) <= float(b),
        "_>_": lambda a, b: float(a) > float(b),
        "_>=_": lambda a, b: float(a) >= float(b),
    }
    found: dict[str, Any] = {name: _numbers(base[name], compare) for name, compare in compares.items()}
    found["_==_"], found["_!=_"] = _equal(base["_==_"], True), _equal(base["_!=_"], False)
    found["dyn"] = lambda value: value
    return {**found, **LIBRARY}
