"""Owner references, conditions, API paths and names: what every controller does to documents."""

from typing import Any

import orjson

from cluster.clientgo import Doc
from cluster.sim.clock import parse_rfc3339

SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""apimachinery util/rand: no vowels, so that no words appear."""


def path(api_version: str, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """``/apis/apps/v1/namespaces/default/deployments/web/status``."""
    head = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    if namespace:
        head += f"/namespaces/{namespace}"
    head += f"/{plural}"
    if name:
        head += f"/{name}"
    return f"{head}/{subresource}" if subresource else head


def owner_reference(owner: Doc, api_version: str, kind: str) -> Doc:
    """A controlling reference to ``owner`` (metav1.NewControllerRef)."""
    meta = owner["metadata"]
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def with_meta(doc: Doc, **changes: Any) -> Doc:
    """``doc`` with these metadata fields; None removes one."""
    meta = {**doc["metadata"], **changes}
    return {**doc, "metadata": {key: value for key, value in meta.items() if value is not None}}


def deleting(doc: Doc) -> bool:
    """Somebody asked for its deletion."""
    return bool(doc["metadata"].get("deletionTimestamp"))


def labels_of(doc: Doc) -> dict[str, str]:
    """metadata.labels, empty if there are none."""
    return doc["metadata"].get("labels") or {}


def annotations_of(doc: Doc) -> dict[str, str]:
    """metadata.annotations, empty if there are none."""
    return doc["metadata"].get("annotations") or {}


def spec_of(doc: Doc) -> Doc:
    """spec, empty if there is none."""
    return doc.get("spec") or {}


def status_of(doc: Doc) -> Doc:
    """status, empty if there is none."""
    return doc.get("status") or {}


def condition(status: Doc, kind: str) -> Doc | None:
    """The condition of that type."""
    for entry in status.get("conditions") or ():
        if entry["type"] == kind:
            return entry
    return None


def condition_true(status: Doc, kind: str) -> bool:
    """Whether the condition of that type is there and True."""
    entry = condition(status, kind)
    return entry is not None and entry["status"] == "True"


def set_condition(conditions: list[Doc], new: Doc) -> list[Doc]:
    """``conditions`` with ``new`` in it: unchanged when status and reason already say so, and the transition time stays
    when the status does (deploymentutil.SetDeploymentCondition and its many copies)."""
    old = next((c for c in conditions if c["type"] == new["type"]), None)
    if old is not None and old["status"] == new["status"] and old.get("reason") == new.get("reason"):
        return conditions
    if old is not None and old["status"] == new["status"]:
        new = {**new, "lastTransitionTime": old.get("lastTransitionTime")}
    return [c for c in conditions if c["type"] != new["type"]] + [new]


def drop_condition(conditions: list[Doc], kind: str) -> list[Doc]:
    """``conditions`` without that type."""
    return [c for c in conditions if c["type"] != kind]


def without_zeros(status: Doc) -> Doc:
    """Go's omitempty: fields that are 0, "", [], {} or None are not written."""
    return {key: value for key, value in status.items() if value not in (None, 0, "", [], {}) or value is False}


def age_key(doc: Doc) -> tuple[str, str]:
    """Sorts oldest first, then by name."""
    meta = doc["metadata"]
    return meta.get("creationTimestamp") or "", meta["name"]


def since(text: str | None, epoch: int) -> int:
    """The virtual instant an RFC 3339 text names; 0 for none."""
    return parse_rfc3339(text, epoch) if text else 0


def fnv32a(data: bytes) -> int:
    """The 32-bit FNV-1a hash, which Kubernetes uses for template hashes and disruption keys."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def fnv32(data: bytes) -> int:
    """The 32-bit FNV-1 hash."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value * 0x01000193) & 0xFFFFFFFF) ^ byte
    return value


def safe_encode(text: str) -> str:
    """util/rand.SafeEncodeString: each character becomes one of the safe alphabet."""
    return "".join(SAFE_ALPHABET[ord(c) % len(SAFE_ALPHABET)] for c in text)


def template_hash(template: Doc, collision_count: int | None) -> str:
    """The pod-template-hash of a PodTemplateSpec.

    Simplified here: Go hashes a dump of its structs; this hashes the JSON with sorted keys. Equal templates have equal
    hashes, which is all that anybody relies on, but not the same as a real server's.
    """
    data = orjson.dumps(template, option=orjson.OPT_SORT_KEYS)
    if collision_count is not None:
        data += collision_count.to_bytes(8, "little")
    return safe_encode(str(fnv32a(data)))
