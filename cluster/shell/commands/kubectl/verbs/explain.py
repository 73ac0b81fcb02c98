"""``kubectl explain``: a kind's fields, from the server's OpenAPI document.

Upstream: kubectl/pkg/explain/v2 (the plaintext template).
"""

from typing import Any

from cluster.shell.commands.kubectl.client import Mapping
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import BOOL, STRING
from cluster.shell.interpreter import Run

NAMES = ("explain",)
FLAGS = {"recursive": BOOL, "api-version": STRING, "output": STRING}

Doc = dict[str, Any]
_WIDTH = 80


def run(k: Kubectl) -> Run:
    """GROUP, KIND, VERSION, FIELD, DESCRIPTION, FIELDS."""
    if len(k.args) != 1:
        raise Failure(
            'You must specify the type of resource to explain. Use "kubectl api-resources" for a complete list of supported resources.'
            if not k.args
            else "We accept only this format: explain RESOURCE"
        )
    kind, *fields = k.args[0].split(".")
    try:
        mapping = yield from k.client.mapping(kind)
    except Failure as error:
        raise Failure(str(error), plain=True) from None
    root = f"apis/{mapping.api_version}" if mapping.group else f"api/{mapping.version}"
    document = yield from k.client.call("GET", f"/openapi/v3/{root}")
    schemas = document["components"]["schemas"]
    schema = _kind_schema(schemas, mapping)
    head = f"GROUP:      {mapping.group}\n" if mapping.group else ""
    head += f"KIND:       {mapping.kind}\nVERSION:    {mapping.version}\n\n"
    k.out(head)
    description = ""
    prop: Doc = {}
    for name in fields:
        inner = _object(schemas, schema)
        if name not in (inner.get("properties") or {}):
            raise Failure(f'field "{name}" does not exist')
        prop = inner["properties"][name]
        description = prop.get("description", "")
        schema = prop
    if fields:
        shown = f"FIELD: {fields[-1]} <{_type(schemas, prop)}>\n"
        shown += _enum(prop, 0)
        k.out(shown + "\n\n")
    target = _object(schemas, schema)
    texts = [text for text in (description, target.get("description", "")) if text]
    if len(texts) == 2 and texts[0] == texts[1]:
        texts = texts[:1]
    k.out("DESCRIPTION:\n")
    k.out("".join(f"{_wrapped(text, 4)}\n" for text in texts) if texts else "    <empty>\n")
    k.out("    \n")
    if target.get("properties"):
        k.out("FIELDS:\n" + _fields(schemas, target, 1, recursive=k.flags["recursive"], seen=()) + "\n")
    return 0


def _kind_schema(schemas: Doc, mapping: Mapping) -> Doc:
    for schema in schemas.values():
        for gvk in schema.get("x-kubernetes-group-version-kind") or ():
            if (gvk["group"], gvk["version"], gvk["kind"]) == (mapping.group, mapping.version, mapping.kind):
                return schema
    raise Failure(f"GVR ({mapping.group}/{mapping.version}, {mapping.plural}) not found in OpenAPI schema")


def _ref(prop: Doc) -> str:
    ref = prop.get("$ref") or next((each["$ref"] for each in prop.get("allOf") or () if "$ref" in each), "")
    return ref.rpartition("/")[2]


def _object(schemas: Doc, prop: Doc) -> Doc:
    """The object that a property holds, through references, lists and maps."""
    while True:
        ref = _ref(prop)
        if ref:
            prop = schemas[ref]
        elif prop.get("items"):
            prop = prop["items"]
        elif isinstance(prop.get("additionalProperties"), dict):
            prop = prop["additionalProperties"]
        else:
            return prop


def _type(schemas: Doc, prop: Doc) -> str:
    ref = _ref(prop)
    if ref:
        target = schemas[ref]
        if target.get("type") in ("string", "integer", "boolean", "number"):
            return (
                "string"
                if target["type"] == "string"
                and target.get("format") not in ("int-or-string",)
                and "properties" not in target
                and ref.endswith("Time") is False
                else ref.rpartition(".")[2]
                if not ref.endswith("Time")
                else "string"
            )
        return ref.rpartition(".")[2]
    if prop.get("items"):
        return "[]" + _type(schemas, prop["items"])
    if isinstance(prop.get("additionalProperties"), dict):
        return "map[string]" + _type(schemas, prop["additionalProperties"])
    return prop.get("type", "Object") if prop.get("type") != "object" else "Object"


def _enum(prop: Doc, level: int) -> str:
    return f"{'  ' * level}enum: {', '.join(prop['enum'])}\n" if prop.get("enum") else ""


def _fields(schemas: Doc, schema: Doc, level: int, *, recursive: bool, seen: tuple[str, ...]) -> str:
    out = ""
    for name in sorted(schema.get("properties") or {}):
        prop = schema["properties"][name]
        required = " -required-" if name in (schema.get("required") or ()) else ""
        out += f"{'  ' * level}{name}\t<{_type(schemas, prop)}>{required}\n" + _enum(prop, level)
        if recursive:
            inner = _object(schemas, prop)
            key = _ref(prop) or _ref(prop.get("items") or {})
            if inner.get("properties") and key not in seen and level < 12:
                out += _fields(schemas, inner, level + 1, recursive=True, seen=(*seen, key))
        else:
            text = (
                prop.get("description") or _object(schemas, prop).get("description", "")
                if _ref(prop)
                else prop.get("description", "")
            )
            out += (_wrapped(text, 4) if text else "    <no description>") + "\n\n"
    return out


def _wrapped(text: str, indent: int) -> str:
    """Words in lines of 80 columns, paragraphs kept."""
    lead = " " * indent
    lines = []
    for paragraph in text.split("\n"):
        current = ""
        stripped = paragraph.lstrip(" ")
        first = paragraph[: len(paragraph) - len(stripped)]
        for word in stripped.split():
            candidate = f"{current} {word}" if current else first + word
            if len(lead + candidate) > _WIDTH and current:
                lines.append(lead + current)
                current = word
            else:
                current = candidate
        lines.append(lead + current)
    return "\n".join(lines)
