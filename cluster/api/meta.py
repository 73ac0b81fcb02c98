"""Object metadata: reading it, changing it by copy, and the rules for names, labels and annotations.

In → a document; out → texts, a new document, or ``FieldError`` lists with the real server's words.

Simplified here: ownerReferences are checked for their form only (no owner look-up, as upstream).

Upstream: apimachinery/pkg/api/validation/objectmeta.go, apimachinery/pkg/util/validation/validation.go.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cluster.api import field
from cluster.api.field import FieldError

Doc = dict[str, Any]

_EMPTY: Doc = {}

DNS1123_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
DNS1123_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
DNS1035_LABEL = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
_QUALIFIED = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_ANNOTATIONS_LIMIT = 256 * 1024

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

IMMUTABLE = "field is immutable"

# --- reading ---------------------------------------------------------------------------------------------------------


def meta_of(doc: Doc) -> Doc:
    """``metadata``, {} when absent."""
    return doc.get("metadata") or _EMPTY


def name_of(doc: Doc) -> str:
    """``metadata.name``."""
    return meta_of(doc).get("name", "")


def namespace_of(doc: Doc) -> str:
    """``metadata.namespace``, "" for cluster-scoped objects."""
    return meta_of(doc).get("namespace", "")


def uid_of(doc: Doc) -> str:
    """``metadata.uid``."""
    return meta_of(doc).get("uid", "")


def labels_of(doc: Doc) -> dict[str, str]:
    """``metadata.labels``."""
    return meta_of(doc).get("labels") or _EMPTY


def annotations_of(doc: Doc) -> dict[str, str]:
    """``metadata.annotations``."""
    return meta_of(doc).get("annotations") or _EMPTY


def key_of(doc: Doc) -> str:
    """``namespace/name``, or ``name`` for cluster-scoped objects: controllers' work queue key."""
    metadata = meta_of(doc)
    namespace = metadata.get("namespace", "")
    return f"{namespace}/{metadata.get('name', '')}" if namespace else metadata.get("name", "")


def gvk_of(doc: Doc) -> tuple[str, str, str]:
    """(group, version, kind)."""
    group, _, version = doc.get("apiVersion", "").rpartition("/")
    return group, version, doc.get("kind", "")


def owner_of(doc: Doc) -> Doc | None:
    """The ownerReference with ``controller: true``."""
    for reference in meta_of(doc).get("ownerReferences") or ():
        if reference.get("controller"):
            return reference
    return None


def owner_reference(owner: Doc, block: bool = True) -> Doc:
    """A controller reference to ``owner`` (``metav1.NewControllerRef``)."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": block,
    }


# --- changing by copy ------------------------------------------------------------------------------------------------

_ORDER = {
    name: i
    for i, name in enumerate(
        (
            "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation",
            "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations",
            "ownerReferences", "finalizers", "managedFields",
        )
    )
}  # fmt: skip


def with_meta(doc: Doc, **changes: Any) -> Doc:
    """A copy whose metadata has these values; None removes one. Keys stay in the order of the Go struct."""
    metadata = {**meta_of(doc), **changes}
    ordered = {
        k: metadata[k]
        for k in sorted(metadata, key=lambda k: _ORDER.get(k, 99))
        if metadata[k] is not None or k not in changes  # a template's creationTimestamp is null, and stays
    }
    out: Doc = {}
    placed = False
    for key, value in doc.items():
        if key == "metadata":
            out[key] = ordered
            placed = True
        else:
            out[key] = value
    if not placed:
        rest = {k: v for k, v in out.items() if k not in ("kind", "apiVersion")}
        out = {k: out[k] for k in ("kind", "apiVersion") if k in out} | {"metadata": ordered} | rest
    return out


# --- the forms of names: each gives the list of what is wrong (remembered: never change one) --------------------------------------------------------


@lru_cache(maxsize=4096)
def dns1123_label(text: str) -> list[str]:
    """What is wrong with it as a DNS label (namespaces, container names)."""
    if len(text) <= 63 and DNS1123_LABEL.match(text):
        return []
    wrong = [] if len(text) <= 63 else ["must be no more than 63 characters"]
    if not DNS1123_LABEL.match(text):
        wrong.append(_SUBDOMAIN_LIKE if DNS1123_SUBDOMAIN.match(text) else _LABEL_TEXT)
    return wrong


_SUBDOMAIN_LIKE = "must not contain dots"


@lru_cache(maxsize=4096)
def dns1123_subdomain(text: str) -> list[str]:
    """What is wrong with it as a DNS subdomain (most names)."""
    if len(text) <= 253 and DNS1123_SUBDOMAIN.match(text):
        return []
    wrong = [] if len(text) <= 253 else ["must be no more than 253 characters"]
    if not DNS1123_SUBDOMAIN.match(text):
        wrong.append(_SUBDOMAIN_TEXT)
    return wrong


@lru_cache(maxsize=4096)
def dns1035_label(text: str) -> list[str]:
    """What is wrong with it as an RFC 1035 label (Services)."""
    wrong = [] if len(text) <= 63 else ["must be no more than 63 characters"]
    if not DNS1035_LABEL.match(text):
        wrong.append(_LABEL1035_TEXT)
    return wrong


def path_segment_name(text: str) -> list[str]:
    """What is wrong with it as a part of a URL (RBAC kinds)."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{c}'" for c in ("/", "%") if c in text]


def path_segment_prefix(text: str) -> list[str]:
    """The same for generateName."""
    return [f"may not contain '{c}'" for c in ("/", "%") if c in text]


def _masked(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """The check for a generateName: a trailing dash is fine, because something follows it."""

    def prefix(text: str) -> list[str]:
        return check(text[:-1] + "a" if len(text) > 1 and text.endswith("-") else text)

    return prefix


@lru_cache(maxsize=4096)
def qualified_name(text: str) -> list[str]:
    """What is wrong with it as ``[prefix/]name`` (label keys, finalizers, resource names)."""
    parts = text.split("/")
    wrong: list[str] = []
    if len(parts) == 1:
        name = parts[0]
    elif len(parts) == 2:
        prefix, name = parts
        if not prefix:
            wrong.append("prefix part must be non-empty")
        else:
            wrong.extend(f"prefix part {why}" for why in dns1123_subdomain(prefix))
    else:
        return [
            f"a qualified name {_QUALIFIED_TEXT} with an optional DNS subdomain prefix and '/' (e.g. "
            "'example.com/MyName')"
        ]
    if not name:
        wrong.append("name part must be non-empty")
    elif len(name) > 63:
        wrong.append("name part must be no more than 63 characters")
    if not _QUALIFIED.match(name):
        wrong.append(f"name part {_QUALIFIED_TEXT}")
    return wrong


@lru_cache(maxsize=4096)
def label_value(text: str) -> list[str]:
    """What is wrong with it as a label's value."""
    wrong = [] if len(text) <= 63 else ["must be no more than 63 characters"]
    if not _LABEL_VALUE.match(text):
        wrong.append(_LABEL_VALUE_TEXT)
    return wrong


# --- whole metadata --------------------------------------------------------------------------------------------------


def validate_labels(labels: Doc | None, path: str) -> list[FieldError]:
    """Keys are qualified names, values label values."""
    errors: list[FieldError] = []
    for key in labels or ():
        value = labels[key]  # type: ignore[index]
        errors.extend(field.invalid(path, key, why) for why in qualified_name(key))
        errors.extend(field.invalid(path, value, why) for why in label_value(value))
    return errors


def validate_annotations(annotations: Doc | None, path: str) -> list[FieldError]:
    """Keys are qualified names in lower case, all together at most 256 KiB."""
    errors: list[FieldError] = []
    size = 0
    for key, value in (annotations or _EMPTY).items():
        errors.extend(field.invalid(path, key, why) for why in qualified_name(key.lower()))
        size += len(key) + len(value)
    if size > _ANNOTATIONS_LIMIT:
        errors.append(field.too_long(path, _ANNOTATIONS_LIMIT))
    return errors


def validate_object_meta(
    doc: Doc, namespaced: bool, name_check: Callable[[str], list[str]] = dns1123_subdomain, path: str = "metadata"
) -> list[FieldError]:
    """``ValidateObjectMeta``: everything about metadata of an object being created."""
    metadata = meta_of(doc)
    errors: list[FieldError] = []
    name = metadata.get("name", "")
    generate = metadata.get("generateName", "")
    if generate:
        check = path_segment_prefix if name_check is path_segment_name else _masked(name_check)
        errors.extend(field.invalid(f"{path}.generateName", generate, why) for why in check(generate))
    if not name:
        errors.append(field.required(f"{path}.name", "name or generateName is required"))
    else:
        errors.extend(field.invalid(f"{path}.name", name, why) for why in name_check(name))
    namespace = metadata.get("namespace", "")
    if namespaced:
        if not namespace:
            errors.append(field.required(f"{path}.namespace"))
        else:
            errors.extend(field.invalid(f"{path}.namespace", namespace, why) for why in dns1123_label(namespace))
    elif namespace:
        errors.append(field.forbidden(f"{path}.namespace", "not allowed on this type"))
    if metadata.get("generation", 0) < 0:
        errors.append(field.invalid(f"{path}.generation", metadata["generation"], _NON_NEGATIVE))
    if "labels" in metadata:
        errors.extend(validate_labels(metadata["labels"], f"{path}.labels"))
    if "annotations" in metadata:
        errors.extend(validate_annotations(metadata["annotations"], f"{path}.annotations"))
    if "ownerReferences" in metadata:
        errors.extend(validate_owner_references(metadata["ownerReferences"], f"{path}.ownerReferences"))
    if "finalizers" in metadata:
        errors.extend(validate_finalizers(metadata["finalizers"], f"{path}.finalizers"))
    return errors


_NON_NEGATIVE = "must be greater than or equal to 0"


def validate_owner_references(references: list[Doc], path: str) -> list[FieldError]:
    """Each is complete; at most one is the controller."""
    errors: list[FieldError] = []
    controller = ""
    for reference in references or ():
        if not reference.get("apiVersion"):
            errors.append(field.invalid(f"{path}.apiVersion", "", "version must not be empty"))
        for name in ("kind", "name", "uid"):
            if not reference.get(name):
                errors.append(field.invalid(f"{path}.{name}", "", f"{name} must not be empty"))
        if (reference.get("apiVersion"), reference.get("kind")) == ("v1", "Event"):
            why = "/v1, Kind=Event is disallowed from being an owner"
            errors.append(field.invalid(path, field.GoText(_owner_text(reference)), why))
        if reference.get("controller"):
            if controller:
                why = (
                    "Only one reference can have Controller set to true. "
                    f'Found "true" in references for {controller} and {reference.get("name", "")}'
                )
                errors.append(field.invalid(path, references, why))
            controller = reference.get("name", "")
    return errors


def _owner_text(reference: Doc) -> str:
    """As the reference's ``String()`` writes it."""

    def flag(name: str) -> str:
        return f"*{str(reference[name]).lower()}" if reference.get(name) is not None else "nil"

    said = ("kind", "name", "uid", "apiVersion")
    shown = ",".join(f"{n[0].upper() + n[1:] if n != 'uid' else 'UID'}:{reference.get(n, '')}" for n in said)
    return (
        f"&OwnerReference{{{shown.replace('ApiVersion', 'APIVersion')},Controller:{flag('controller')},"
        f"BlockOwnerDeletion:{flag('blockOwnerDeletion')},}}"
    )


_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def validate_standard_finalizers(doc: Doc, path: str = "metadata") -> list[FieldError]:
    """Built-in kinds take no finalizer without a domain but the three that Kubernetes itself knows."""
    return [
        field.invalid(
            f"{path}.finalizers[{n}]", name, "name is neither a standard finalizer name nor is it fully qualified"
        )
        for n, name in enumerate(meta_of(doc).get("finalizers") or ())
        if "/" not in name and name not in _STANDARD_FINALIZERS
    ]


def validate_finalizers(finalizers: list[str], path: str) -> list[FieldError]:
    """Each a qualified name; foreground and orphan exclude each other."""
    errors: list[FieldError] = []
    for finalizer in finalizers or ():
        errors.extend(field.invalid(path, finalizer, why) for why in qualified_name(finalizer))
    if "orphan" in (finalizers or ()) and "foregroundDeletion" in finalizers:
        errors.append(field.invalid(path, finalizers, "finalizer foregroundDeletion and orphan cannot be both set"))
    return errors


def validate_object_meta_update(new: Doc, old: Doc, path: str = "metadata") -> list[FieldError]:
    """``ValidateObjectMetaUpdate``: what may not change, then labels, annotations, owners and finalizers."""
    metadata, before = meta_of(new), meta_of(old)
    errors: list[FieldError] = []
    if before.get("deletionTimestamp"):
        known = before.get("finalizers") or ()
        added = [f for f in metadata.get("finalizers") or () if f not in known]
        if added:
            errors.append(
                field.forbidden(
                    f"{path}.finalizers",
                    "no new finalizers can be added if the object is being deleted, found new finalizers "
                    f"{field.go_value(added)}",
                )
            )
    for name, zero in (("name", ""), ("namespace", ""), ("uid", ""), ("creationTimestamp", None)):
        if metadata.get(name, zero) != before.get(name, zero):
            errors.append(field.invalid(f"{path}.{name}", metadata.get(name, zero), IMMUTABLE))
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        if metadata.get(name) != before.get(name):
            errors.append(field.invalid(f"{path}.{name}", metadata.get(name), IMMUTABLE))
    if metadata.get("generation", 0) < before.get("generation", 0):
        errors.append(field.invalid(f"{path}.generation", metadata.get("generation", 0), "must not be decremented"))
    for name, check in (
        ("labels", validate_labels),
        ("annotations", validate_annotations),
        ("ownerReferences", validate_owner_references),
        ("finalizers", validate_finalizers),
    ):
        value = metadata.get(name)
        if value and value != before.get(name):
            errors.extend(check(value, f"{path}.{name}"))  # type: ignore[operator]
    return errors
