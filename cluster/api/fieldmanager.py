"""Who owns which field: ``metadata.managedFields`` on every write, and server-side apply.

``updated`` (create, update, patch): the manager gets what it changed, everybody else loses it. ``applied``: the
configuration is merged into the live object, fields the manager applied before and now leaves out go away, and a field
that somebody else set to something different is a conflict (``ApiError`` 409) unless forced.

In → the live and the new document, the manager's name, the kind's schema; out → the new document with its
``managedFields``. A write that changes no field costs one comparison.

Simplified here: sets of managers that wrote another version of the kind are not converted between versions.

Upstream: apimachinery/pkg/util/managedfields, sigs.k8s.io/structured-merge-diff/v4/merge/update.go.
"""

from typing import Any

from cluster.api import fieldset, meta, status, typed
from cluster.api.fieldset import Tree
from cluster.api.schema import ListNode, Node, Schema, StructNode

Doc = dict[str, Any]
Reset = tuple[tuple[str, ...], ...]

UPDATE, APPLY = "Update", "Apply"
MAX_UPDATE_MANAGERS = 10
_ANCIENT = "ancient-changes"
_BEFORE_FIRST_APPLY = "before-first-apply"

_STRIPPED: Reset = (
    ("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"), ("metadata", "creationTimestamp"),
    ("metadata", "selfLink"), ("metadata", "uid"), ("metadata", "clusterName"), ("metadata", "generation"),
    ("metadata", "managedFields"), ("metadata", "resourceVersion"),
)  # fmt: skip
_UNTRACKED = frozenset(path[1] for path in _STRIPPED if len(path) == 2)


REMEMBERED = 512
_of_new: dict[tuple[Any, ...], tuple[Tree, Tree]] = {}
"""(Type, fields nobody owns, shape) → what the comparison of a new object with nothing says: for the thousand Events of one kind, asked once."""


def manager_name(field_manager: str, user_agent: str) -> str:
    """The ``fieldManager`` option, else the product of the user agent (``curl/8.5`` → ``curl``)."""
    if field_manager:
        return field_manager
    product = user_agent.partition("/")[0][:128]
    return "".join(c for c in product if c.isprintable()) or "unknown"


def updated(
    schema: Schema,
    live: Doc | None,
    new: Doc,
    *,
    manager: str,
    api_version: str,
    now: str,
    subresource: str = "",
    reset: Reset = (),
) -> Doc:
    """``new`` with the managedFields that a create (``live`` None), update or patch leaves."""
    entries = _entries_for_update(live, new, subresource)
    old = live if live is not None else _empty(schema)
    if live is not None and _same(live, new):
        return _with_entries(new, entries)
    shape = fieldset.shape(new) if live is None else None
    key = (schema.root, reset, shape)
    known = _of_new.get(key) if shape is not None else None
    if known is None:
        changed, removed = fieldset.compare(old, new, schema.root)
        known = _tracked(changed, reset), _tracked(removed, reset)
        if shape is not None:
            if len(_of_new) >= REMEMBERED:
                _of_new.clear()
            _of_new[key] = known
    changed, removed = known
    if not changed and not removed:
        return _with_entries(new, entries)
    identity = (manager, UPDATE, api_version, subresource)
    kept: list[Doc] = []
    own: Tree | None = None
    for entry in entries:
        fields = entry.get("fieldsV1") or {}
        if _identity(entry) == identity:
            own = fieldset.difference(fields, removed)
            continue
        left = fieldset.difference(fieldset.difference(fields, changed), removed)
        if left is fields:
            kept.append(entry)
        elif left:
            kept.append({**entry, "fieldsV1": left})
    if changed or own:
        mine = fieldset.union(own or {}, changed)
        time = now
        if not changed and own is not None:
            time = next((e.get("time", now) for e in entries if _identity(e) == identity), now)
        if mine:
            kept.append(_entry(identity, time, mine))
    return _with_entries(new, _cap(_sorted(kept)))


def applied(
    schema: Schema,
    live: Doc | None,
    config: Doc,
    *,
    manager: str,
    api_version: str,
    now: str,
    force: bool = False,
    subresource: str = "",
    reset: Reset = (),
) -> Doc:
    """The object after server-side apply of ``config``. ApiError 409 on conflicts, 400 for a config with managedFields."""
    if meta.meta_of(config).get("managedFields"):
        raise status.bad_request("metadata.managedFields must be nil")
    config = _only_said(config, schema.root)
    old = live if live is not None else _empty(schema)
    entries = list(meta.meta_of(live).get("managedFields") or ()) if live is not None else []
    if live is not None and not entries:
        everything = _tracked(fieldset.whole(live, schema.root), ())
        everything.pop(".", None)
        entries = [_entry((_BEFORE_FIRST_APPLY, UPDATE, api_version, ""), now, everything)]
    mine = _tracked(fieldset.said(config, schema.root), reset)
    previous: Doc | None = None
    others: list[Doc] = []
    for entry in entries:
        if _applier(entry) == (manager, APPLY, subresource):
            previous = entry
        else:
            others.append(entry)
    merged = schema.decode(merge(old, config, schema.root)).doc
    if previous is not None:
        gone = fieldset.difference(previous.get("fieldsV1") or {}, mine)
        for entry in others:
            gone = fieldset.difference(gone, entry.get("fieldsV1") or {})
        merged = _prune(merged, gone, schema.root)
    changed, removed = fieldset.compare(old, merged, schema.root)
    changed, removed = _tracked(changed, reset), _tracked(removed, reset)
    conflicts: list[tuple[Doc, str]] = []
    kept: list[Doc] = []
    for entry in others:
        fields = entry.get("fieldsV1") or {}
        contested = fieldset.intersection(fields, changed)
        contested.pop(".", None)
        if contested:
            conflicts.extend((entry, path) for path in fieldset.paths(contested))
            fields = fieldset.difference(fields, contested)
        fields = fieldset.difference(fields, removed)
        if fields:
            kept.append(entry if fields is entry.get("fieldsV1") else {**entry, "fieldsV1": fields})
    if conflicts and not force:
        raise _conflict(conflicts)
    unchanged = previous is not None and previous.get("fieldsV1") == mine and not changed and not removed
    time = previous.get("time", now) if unchanged and previous is not None else now
    if mine:
        kept.append(_entry((manager, APPLY, api_version, subresource), time, mine))
    return _with_entries(merged, _sorted(kept))


def misfit(schema: Schema, config: Doc, who: tuple[str, str]) -> status.ApiError | None:
    """The refusal of a configuration that does not fit its kind's schema: what is applied must be owned.

    ``who``: namespace and name. Simplified here: of a custom resource only undeclared fields are found.
    """
    errors = typed.problems(config, schema.root)
    if not isinstance(schema.root, StructNode):
        unknown = [p.split('"')[1] for p in schema.decode(config).problems if p.startswith("unknown field ")]
        errors = [f"{fieldset.located(config, schema.root, p)}: field not declared in schema" for p in unknown]
    if not errors:
        return None
    said = errors[0] if len(errors) == 1 else "\n  ".join(("errors:", *errors))
    group_version = f"{schema.group}/{schema.version}, Kind={schema.kind}"
    return status.plain_error(500, f"failed to create typed patch object ({who[0]}/{who[1]}; {group_version}): {said}")


# --- entries ---------------------------------------------------------------------------------------------------------


def _entry(identity: tuple[str, str, str, str], time: str, fields: Tree) -> Doc:
    manager, operation, api_version, subresource = identity
    entry: Doc = {
        "manager": manager,
        "operation": operation,
        "apiVersion": api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if subresource:
        entry["subresource"] = subresource
    return entry


def _identity(entry: Doc) -> tuple[str, str, str, str]:
    return (
        entry.get("manager", ""),
        entry.get("operation", ""),
        entry.get("apiVersion", ""),
        entry.get("subresource", ""),
    )


def _applier(entry: Doc) -> tuple[str, str, str]:
    return entry.get("manager", ""), entry.get("operation", ""), entry.get("subresource", "")


def _entries_for_update(live: Doc | None, new: Doc, subresource: str) -> list[Doc]:
    """What the request says the entries are, when it may; else the live object's. ``[{}]`` resets them."""
    stored = meta.meta_of(live).get("managedFields") if live is not None else None
    if not subresource:
        said = meta.meta_of(new).get("managedFields")
        if said == [{}]:
            return []
        if said and all(_decodable(e) for e in said):
            return [e for e in said if e.get("fieldsV1")]
    return list(stored or ())


def _decodable(entry: Doc) -> bool:
    """Else the request's list counts as not said: a client that does not understand it must not delete it."""
    return entry.get("operation") in (UPDATE, APPLY) and entry.get("fieldsType") in ("FieldsV1", "", None)


def _with_entries(doc: Doc, entries: list[Doc]) -> Doc:
    current = meta.meta_of(doc).get("managedFields")
    if (current or []) == entries:
        return doc
    return meta.with_meta(doc, managedFields=entries or None)


def _sorted(entries: list[Doc]) -> list[Doc]:
    return sorted(
        entries,
        key=lambda e: (
            e["operation"],
            e.get("time", ""),
            e["manager"],
            e.get("apiVersion", ""),
            e.get("subresource", ""),
        ),
    )


def _cap(entries: list[Doc]) -> list[Doc]:
    """At most ten updaters: the oldest become one, ``ancient-changes``, a version each."""
    updates = [e for e in entries if e["operation"] == UPDATE]
    if len(updates) <= MAX_UPDATE_MANAGERS:
        return entries
    excess = updates[: len(updates) - MAX_UPDATE_MANAGERS + 1]
    buckets: dict[str, Doc] = {}
    for entry in excess:
        version = entry.get("apiVersion", "")
        bucket = buckets.get(version)
        fields = fieldset.union(bucket["fieldsV1"], entry["fieldsV1"]) if bucket else entry["fieldsV1"]
        buckets[version] = _entry((_ANCIENT, UPDATE, version, ""), entry.get("time", ""), fields)
    return _sorted([*buckets.values(), *(e for e in entries if not any(e is x for x in excess))])


# --- sets ------------------------------------------------------------------------------------------------------------


def _empty(schema: Schema) -> Doc:
    """The object a create is compared with: Go's empty value of the kind."""
    return schema.root.zero or {}


def _same(live: Doc, new: Doc) -> bool:
    """Whether no tracked field differs (the common no-op and heartbeat paths end here)."""
    if live is new:
        return True
    for key in live.keys() | new.keys():
        if key != "metadata" and live.get(key) != new.get(key):
            return False
    a, b = meta.meta_of(live), meta.meta_of(new)
    return all(a.get(k) == b.get(k) for k in a.keys() | b.keys() if k not in _UNTRACKED)


def _tracked(tree: Tree, reset: Reset) -> Tree:
    """Without what nobody ever owns."""
    metadata = tree.get("f:metadata")
    out = {k: v for k, v in tree.items() if k not in ("f:metadata", "f:apiVersion", "f:kind")}
    if metadata:
        rest = {k: v for k, v in metadata.items() if k != "." and k[2:] not in _UNTRACKED}
        if rest:
            out["f:metadata"] = rest
            out = {k: out[k] for k in sorted(out)}
    for path in reset:
        out = fieldset.without(out, path)
    return out


def _only_said(value: Any, node: Node | None) -> Any:
    """A decoded configuration without the zero values that decoding shows but the client did not say."""
    if isinstance(value, dict):
        out = {}
        for key, item in value.items():
            if item is None:
                continue
            if isinstance(node, StructNode):
                found = node.fields.get(key)
                if found is not None and found.omit == 0 and isinstance(item, dict):
                    item = _only_said(item, found.node)
                    if not item:
                        continue
                    out[key] = item
                    continue
                if (
                    found is not None
                    and found.omit == 0
                    and item == found.node.zero
                    and key not in ("kind", "apiVersion")
                ):
                    continue
            out[key] = _only_said(item, node.child(key) if node is not None else None)
        return out
    if isinstance(value, list):
        inner = node.element if isinstance(node, ListNode) else None
        return [_only_said(item, inner) for item in value]
    return value


# --- merging ---------------------------------------------------------------------------------------------------------


def merge(live: Any, config: Any, node: Node | None) -> Any:
    """``config`` laid over ``live``: granular maps and lists item by item, everything else as a whole."""
    if isinstance(config, dict) and isinstance(live, dict) and fieldset.is_granular(config, node):
        assert node is not None
        out = dict(live)
        for key, value in config.items():
            child = node.child(key)
            out[key] = merge(live[key], value, child) if live.get(key) is not None else value
        return out
    if isinstance(config, list) and isinstance(live, list) and fieldset.is_granular(config, node):
        assert isinstance(node, ListNode)
        items = {fieldset.item_key(item, node): item for item in live}
        for item in config:
            key = fieldset.item_key(item, node)
            items[key] = merge(items[key], item, node.element) if key in items and node.list_type == "map" else item
        return list(items.values())
    return config


def _prune(value: Any, gone: Tree, node: Node | None) -> Any:
    """``value`` without the paths in ``gone``; containers go only when they are in it themselves and empty."""
    if isinstance(value, dict) and node is not None:
        out = dict(value)
        for element, inner in gone.items():
            key = element[2:]
            if element[:2] != "f:" or key not in out:
                continue
            child = node.child(key)
            if not inner or (not isinstance(out[key], dict | list)):
                del out[key]
                continue
            rest = _prune(out[key], inner, child)
            if not rest:
                del out[key]
            else:
                out[key] = rest
        return out
    if isinstance(value, list) and isinstance(node, ListNode):
        kept = []
        for item in value:
            inner = gone.get(fieldset.item_key(item, node))
            if inner is None:
                kept.append(item)
            elif inner and "." not in inner:
                kept.append(_prune(item, inner, node.element))
        return kept
    return value


# --- conflicts -------------------------------------------------------------------------------------------------------


def _who(entry: Doc) -> str:
    text = f'"{entry.get("manager", "")}"'
    if entry.get("subresource"):
        text += f' with subresource "{entry["subresource"]}"'
    if entry.get("operation") == UPDATE:
        text += f" using {entry.get('apiVersion', '')}"
    return text


def _conflict(conflicts: list[tuple[Doc, str]]) -> status.ApiError:
    causes = [(f"conflict with {_who(entry)}", path) for entry, path in conflicts]
    if len(conflicts) == 1:
        entry, path = conflicts[0]
        return status.apply_conflict(causes, f"Apply failed with 1 conflict: conflict with {_who(entry)}: {path}")
    lines: list[str] = []
    for who in sorted({_who(entry) for entry, _ in conflicts}):
        lines.append(f"conflicts with {who}:")
        lines.extend(f"- {path}" for entry, path in conflicts if _who(entry) == who)
    return status.apply_conflict(causes, f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines))
