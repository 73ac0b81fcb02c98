"""Schemas of custom resources, from the structural schema in their CustomResourceDefinition.

The same interface as built-in kinds: ``decode`` prunes and names unknown fields, ``default`` fills in, ``validate`` gives
the field errors of OpenAPI validation with the server's words, ``root`` tells patches and field managers about lists.

In → a Resource whose ``crd`` is set; out → a ``Schema``. ``resources_of(crd)`` are the Resources that an established
definition serves.

Simplified here: ``format`` is checked for date-time, date, int32, int64, uuid, ipv4 and ipv6 only.

Upstream: apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting}, pkg/apiserver/validation.
"""

import re
from functools import cache
from ipaddress import ip_address
from typing import Any

import orjson

from cluster.api import crd_rules, field, schema
from cluster.api.field import FieldError
from cluster.api.schema import Decoded, DecodeError, Field, ListNode, Node, Schema, StringNode, struct_node

Doc = dict[str, Any]

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_EMBEDDED = "x-kubernetes-embedded-resource"


def is_established(crd: Doc) -> bool:
    """Whether its names were accepted and it is served."""
    return any(
        c.get("type") == "Established" and c.get("status") == "True"
        for c in (crd.get("status") or {}).get("conditions") or ()
    )


def resources_of(crd: Doc) -> list[Any]:
    """The Resources that the definition serves, one a served version; [] while it is not established."""
    from cluster.api import scheme
    from cluster.api.builtin_kinds import ALL, STATUS_VERBS

    if not is_established(crd):
        return []
    spec = crd["spec"]
    names = (crd.get("status") or {}).get("acceptedNames") or spec["names"]
    namespaced = spec.get("scope") == "Namespaced"
    storage = next((v["name"] for v in spec["versions"] if v.get("storage")), spec["versions"][0]["name"])
    group, plural, kind = spec["group"], names["plural"], names["kind"]
    found = []
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        declared = version.get("subresources") or {}
        subs = []
        if declared.get("scale") is not None:
            subs.append(scheme.Subresource("scale", "Scale", "autoscaling", "v1", STATUS_VERBS, namespaced))
        if declared.get("status") is not None:
            subs.append(scheme.Subresource("status", kind, "", "", STATUS_VERBS, namespaced))
        found.append(
            scheme.Resource(
                group=group,
                version=version["name"],
                kind=kind,
                plural=plural,
                singular=names.get("singular", kind.lower()),
                list_kind=names.get("listKind", f"{kind}List"),
                namespaced=namespaced,
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                verbs=ALL,
                subresources=tuple(subs),
                storage_version_hash=scheme.storage_version_hash(group, storage, kind),
                prefix=f"/registry/{group}/{plural}",
                storage_group=group,
                storage_version=storage,
                patch_types=(scheme.JSON_PATCH, scheme.MERGE_PATCH, scheme.APPLY_PATCH),
                crd=crd,
            )
        )
    return found


class CustomStruct(Node):
    """An object with properties, as patches and field managers see it."""

    __slots__ = ("element", "fields")
    op = "struct"

    def __init__(self, fields: dict[str, Field], element: Node | None) -> None:
        super().__init__("map[string]interface {}")
        self.fields = fields
        self.element = element

    def child(self, key: str) -> Node | None:
        """The Node of a property."""
        found = self.fields.get(key)
        return found.node if found else self.element


def _node(props: Doc) -> Node:
    kind = props.get("type")
    if kind == "object":
        extra = props.get("additionalProperties")
        element = _node(extra) if isinstance(extra, dict) else None
        fields = {
            name: Field(name=name, rank=i, node=_node(inner), omit=schema.OMIT_NONE, zero=None)
            for i, (name, inner) in enumerate(sorted((props.get("properties") or {}).items()))
        }
        node: Node = CustomStruct(fields, element)
        node.map_type = props.get("x-kubernetes-map-type", "")
        return node
    if kind == "array":
        items = props.get("items")
        node = ListNode(_node(items if isinstance(items, dict) else {}))
        node.list_type = props.get("x-kubernetes-list-type", "")
        node.keys = tuple(props.get("x-kubernetes-list-map-keys") or ())
        return node
    return StringNode("string") if kind == "string" else Node("interface {}")


class CrdSchema(Schema):
    """The schema of one version of a custom resource."""

    def __init__(self, group: str, version: str, kind: str, props: Doc, scale: Doc | None) -> None:
        root = _node({**props, "type": "object"})
        assert isinstance(root, CustomStruct)
        root.fields = {
            **root.fields,
            "metadata": Field(name="metadata", rank=0, node=struct_node(_META), omit=1, zero=None),
        }
        super().__init__(group, version, kind, root)
        self.props = props
        self.scale = scale
        self.has_rules = crd_rules.has_rules(props)

    def decode(self, doc: Any, known: Any = None) -> Decoded:
        if not isinstance(doc, dict):
            what = schema.json_kind(doc)
            raise DecodeError(f"json: cannot unmarshal {what} into Go value of type map[string]interface {{}}")
        problems: list[str] = []
        content = {k: v for k, v in doc.items() if k not in ("apiVersion", "kind", "metadata")}
        pruned = _prune(content, self.props, "", problems)
        metadata = Schema("", "v1", "ObjectMeta", struct_node(_META)).decode(doc.get("metadata") or {})
        problems.extend(p.replace('field "', 'field "metadata.', 1) for p in metadata.problems)
        out: Doc = {"apiVersion": doc.get("apiVersion"), "kind": doc.get("kind"), "metadata": metadata.doc}
        if out["metadata"].get("creationTimestamp", "") is None:
            out["metadata"] = {k: v for k, v in metadata.doc.items() if k != "creationTimestamp"}
        out.update(pruned)
        return Decoded({k: v for k, v in out.items() if v is not None}, tuple(dict.fromkeys(problems)))

    def default(self, doc: Doc) -> Doc:
        return _default(doc, self.props)

    def validate(self, doc: Doc, old: Doc | None = None) -> list[FieldError]:
        content = {k: v for k, v in doc.items() if k not in ("apiVersion", "kind", "metadata")}
        errors: list[FieldError] = []
        _validate(content, self.props, "", errors)
        errors += self._validate_scale(doc)
        return errors + crd_rules.validate(doc, old, self.props, errors) if self.has_rules else errors

    def _validate_scale(self, doc: Doc) -> list[FieldError]:
        errors = []
        for name in ("specReplicasPath", "statusReplicasPath"):
            path = (self.scale or {}).get(name)
            if not path:
                continue
            value: Any = doc
            for part in path.removeprefix(".").split("."):
                value = value.get(part) if isinstance(value, dict) else None
                if value is None:
                    break
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                go = {str: "string", bool: "bool", float: "float64"}.get(type(value), "map[string]interface {}")
                why = f"{path} accessor error: {value} is of the type {go}, expected int64"
                errors.append(field.invalid(path, 0, why))
            elif value < 0:
                errors.append(field.invalid(path, value, "should be a non-negative integer"))
            elif value > 2147483647:
                errors.append(field.invalid(path, value, "should be less than or equal to 2147483647"))
        return errors


def crd_schema(resource: Any) -> CrdSchema:
    """The compiled schema of a custom resource's version."""
    for version in resource.crd["spec"]["versions"]:
        if version["name"] == resource.version:
            props = (version.get("schema") or {}).get("openAPIV3Schema") or {_PRESERVE: True}
            scale = (version.get("subresources") or {}).get("scale")
            return _compiled(resource.group, resource.version, resource.kind, orjson.dumps((props, scale)))
    raise LookupError(f"{resource.group_kind} has no version {resource.version}")


@cache
def _compiled(group: str, version: str, kind: str, text: bytes) -> CrdSchema:
    props, scale = orjson.loads(text)
    return CrdSchema(group, version, kind, props, scale)


# --- pruning and defaulting ------------------------------------------------------------------------------------------


def _prune(value: Any, props: Doc, path: str, problems: list[str]) -> Any:
    if isinstance(value, dict):
        known = props.get("properties") or {}
        extra = props.get("additionalProperties")
        out = {}
        for key in value:
            inner = f"{path}.{key}" if path else key
            if key in known:
                out[key] = _prune(value[key], known[key], inner, problems)
            elif isinstance(extra, dict):
                out[key] = _prune(value[key], extra, inner, problems)
            elif extra or props.get(_PRESERVE) or (props.get(_EMBEDDED) and key in ("apiVersion", "kind", "metadata")):
                out[key] = value[key]
            else:
                problems.append(f'unknown field "{inner}"')
        return {key: out[key] for key in sorted(out)}
    if isinstance(value, list) and isinstance(props.get("items"), dict):
        return [_prune(item, props["items"], f"{path}[{i}]", problems) for i, item in enumerate(value)]
    return value


def _default(value: Any, props: Doc) -> Any:
    if isinstance(value, dict):
        known = props.get("properties") or {}
        extra = props.get("additionalProperties")
        out = dict(value)
        changed = False
        for key in sorted(known):
            inner = known[key]
            present = key in out and not (out[key] is None and "default" in inner and not inner.get("nullable"))
            if not present and "default" in inner:
                out[key] = inner["default"]
                changed = True
            if key in out:
                filled = _default(out[key], inner)
                changed = changed or filled is not out[key]
                out[key] = filled
        if isinstance(extra, dict):
            for key in [k for k in out if k not in known]:
                filled = _default(out[key], extra)
                changed = changed or filled is not out[key]
                out[key] = filled
        return out if changed else value
    if isinstance(value, list) and isinstance(props.get("items"), dict):
        filled = [_default(item, props["items"]) for item in value]
        return filled if any(a is not b for a, b in zip(filled, value, strict=True)) else value
    return value


# --- validation ------------------------------------------------------------------------------------------------------

_KINDS = {"object": dict, "array": list, "string": str, "boolean": bool}


def _is_type(value: Any, kind: str) -> bool:
    if kind == "integer":
        return (isinstance(value, int) and not isinstance(value, bool)) or (
            isinstance(value, float) and value.is_integer()
        )
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, _KINDS.get(kind, object))


def _go_kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return {str: "string", list: "array"}.get(type(value), "object")


def _shown(value: Any) -> Any:
    """How a value stands in a field error: objects and lists as Go's JSON-like text."""
    if isinstance(value, dict | list):
        return field.GoText(orjson.dumps(value).decode())
    return value


def _validate(value: Any, props: Doc, path: str, errors: list[FieldError]) -> None:
    shown = path or "<nil>"
    if value is None and props.get("nullable"):
        return
    kind = props.get("type")
    if props.get(_INT_OR_STRING):
        if isinstance(value, bool) or not isinstance(value, int | str):
            said = _go_kind(value)
            errors.append(field.type_invalid(shown, said, f'{path} in body must be of type integer,string: "{said}"'))
            return
    elif kind and not _is_type(value, kind):
        said = _go_kind(value)
        errors.append(field.type_invalid(shown, said, f'{path} in body must be of type {kind}: "{said}"'))
        return
    if isinstance(value, dict):
        _validate_object(value, props, path, errors)
    elif isinstance(value, list):
        _validate_list(value, props, path, errors)
    elif isinstance(value, str):
        _validate_string(value, props, path, errors)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _validate_number(value, props, path, errors)
    if "enum" in props and value not in props["enum"]:
        supported = ", ".join(field.quote(v if isinstance(v, str) else orjson.dumps(v).decode()) for v in props["enum"])
        text = f"Unsupported value: {field.go_value(_shown(value))}: supported values: {supported}"
        errors.append(FieldError(shown, text, "FieldValueNotSupported"))
    _validate_combined(value, props, path, errors)


def _validate_combined(value: Any, props: Doc, path: str, errors: list[FieldError]) -> None:
    def fits(inner: Doc) -> bool:
        found: list[FieldError] = []
        _validate(value, inner, path, found)
        return not found

    shown = path or "<nil>"
    for inner in props.get("allOf") or ():
        _validate(value, inner, path, errors)
    if props.get("anyOf") and not props.get(_INT_OR_STRING) and not any(fits(p) for p in props["anyOf"]):
        why = f"{path} in body must validate at least one schema (anyOf)"
        errors.append(field.invalid(shown, _shown(value), why))
    if props.get("oneOf"):
        count = sum(fits(p) for p in props["oneOf"])
        if count != 1:
            found = "Found none valid" if count == 0 else f"Found {count} valid alternatives"
            why = f"{path} in body must validate one and only one schema (oneOf). {found}"
            errors.append(field.invalid(shown, _shown(value), why))
    if props.get("not") and fits(props["not"]):
        errors.append(field.invalid(shown, _shown(value), f"{path} in body must not validate the schema (not)"))


def _validate_object(value: Doc, props: Doc, path: str, errors: list[FieldError]) -> None:
    known = props.get("properties") or {}
    extra = props.get("additionalProperties")
    for name in props.get("required") or ():
        if name not in value:
            errors.append(field.required(f"{path}.{name}" if path else name))
    for key in sorted(value):
        inner = known.get(key) or (extra if isinstance(extra, dict) else None)
        if inner is not None:
            _validate(value[key], inner, f"{path}.{key}" if path else key, errors)
    if "minProperties" in props and len(value) < props["minProperties"]:
        why = f"{path} in body should have at least {props['minProperties']} properties"
        errors.append(field.invalid(path, _shown(value), why))
    if "maxProperties" in props and len(value) > props["maxProperties"]:
        errors.append(field.too_many(path, len(value), props["maxProperties"]))


def _validate_list(value: list[Any], props: Doc, path: str, errors: list[FieldError]) -> None:
    items = props.get("items")
    if isinstance(items, dict):
        for i, item in enumerate(value):
            _validate(item, items, f"{path}[{i}]", errors)
    if "minItems" in props and len(value) < props["minItems"]:
        why = f"{path} in body should have at least {props['minItems']} items"
        errors.append(field.invalid(path, len(value), why))
    if "maxItems" in props and len(value) > props["maxItems"]:
        errors.append(field.too_many(path, len(value), props["maxItems"]))
    list_type = props.get("x-kubernetes-list-type")
    if list_type in ("set", "map"):
        seen = set()
        keys = props.get("x-kubernetes-list-map-keys") or ()
        for i, item in enumerate(value):
            key: Any = item if list_type == "set" else {k: item.get(k) for k in keys if k in item}
            text = orjson.dumps(key, option=orjson.OPT_SORT_KEYS)
            if text in seen:
                errors.append(field.duplicate(f"{path}[{i}]", _shown(key)))
            seen.add(text)


def _validate_string(value: str, props: Doc, path: str, errors: list[FieldError]) -> None:
    if "maxLength" in props and len(value) > props["maxLength"]:
        errors.append(field.too_long(path, props["maxLength"]))
    if "minLength" in props and len(value) < props["minLength"]:
        why = f"{path} in body should be at least {props['minLength']} chars long"
        errors.append(field.invalid(path, value, why))
    if "pattern" in props and not re.search(props["pattern"], value):
        errors.append(field.invalid(path, value, f"{path} in body should match '{props['pattern']}'"))
    form = props.get("format")
    if form and not _is_format(value, form):
        errors.append(field.invalid(path, value, f'{path} in body must be of type {form}: "{value}"'))


_UUID = re.compile(r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$")
_DATE = re.compile(r"^\d{4}-\d\d-\d\d$")


def _is_format(value: str, form: str) -> bool:
    if form == "date-time":
        return schema.TIME.match(value) is not None
    if form == "date":
        return _DATE.match(value) is not None
    if form == "uuid":
        return _UUID.match(value) is not None
    if form in ("ipv4", "ipv6"):
        try:
            return ip_address(value).version == int(form[-1])
        except ValueError:
            return False
    return True


def _validate_number(value: int | float, props: Doc, path: str, errors: list[FieldError]) -> None:
    if "maximum" in props:
        limit, strict = props["maximum"], props.get("exclusiveMaximum")
        if value > limit or (strict and value == limit):
            word = "less than" if strict else "less than or equal to"
            errors.append(field.invalid(path, value, f"{path} in body should be {word} {limit:g}"))
    if "minimum" in props:
        limit, strict = props["minimum"], props.get("exclusiveMinimum")
        if value < limit or (strict and value == limit):
            word = "greater than" if strict else "greater than or equal to"
            errors.append(field.invalid(path, value, f"{path} in body should be {word} {limit:g}"))
    if props.get("multipleOf") and value % props["multipleOf"]:
        errors.append(field.invalid(path, value, f"{path} in body should be a multiple of {props['multipleOf']:g}"))
    form = props.get("format")
    if form in ("int32", "int64") and isinstance(value, int):
        high = 1 << (31 if form == "int32" else 63)
        if not -high <= value < high:
            errors.append(field.invalid(path, value, f'{path} in body must be of type {form}: "{value}"'))
