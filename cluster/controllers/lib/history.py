"""ControllerRevisions: the versions of a Pod template that a DaemonSet or StatefulSet has had.

Upstream: kubernetes pkg/controller/history/controller_history.go.
"""

import orjson

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import fnv32, labels_of, owner_reference, safe_encode

HASH_LABEL = "controller-revision-hash"


def revision_data(owner: Doc) -> Doc:
    """The part of the owner that a revision keeps: a patch that would bring the template back."""
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def new_revision(owner: Doc, api_version: str, kind: str, number: int, collision_count: int) -> Doc:
    """A ControllerRevision of the owner's present template, named ``<owner>-<hash of the data>``."""
    data = revision_data(owner)
    text = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    if collision_count:
        text += str(collision_count).encode()
    digest = safe_encode(str(fnv32(text)))
    meta = owner["metadata"]
    template_labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return {
        "kind": "ControllerRevision",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "labels": {**template_labels, HASH_LABEL: digest},
            "annotations": {
                k: v for k, v in (meta.get("annotations") or {}).items()
                if k != "kubectl.kubernetes.io/last-applied-configuration"
            },
            "ownerReferences": [owner_reference(owner, api_version, kind)],
        },
        "data": data,
        "revision": number,
    }  # fmt: skip


def hash_of(revision: Doc) -> str:
    """What Pods of that revision carry in ``controller-revision-hash``."""
    return labels_of(revision).get(HASH_LABEL, "")


def equal(a: Doc, b: Doc) -> bool:
    """The same template."""
    return a.get("data") == b.get("data")
