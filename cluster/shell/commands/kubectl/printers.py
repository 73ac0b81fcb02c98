"""``-o``: how kubectl shows objects: tables from the server, YAML, JSON, names, JSONPath, custom columns, simple Go templates.

Upstream: cli-runtime/pkg/printers, kubectl/pkg/cmd/get.
"""

import re
from typing import Any

from cluster.shell.commands.kubectl.client import Mapping
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.goyaml import dump, go_json
from cluster.shell.jsonpath import JsonPathError, evaluate, find, go_text, relaxed
from cluster.shell.tabwriter import align

Doc = dict[str, Any]

MAX_PIECES = 200_000
FORMATS = (
    "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,template,"
    "templatefile,wide,yaml"
)


def shown_object(doc: Doc, *, managed_fields: bool = False) -> Doc:
    """``doc`` as kubectl shows it: without managedFields unless asked."""
    if isinstance(doc.get("items"), list):
        return {**doc, "items": [shown_object(each, managed_fields=managed_fields) for each in doc["items"]]}
    metadata = doc.get("metadata")
    if managed_fields or not isinstance(metadata, dict) or "managedFields" not in metadata:
        return doc
    return {**doc, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def as_list(docs: list[Doc]) -> Doc:
    """Several objects as one ``List``."""
    return {"apiVersion": "v1", "items": docs, "kind": "List", "metadata": {"resourceVersion": ""}}


def structured(doc: Doc, output: str, flags: dict[str, Any], mapping: Mapping | None = None) -> str:
    """One document (an object or a List) in the form ``output`` names."""
    doc = shown_object(doc, managed_fields=bool(flags.get("show-managed-fields")))
    form, _, detail = output.partition("=")
    match form:
        case "yaml":
            return dump(doc)
        case "json":
            return go_json(doc, 4) + "\n"
        case "name":
            docs = doc["items"] if isinstance(doc.get("items"), list) else [doc]
            return "".join(f"{_shown_kind(each)}/{each['metadata']['name']}\n" for each in docs)
        case "jsonpath" | "jsonpath-as-json":
            template = detail or flags.get("template", "")
            if not template:
                raise Failure("template format specified but no template given")
            return _jsonpath(template, doc, form, flags)
        case "go-template" | "template":
            template = detail or flags.get("template", "")
            if not template:
                raise Failure("template format specified but no template given")
            return go_template(template, doc)
        case "custom-columns":
            if not detail:
                raise Failure("custom-columns format specified but no custom columns given")
            docs = doc["items"] if isinstance(doc.get("items"), list) else [doc]
            return custom_columns(detail, docs, headers=not flags.get("no-headers"))
    raise Failure(f'unable to match a printer suitable for the output format "{form}", allowed formats are: {FORMATS}')


def _shown_kind(doc: Doc) -> str:
    group = str(doc.get("apiVersion", "")).rpartition("/")[0]
    return str(doc.get("kind", "")).lower() + (f".{group}" if group else "")


def _jsonpath(template: str, doc: Doc, form: str, flags: dict[str, Any]) -> str:
    strict = not flags.get("allow-missing-template-keys", True)
    if "{" not in template:
        template = "{" + relaxed(template) + "}"
    try:
        if form == "jsonpath-as-json":
            return go_json(find(doc, template.strip()[1:-1]), 4) + "\n"
        return evaluate(template, doc, strict=strict)
    except JsonPathError as error:
        raise Failure(
            f"error executing jsonpath {go_json(template)}: {error}"
            if strict
            else f"error parsing jsonpath {template}, {error}"
        ) from None


def custom_columns(spec: str, docs: list[Doc], *, headers: bool = True) -> str:
    """``NAME:.metadata.name,IMG:.spec.containers[0].image`` over ``docs``."""
    columns = []
    for each in re.split(r",(?![^\[\(]*[\]\)])", spec):
        name, colon, path = each.partition(":")
        if not colon:
            raise Failure(f"unexpected custom-columns spec: {each}, expected <header>:<json-path-expr>")
        columns.append((name, relaxed(path)))
    rows = ["\t".join(name for name, _ in columns)] if headers else []
    for doc in docs:
        cells = []
        for _, path in columns:
            found = find(doc, path)
            cells.append(",".join(_cell(value) for value in found) if found else "<none>")
        rows.append("\t".join(cells))
    return align("".join(f"{row}\n" for row in rows))


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_cell(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_cell(each) for each in value) + "]"
    return "<nil>" if value is None else go_text(value)


_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)


def go_template(template: str, doc: Doc) -> str:
    """``{{range .items}}{{.metadata.name}}{{"\\n"}}{{end}}``: fields, strings, ``range``, ``if``, ``else``, ``end``, ``index``, ``len``.

    Others of text/template's actions are refused by name."""
    nodes: list[tuple[str, str]] = []
    at = 0
    for match in _ACTION.finditer(template):
        nodes.append(("text", template[at : match.start()]))
        nodes.append(("action", match[1]))
        at = match.end()
    nodes.append(("text", template[at:]))
    out: list[str] = []
    _template(nodes, 0, doc, doc, out, quiet=False)
    return "".join(out)


def _template(nodes: list[tuple[str, str]], at: int, dot: Any, root: Any, out: list[str], *, quiet: bool) -> int:
    while at < len(nodes):
        kind, body = nodes[at]
        if kind == "text":
            out.append("" if quiet else body)
        elif body in ("end", "else"):
            return at
        elif body.startswith(("range ", "if ")):
            word, _, expression = body.partition(" ")
            value = None if quiet else _operand(expression, dot, root)
            items = (list(value.values()) if isinstance(value, dict) else value or []) if word == "range" else [dot]
            chosen = bool(value)
            end = at + 1
            if chosen and not quiet:
                for item in items:
                    out.append("")  # an empty range counts, too
                    if len(out) > MAX_PIECES:
                        raise Failure("this template prints more than this console can hold")
                    end = _template(nodes, at + 1, item, root, out, quiet=False)
            else:
                end = _template(nodes, at + 1, dot, root, out, quiet=True)
            if end < len(nodes) and nodes[end][1] == "else":
                end = _template(nodes, end + 1, dot, root, out, quiet=quiet or chosen)
            if end >= len(nodes):
                raise Failure(f"error parsing template: unexpected EOF in {body!r}")
            at = end
        elif not quiet and not body.startswith("/*"):
            out.append(_go_value(_operand(body, dot, root)))
        at += 1
    return at


def _operand(text: str, dot: Any, root: Any) -> Any:
    if text[:1] == '"' and text[-1:] == '"':
        return text[1:-1].replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')
    if text[:1] == "`":
        return text[1:-1]
    if text == ".":
        return dot
    words = text.split()
    if len(words) >= 3 and words[0] == "index":
        value = _operand(words[1], dot, root)
        for word in words[2:]:
            key: Any = int(word) if word.isdigit() else word.strip('"')
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value
    if len(words) == 2 and words[0] == "len":
        return len(_operand(words[1], dot, root) or ())
    if len(words) == 1 and text.startswith((".", "$")):
        value = root if text.startswith("$") else dot
        for name in text.lstrip("$").strip(".").split("."):
            value = value.get(name) if isinstance(value, dict) and name else value if not name else None
        return value
    raise Failure(f"error parsing template: function {words[0]!r} is not supported in this console".replace("'", '"'))


def _go_value(value: Any) -> str:
    return "<no value>" if value is None else _cell(value)


# -- tables ------------------------------------------------------------------------------------------------------------


def columns_of(table: Doc, *, wide: bool) -> list[int]:
    """Which columns are shown."""
    definitions = table.get("columnDefinitions") or []
    return [place for place, each in enumerate(definitions) if wide or not each.get("priority")]


def table_rows(
    table: Doc,
    columns: list[int],
    *,
    prefix: str = "",
    namespace: bool = False,
    labels: list[str] | None = None,
    all_labels: bool = False,
) -> list[str]:
    """Rows as tab-separated cells."""
    rows = []
    for row in table.get("rows") or ():
        metadata = (row.get("object") or {}).get("metadata") or {}
        cells = [_text(row["cells"][place]) for place in columns if place < len(row["cells"])]
        if prefix and cells:
            cells[0] = f"{prefix}/{cells[0]}"
        found = metadata.get("labels") or {}
        cells += [found.get(name, "") for name in labels or ()]
        if all_labels:
            cells.append(",".join(f"{key}={found[key]}" for key in sorted(found)) or "<none>")
        rows.append("\t".join(([metadata.get("namespace", "")] if namespace else []) + cells))
    return rows


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, str):
        first = re.split(r"[\n\r\f]", cell, maxsplit=1)[0]
        return first if first == cell else first + "..."
    return str(cell)


def table_header(
    table: Doc,
    columns: list[int],
    *,
    namespace: bool = False,
    labels: list[str] | None = None,
    all_labels: bool = False,
) -> str:
    """The heading as tab-separated cells."""
    names = [table["columnDefinitions"][place]["name"].upper() for place in columns]
    names += [name.rsplit("/", 1)[-1].upper() for name in labels or ()]
    return "\t".join((["NAMESPACE"] if namespace else []) + names + (["LABELS"] if all_labels else []))
