"""JSONPath as kubectl has it: ``{.items[*].metadata.name}``, ``{..image}``, filters, ranges, slices, unions, literals.

In → a template and a document; out → text. Values print as in Go: strings bare, maps and lists as compact JSON. Errors:
``JsonPathError`` with client-go's words. ``find`` gives the values of one bare path (for ``--sort-by``, ``custom-columns``).

Upstream: client-go/util/jsonpath, kubectl's "relaxed" form without braces.
"""

import re
from typing import Any

from cluster.shell.goyaml import go_json


class JsonPathError(Exception):
    """The template is wrong, or names what isn't there."""


_IDENT = re.compile(r"(?:\\.|[^\s.\[\]{},()'\"@$|=<>!*:+])+")
_FILTER = re.compile(r"^(?P<left>.+?)\s*(?P<op>==|!=|<=|>=|<|>|=~)\s*(?P<right>.+)$", re.DOTALL)

Node = tuple[str, Any]
MAX_VALUES = 200_000


def _parse(template: str) -> list[Node]:
    """The template as nodes: ("text", s), ("path", [steps]), ("range", path), ("end", None)."""
    found: list[Node] = []
    at = 0
    while at < len(template):
        start = template.find("{", at)
        if start < 0:
            found.append(("text", template[at:]))
            break
        if start > at:
            found.append(("text", template[at:start]))
        end = _closing(template, start)
        body = template[start + 1 : end].strip()
        at = end + 1
        found.extend(_action(body))
    return found


def _closing(template: str, start: int) -> int:
    at, quote = start + 1, ""
    while at < len(template):
        char = template[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "}":
            return at
        at += 1
    raise JsonPathError("unclosed action")


def _action(body: str) -> list[Node]:
    if body == "end":
        return [("end", None)]
    if body.startswith("range"):
        return [("range", steps(body[5:].strip()))]
    found: list[Node] = []
    rest = body
    while rest:
        if rest[0] in "\"'":
            match = re.match(r"\"((?:\\.|[^\"\\])*)\"|'((?:\\.|[^'\\])*)'", rest)
            if match is None:
                raise JsonPathError("unterminated quoted string")
            text = match[1] if match[1] is not None else match[2]
            found.append(("text", _unquote(text)))
            rest = rest[match.end() :].lstrip()
            continue
        path, rest = _take_path(rest)
        found.append(("path", steps(path)))
        rest = rest.lstrip()
    return found


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), text)


def _take_path(text: str) -> tuple[str, str]:
    at, level = 0, 0
    while at < len(text):
        char = text[at]
        if char == "[":
            level += 1
        elif char == "]":
            level -= 1
        elif char.isspace() and level == 0:
            break
        at += 1
    return text[:at], text[at:]


def steps(path: str) -> list[Node]:
    """A path as steps: ("field", name), ("index", n), ("slice", (a, b, c)), ("all",), ("deep",), ("filter", …), ("union", …)."""
    found: list[Node] = []
    rest = path
    if rest.startswith("$"):
        found.append(("root", None))
    if rest.startswith(("$", "@")):
        rest = rest[1:]
    while rest:
        if rest.startswith(".."):
            found.append(("deep", None))
            rest = rest[2:]
            if rest[:1] not in ("[", "*", ""):
                rest = "." + rest
        elif rest[0] == "." or (not found and rest[0] not in "[*"):
            rest = rest.removeprefix(".")
            if rest.startswith("*"):
                found.append(("all", None))
                rest = rest[1:]
                continue
            if not rest or rest[0] == "[":
                continue
            match = _IDENT.match(rest)
            if match is None:
                raise JsonPathError(f"unrecognized character in action: U+{ord(rest[0]):04X} '{rest[0]}'")
            found.append(("field", re.sub(r"\\(.)", r"\1", match[0])))
            rest = rest[match.end() :]
        elif rest[0] == "*":
            found.append(("all", None))
            rest = rest[1:]
        elif rest[0] == "[":
            inner, rest = _bracket(rest)
            found.append(_subscript(inner))
        else:
            raise JsonPathError(f"unrecognized character in action: U+{ord(rest[0]):04X} '{rest[0]}'")
    return found


def _bracket(text: str) -> tuple[str, str]:
    at, level, quote = 0, 0, ""
    while at < len(text):
        char = text[at]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "[":
            level += 1
        elif char == "]":
            level -= 1
            if level == 0:
                return text[1:at], text[at + 1 :]
        at += 1
    raise JsonPathError("unterminated array")


def _subscript(inner: str) -> Node:
    inner = inner.strip()
    if inner == "*":
        return ("all", None)
    if inner.startswith("?(") and inner.endswith(")"):
        return ("filter", _filter(inner[2:-1].strip()))
    if re.fullmatch(r"'[^']*'|\"[^\"]*\"", inner):
        return ("field", inner[1:-1])
    if "," in inner:
        return ("union", [_subscript(each) for each in inner.split(",")])
    match = re.fullmatch(r"(-?\d*)(?::(-?\d*))?(?::(-?\d*))?", inner)
    if match is None or not inner:
        raise JsonPathError(f"invalid array index {inner}")
    if ":" in inner:
        return ("slice", tuple(int(each) if each else None for each in match.groups()))
    return ("index", int(inner))


def _filter(text: str) -> tuple[list[Node], str, Any]:
    match = _FILTER.match(text)
    if match is None:
        return (steps(text), "exists", None)
    return (steps(match["left"].strip()), match["op"], _operand(match["right"].strip()))


def _operand(text: str) -> Any:
    if text[:1] in "'\"":
        return text[1:-1]
    if text.startswith("@"):
        return steps(text)
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            raise JsonPathError(f"unrecognized filter operand {text}") from None


def find(doc: Any, path: str, *, strict: bool = False) -> list[Any]:
    """The values of one path; ``strict``: what is missing is an error."""
    return _walk([doc], steps(path), strict)


def _walk(values: list[Any], path: list[Node], strict: bool) -> list[Any]:
    deep = False
    if path and path[0][0] == "root":
        path = path[1:]
    for kind, detail in path:
        if kind == "deep":
            values = [each for value in values for each in _descend(value)]
            deep = True
            if len(values) > MAX_VALUES:
                raise JsonPathError("more results than this console can hold")
            continue
        values = [each for value in values for each in _step(value, kind, detail, strict and not deep)]
        deep = False
        if len(values) > MAX_VALUES:
            raise JsonPathError("more results than this console can hold")
    return values


def _descend(value: Any) -> list[Any]:
    found = [value]
    children = [value[key] for key in sorted(value)] if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for each in children:
            if isinstance(each, dict | list):
                found.extend(_descend(each))
    return found


def _step(value: Any, kind: str, detail: Any, strict: bool) -> list[Any]:
    if kind == "field":
        if isinstance(value, dict) and detail in value:
            return [value[detail]]
        if strict:
            raise JsonPathError(f"{detail} is not found")
        return []
    if kind == "union":
        return [found for each in detail for found in _step(value, each[0], each[1], strict)]
    if kind == "all":
        if isinstance(value, dict):
            return [value[key] for key in sorted(value)]
        return list(value) if isinstance(value, list) else []
    if not isinstance(value, list):
        if strict and value is not None:
            raise JsonPathError(f"{go_text(value)} is not array or slice")
        return []
    if kind == "index":
        if -len(value) <= detail < len(value):
            return [value[detail]]
        if strict:
            raise JsonPathError(f"array index out of bounds: index {detail}, length {len(value)}")
        return []
    if kind == "slice":
        return value[slice(*detail)]
    left, operator, right = detail
    return [each for each in value if _holds(each, left, operator, right)]


def _holds(value: Any, left: list[Node], operator: str, right: Any) -> bool:
    found = _walk([value], left, False)
    if operator == "exists":
        return bool(found)
    if not found:
        return False
    other = right
    if isinstance(right, list):
        others = _walk([value], right, False)
        if not others:
            return False
        other = others[0]
    one = found[0]
    if isinstance(one, bool) != isinstance(other, bool) or isinstance(one, str) != isinstance(other, str):
        return operator == "!="
    try:
        return {
            "==": one == other,
            "!=": one != other,
            "<": operator == "<" and one < other,
            ">": operator == ">" and one > other,
            "<=": operator == "<=" and one <= other,
            ">=": operator == ">=" and one >= other,
        }.get(operator, False)
    except TypeError:
        return False


def go_text(value: Any) -> str:
    """One result as it is printed."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return go_json(value)
    return str(value)


def relaxed(template: str) -> str:
    """``.metadata.name`` and ``metadata.name`` as ``{.metadata.name}``: what custom columns and sorting allow."""
    text = template.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    return text if text.startswith((".", "$", "[")) else f".{text}"


def evaluate(template: str, doc: Any, *, strict: bool = False) -> str:
    """The template with its actions replaced."""
    nodes = _parse(template)
    out: list[str] = []
    _emit(nodes, 0, [doc], out, strict)
    return "".join(out)


def _emit(nodes: list[Node], at: int, scope: list[Any], out: list[str], strict: bool) -> int:
    """Print nodes from ``at`` to the end (of the range); where it stopped."""
    while at < len(nodes):
        if len(out) > MAX_VALUES:
            raise JsonPathError("more results than this console can hold")
        kind, detail = nodes[at]
        if kind == "end":
            return at
        if kind == "text":
            out.append(detail)
        elif kind == "range":
            items = _walk([_origin(detail, scope)], detail, strict)
            if len(items) == 1 and isinstance(items[0], list) and detail and detail[-1][0] == "field":
                items = items[0]
            end = at + 1
            for item in items:
                out.append("")  # an empty range must count, too
                end = _emit(nodes, at + 1, [*scope, item], out, strict)
            if not items:
                end = _skip(nodes, at + 1)
            if end >= len(nodes):
                raise JsonPathError("not in range, nothing to end" if not items else "unclosed range")
            at = end
        else:
            out.append(" ".join(go_text(each) for each in _walk([_origin(detail, scope)], detail, strict)))
        at += 1
    return at


def _origin(path: list[Node], scope: list[Any]) -> Any:
    """Where a path starts: ``$`` at the document, others at the innermost range's item."""
    return scope[0] if path and path[0][0] == "root" else scope[-1]


def _skip(nodes: list[Node], at: int) -> int:
    level = 0
    while at < len(nodes):
        if nodes[at][0] == "range":
            level += 1
        elif nodes[at][0] == "end":
            if level == 0:
                return at
            level -= 1
        at += 1
    return at
