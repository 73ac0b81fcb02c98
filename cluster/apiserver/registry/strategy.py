"""What happens to an object between admission and etcd, whatever its kind: the base of all strategies.

In → the decoded, defaulted and admitted document (and the stored one); out → the document to store, or ``FieldError``s.
A strategy forgets what the client may not set (``status`` on the main resource, everything else on ``/status``), counts
``metadata.generation``, validates, and says which fields can be selected by.

Simplified here: kinds without a module of their own are validated by their metadata and schema only.

Upstream: apiserver/pkg/registry/rest/create.go, update.go; pkg/registry/*/*/strategy.go.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from msgspec import Struct

from cluster.api import meta
from cluster.api.field import FieldError

Doc = dict[str, Any]


class Context(Struct, frozen=True):
    """What a strategy may know of the request. ``now`` is RFC 3339 text; ``dice`` a ``cluster.sim.Dice``."""

    now: str
    user: str = ""
    groups: tuple[str, ...] = ()
    dice: Any = None
    scheme: Any = None


_CARRIED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "namespace", "selfLink")


ALL_META = ("labels", "annotations", "finalizers", "ownerReferences")
_STATUS_ONLY_GROUPS = ("admissionregistration.k8s.io", "apiregistration.k8s.io", "flowcontrol.apiserver.k8s.io")


class Strategy:
    """One kind's rules (stateless; one object for the process). Subclasses set the class attributes and override."""

    kinds: ClassVar[tuple[tuple[str, str], ...]] = ()
    """(group, kind) pairs it is for."""
    subresource: str = ""
    namespaced: bool = True
    has_status: bool = False
    """Whether ``status`` is written only through its subresource."""
    counts_generation: bool = False
    standard_finalizers: bool = True
    """Whether ``metadata.generation`` counts changes of the desired state."""
    name_check: Callable[[str], list[str]] = staticmethod(meta.dns1123_subdomain)
    field_labels: tuple[str, ...] = ("metadata.name", "metadata.namespace")
    allow_create_on_update: bool = False
    allow_unconditional_update: bool = True
    reset_fields: tuple[tuple[str, ...], ...] = ()
    """Paths that writes through here never own (managedFields)."""
    status_keeps: tuple[str, ...] = ()
    """Metadata that a status write cannot change: for most kinds it may change all, for younger ones nothing."""

    @classmethod
    def generic(cls, group: str, kind: str, subresource: str, namespaced: bool, has_status: bool) -> "Strategy":
        """The strategy of a kind without a module."""
        made = cls()
        made.subresource, made.namespaced, made.has_status = subresource, namespaced, has_status
        made.counts_generation = (group, kind) in _GENERATION
        made.name_check = _NAME_CHECKS.get((group, kind), meta.dns1123_subdomain)
        made.allow_create_on_update = (group, kind) in _CREATE_ON_UPDATE
        made.allow_unconditional_update = (group, kind) not in _CONDITIONAL
        if has_status:
            made.reset_fields = (("spec",), ("metadata", "deletionTimestamp")) if subresource else (("status",),)
        if not namespaced:
            made.field_labels = ("metadata.name",)
        if group in _STATUS_ONLY_GROUPS or (group, kind) == ("storage.k8s.io", "VolumeAttachment"):
            made.status_keeps = ALL_META
        return made

    # -- preparing ----------------------------------------------------------------------------------------------------

    def prepare_for_create(self, doc: Doc, ctx: Context) -> Doc:
        """Forget what a client may not set on a new object."""
        if self.has_status and doc.get("status"):
            doc = {**doc, "status": self.initial_status(doc)}
        if self.counts_generation:
            doc = meta.with_meta(doc, generation=1)
        elif "generation" in meta.meta_of(doc):
            doc = meta.with_meta(doc, generation=None)
        return self.on_create(doc, ctx)

    def prepare_for_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        """Forget what a client may not change on a stored object."""
        new = carry_over(new, old)
        if self.subresource == "status":
            return self.on_status(self._only_status(new, old), old, ctx)
        if self.has_status and new.get("status") != old.get("status"):
            new = put(new, "status", old.get("status"))
        new = self.on_update(new, old, ctx)
        if self.counts_generation:
            before = meta.meta_of(old).get("generation", 0)
            wanted = before + 1 if self.desired_changed(new, old) else before
            if meta.meta_of(new).get("generation", 0) != wanted:
                new = meta.with_meta(new, generation=wanted or None)
        return new

    def _only_status(self, new: Doc, old: Doc) -> Doc:
        kept = {**old, "metadata": new.get("metadata", {})}
        before = meta.meta_of(old)
        metadata = meta.meta_of(new)
        changes = {k: before.get(k) for k in self.status_keeps if metadata.get(k) != before.get(k)}
        if changes:
            kept = meta.with_meta(kept, **changes)
        return put(kept, "status", new.get("status"))

    def initial_status(self, doc: Doc) -> Doc:
        """``status`` of a new object."""
        return {}

    def on_create(self, doc: Doc, ctx: Context) -> Doc:
        """The kind's own part of ``prepare_for_create``."""
        return doc

    def on_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        """The kind's own part of ``prepare_for_update``."""
        return new

    def on_status(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        """The kind's own part of a status update."""
        return new

    def desired_changed(self, new: Doc, old: Doc) -> bool:
        """Whether the desired state differs, so that the generation goes up."""
        return new.get("spec") != old.get("spec")

    # -- validating ---------------------------------------------------------------------------------------------------

    def validate(self, doc: Doc, ctx: Context) -> list[FieldError]:
        """What is wrong with a new object; [] when nothing is."""
        errors = meta.validate_object_meta(doc, self.namespaced, self.name_check)
        if self.standard_finalizers:
            errors += meta.validate_standard_finalizers(doc)
        return errors + self.check(doc, ctx)

    def validate_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        """What is wrong with a change; [] when nothing is."""
        errors = meta.validate_object_meta_update(new, old)
        if self.standard_finalizers:
            errors += meta.validate_standard_finalizers(new)
        if self.subresource == "status":
            return errors + self.check_status(new, old, ctx)
        return errors + self.check_update(new, old, ctx)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        """The kind's own rules for its content."""
        return []

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        """The kind's own rules for a change; by default those for a new object."""
        return self.check(new, ctx)

    def check_status(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        """The kind's own rules for a status update."""
        return []

    # -- the rest -----------------------------------------------------------------------------------------------------

    def warnings(self, doc: Doc, old: Doc | None = None) -> list[str]:
        """Texts for Warning headers."""
        return []

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        """What field selectors see."""
        metadata = meta.meta_of(doc)
        fields = {"metadata.name": metadata.get("name", "")}
        if self.namespaced:
            fields["metadata.namespace"] = metadata.get("namespace", "")
        return fields

    def graceful_delete(self, doc: Doc, seconds: int | None) -> int | None:
        """Seconds between asking and deleting: None for kinds that know no grace, 0 for at once."""
        return None


def put(doc: Doc, key: str, value: Any) -> Doc:
    """A copy with ``key`` set, or gone for None; other keys keep their place."""
    if value is None:
        return {k: v for k, v in doc.items() if k != key}
    return {**doc, key: value}


def put_spec(doc: Doc, **changes: Any) -> Doc:
    """A copy whose spec has these values; None removes one."""
    spec = {**(doc.get("spec") or {}), **changes}
    return {**doc, "spec": {k: v for k, v in spec.items() if v is not None}}


def carry_over(new: Doc, old: Doc) -> Doc:
    """Metadata that a client may leave out of an update: it stays as it was."""
    metadata, before = meta.meta_of(new), meta.meta_of(old)
    changes = {k: before[k] for k in _CARRIED if before.get(k) is not None and metadata.get(k) is None}
    if before.get("generation", 0) != metadata.get("generation", 0):
        changes["generation"] = before.get("generation") or None
    return meta.with_meta(new, **changes) if changes else new


def nested(doc: Mapping[str, Any], *path: str, default: Any = None) -> Any:
    """``nested(doc, "spec", "replicas")``."""
    value: Any = doc
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            return default
    return value


_GENERATION = frozenset(
    {
        ("networking.k8s.io", "IngressClass"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("", "PodTemplate"),
    }
)
_CREATE_ON_UPDATE = frozenset({("", "LimitRange")})
_CONDITIONAL = frozenset(
    {
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("storage.k8s.io", "CSIDriver"), ("storage.k8s.io", "CSINode"), ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "CSIStorageCapacity"), ("node.k8s.io", "RuntimeClass"),
        ("apiregistration.k8s.io", "APIService"),
    }
)  # fmt: skip
_NAME_CHECKS: dict[tuple[str, str], Callable[[str], list[str]]] = {
    ("certificates.k8s.io", "CertificateSigningRequest"): meta.path_segment_name,
    ("apiregistration.k8s.io", "APIService"): meta.path_segment_name,
}
