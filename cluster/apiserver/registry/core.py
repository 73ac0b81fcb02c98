"""The small kinds of the core group, and Leases: Namespaces, Nodes, ConfigMaps, Secrets, Events, quotas and limits.

Simplified here: LimitRange amounts are compared pairwise (min, default, max) without the ratio; volumes of a Node's
status are checked by their schema only.

Upstream: pkg/registry/core/{namespace,node,configmap,secret,serviceaccount,event,resourcequota,limitrange}/strategy.go,
pkg/registry/coordination/lease, pkg/apis/core/validation.
"""

from base64 import b64decode
from ipaddress import ip_network
from typing import Any

from cluster.api import conversion, field, meta, quantity
from cluster.api.field import FieldError
from cluster.apiserver.registry.strategy import Context, Strategy, nested, put, put_spec
from cluster.apiserver.validation.values import at_least_zero, config_key, one_of

Doc = dict[str, Any]

MAX_SIZE = 1024 * 1024
_FROZEN = "field is immutable when `immutable` is set"


class NamespaceStrategy(Strategy):
    """Namespaces: held by the finalizer ``kubernetes`` until they are empty."""

    kinds = (("", "Namespace"),)
    namespaced = False
    has_status = True
    name_check = staticmethod(meta.dns1123_label)
    reset_fields = (("status",),)
    field_labels = ("metadata.name", "status.phase", "name")

    def on_create(self, doc: Doc, ctx: Context) -> Doc:
        finalizers = list(nested(doc, "spec", "finalizers", default=()))
        if "kubernetes" not in finalizers:
            finalizers.append("kubernetes")
        return put(put_spec(doc, finalizers=finalizers), "status", {"phase": "Active"})

    def on_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        return put_spec(new, finalizers=nested(old, "spec", "finalizers"))

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        name = meta.name_of(doc)
        return {"metadata.name": name, "name": name, "status.phase": nested(doc, "status", "phase", default="")}


class NamespaceStatusStrategy(NamespaceStrategy):
    """``namespaces/status``."""

    subresource = "status"
    reset_fields = (("spec",),)

    def on_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        return new


class NamespaceFinalizeStrategy(NamespaceStrategy):
    """``namespaces/finalize``: the namespace controller takes the finalizer away."""

    subresource = "finalize"

    def on_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        return put(new, "status", old.get("status"))

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        for i, finalizer in enumerate(nested(new, "spec", "finalizers", default=())):
            errors += [field.invalid(f"spec.finalizers[{i}]", finalizer, w) for w in meta.qualified_name(finalizer)]
        return errors


def _pod_cidrs(spec: Doc) -> list[str]:
    """``podCIDRs`` as the conversion from v1 leaves it: ``podCIDR`` alone if it is not the first of them."""
    cidrs, first = spec.get("podCIDRs") or [], spec.get("podCIDR")
    return [first] if first and cidrs[:1] != [first] else cidrs


class NodeStrategy(Strategy):
    """Nodes: a kubelet brings its own status when it registers."""

    kinds = (("", "Node"),)
    namespaced = False
    has_status = True
    reset_fields = (("status",),)
    field_labels = ("metadata.name", "spec.unschedulable")

    def initial_status(self, doc: Doc) -> Doc:
        return doc["status"]

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        seen: set[tuple[str, str]] = set()
        spec = doc.get("spec") or {}
        for i, taint in enumerate(spec.get("taints") or ()):
            at = f"spec.taints[{i}]"
            key, effect, value = taint.get("key", ""), taint.get("effect", ""), taint.get("value", "")
            errors += [field.invalid(f"{at}.key", key, why) for why in meta.qualified_name(key)]
            errors += [field.invalid(f"{at}.value", value, why) for why in meta.label_value(value)]
            errors += one_of(effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"), f"{at}.effect")
            if (key, effect) in seen:
                shown = field.GoText(
                    f"core.Taint{{Key:{field.quote(key)}, Value:{field.quote(value)}, Effect:{field.quote(effect)}, "
                    "TimeAdded:<nil>}"
                )
                errors.append(field.duplicate(at, shown))
            seen.add((key, effect))
        for i, cidr in enumerate(_pod_cidrs(spec)):
            try:
                ip_network(cidr)
            except ValueError:
                why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
                errors.append(field.invalid(f"spec.podCIDRs[{i}]", cidr, why))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = self.check(new, ctx)
        spec, before = new.get("spec") or {}, old.get("spec") or {}
        had, has = _pod_cidrs(before), _pod_cidrs(spec)
        changed = 1 if len(had) != len(has) else sum(a != b for a, b in zip(had, has, strict=True))
        if had:
            why = 'node updates may not change podCIDR except from "" to valid'
            errors += [field.forbidden("spec.podCIDRs", why)] * changed
        if before.get("providerID") and spec.get("providerID") != before["providerID"]:
            errors.append(
                field.forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
            )
        return errors

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        closed = nested(doc, "spec", "unschedulable", default=False)
        return {"metadata.name": meta.name_of(doc), "spec.unschedulable": "true" if closed else "false"}


class NodeStatusStrategy(NodeStrategy):
    """``nodes/status``, written by the kubelet."""

    subresource = "status"
    reset_fields = (("spec",),)
    status_keeps = ()


def _data_errors(doc: Doc, names: tuple[str, ...], encoded: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    size = 0
    first = doc.get(names[0]) or {}
    for name in names:
        for key, known in (doc.get(name) or {}).items():
            value = known or ""  # null is no bytes
            errors += [field.invalid(f"{name}[{key}]", key, why) for why in config_key(key)]
            if name != names[0] and key in first:
                errors.append(field.invalid(f"{name}[{key}]", key, "duplicate of key present in data"))
            binary = encoded or name == "binaryData"
            size += len(value) * 3 // 4 if binary else len(value.encode())
    if size > MAX_SIZE:
        errors.append(field.too_long("data" if encoded else "[]", MAX_SIZE))
    return errors


def _frozen_errors(new: Doc, old: Doc, names: tuple[str, ...]) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = [] if new.get("immutable") else [field.forbidden("immutable", _FROZEN)]
    return errors + [field.forbidden(n, _FROZEN) for n in names if (new.get(n) or {}) != (old.get(n) or {})]


class ConfigMapStrategy(Strategy):
    """ConfigMaps: at most 1 MiB; frozen ones stay as they are."""

    kinds = (("", "ConfigMap"),)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        return _data_errors(doc, ("data", "binaryData"), False)

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        return _frozen_errors(new, old, ("data", "binaryData")) + self.check(new, ctx)


_NEEDED = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


class SecretStrategy(Strategy):
    """Secrets: like ConfigMaps, with keys that some types must have."""

    kinds = (("", "Secret"),)
    field_labels = ("metadata.name", "metadata.namespace", "type")

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors = _data_errors(doc, ("data",), True)
        kind, data = doc.get("type", ""), doc.get("data") or {}
        if kind == "kubernetes.io/service-account-token":
            if not meta.annotations_of(doc).get("kubernetes.io/service-account.name"):
                errors.append(field.required("metadata.annotations[kubernetes.io/service-account.name]"))
        elif kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
            errors += [field.required("data[username]"), field.required("data[password]")]
        for key in _NEEDED.get(kind, ()):
            if key not in data or (key == "ssh-privatekey" and not data[key]):
                errors.append(field.required(f"data[{key}]"))
            elif key.startswith(".docker") and b64decode(data[key])[:1] != b"{":
                why = "invalid character looking for beginning of value"
                errors.append(field.invalid(f"data[{key}]", "<secret contents redacted>", why))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        if new.get("type") != old.get("type"):
            errors.append(field.invalid("type", new.get("type", ""), meta.IMMUTABLE))
        return errors + _frozen_errors(new, old, ("data",)) + self.check(new, ctx)

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        return {**super().selectable_fields(doc), "type": doc.get("type", "")}


class EventStrategy(Strategy):
    """Events: reports that may be created by an update and that can be selected by what they are about."""

    kinds = (("", "Event"), ("events.k8s.io", "Event"))
    allow_create_on_update = True
    name_check = staticmethod(meta.dns1123_subdomain)
    field_labels = (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "reportingController", "source", "type", "metadata.name", "metadata.namespace",
        "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "regarding.apiVersion",
        "regarding.resourceVersion", "regarding.fieldPath",
    )  # fmt: skip

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        old = conversion.convert(doc, "v1")
        about = (old.get("involvedObject") or {}).get("namespace", "")
        namespace = meta.namespace_of(doc)
        path = "involvedObject.namespace"
        if not about:
            if namespace not in ("default", "kube-system"):
                errors.append(field.invalid(path, about, "does not match event.namespace"))
        elif about != namespace:
            errors.append(field.invalid(path, about, "does not match event.namespace"))
        if doc.get("apiVersion") == "events.k8s.io/v1":
            errors = []
            for name in ("eventTime", "reportingController", "reportingInstance", "action", "reason"):
                if not doc.get(name):
                    errors.append(field.required(name))
            if doc.get("type") not in ("Normal", "Warning"):
                errors.append(field.invalid("type", "", f"has invalid value: {doc.get('type', '')}"))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        return []

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        event = conversion.convert(doc, "v1")
        about = event.get("involvedObject") or {}
        source = (event.get("source") or {}).get("component", "") or event.get("reportingComponent", "")
        fields = {
            **super().selectable_fields(doc),
            "reason": event.get("reason", ""),
            "reportingComponent": event.get("reportingComponent", ""),
            "reportingController": event.get("reportingComponent", ""),
            "source": source,
            "type": event.get("type", ""),
        }
        for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"):
            fields[f"involvedObject.{name}"] = fields[f"regarding.{name}"] = about.get(name, "")
        return fields


class LeaseStrategy(Strategy):
    """Leases: heartbeats and elections."""

    kinds = (("coordination.k8s.io", "Lease"),)
    allow_create_on_update = True
    allow_unconditional_update = False

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        spec = doc.get("spec") or {}
        seconds = spec.get("leaseDurationSeconds")
        if seconds is not None and seconds <= 0:
            errors.append(field.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
        transitions = spec.get("leaseTransitions")
        if transitions is not None and transitions < 0:
            errors.append(field.invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
        return errors


_QUOTA_AMOUNTS = frozenset((
    "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
    "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
))  # fmt: skip
_QUOTA_COUNTS = frozenset((
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps",
    "services.nodeports", "services.loadbalancers",
))  # fmt: skip

_STANDARD = _QUOTA_AMOUNTS | _QUOTA_COUNTS
_SCOPES = ("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity")
_SCOPED = frozenset(("pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"))
"""What all scopes but BestEffort can limit."""


class ResourceQuotaStrategy(Strategy):
    """ResourceQuotas."""

    kinds = (("", "ResourceQuota"),)
    has_status = True
    reset_fields = (("status",),)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        for name, text in (nested(doc, "spec", "hard", default={})).items():
            at = f"spec.hard[{name}]"
            errors += [field.invalid(at, name, why) for why in meta.qualified_name(name)]
            if (
                "/" not in name
                and name not in _QUOTA_AMOUNTS
                and name not in _QUOTA_COUNTS
                and "hugepages-" not in name
            ):
                errors.append(field.invalid(at, name, "must be a standard resource for quota"))
            amount = quantity.parse(text)
            if amount.nano < 0:
                errors.append(field.invalid(at, text, "must be greater than or equal to 0"))
            elif name in _QUOTA_COUNTS and amount.nano % quantity.NANO:
                errors.append(field.invalid(at, text, "must be an integer"))
        return errors + self._scopes(doc.get("spec") or {})

    @staticmethod
    def _scopes(spec: Doc) -> list[FieldError]:
        errors: list[FieldError] = []
        scopes = spec.get("scopes") or []
        shown = field.GoText(f"[]core.ResourceQuotaScope{{{', '.join(map(field.quote, scopes))}}}")
        for scope in scopes:
            if scope not in _SCOPES:
                errors.append(field.invalid("spec.scopes", shown, "unsupported scope"))
            fits = frozenset(("pods",)) if scope == "BestEffort" else _SCOPED if scope in _SCOPES else _STANDARD
            for name in sorted(spec.get("hard") or ()):
                if name in _STANDARD and name not in fits:
                    errors.append(field.invalid("spec.scopes", shown, "unsupported scope applied to resource"))
        for kind in ("BestEffort", "Terminating"):
            if kind in scopes and f"Not{kind}" in scopes:
                errors.append(field.invalid("spec.scopes", shown, "conflicting scopes"))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = self.check(new, ctx)
        scopes, before = nested(new, "spec", "scopes", default=[]), nested(old, "spec", "scopes", default=[])
        if sorted(scopes) != sorted(before):
            errors.append(field.invalid("spec.scopes", scopes, meta.IMMUTABLE))
        return errors


class ResourceQuotaStatusStrategy(ResourceQuotaStrategy):
    """``resourcequotas/status``."""

    subresource = "status"
    reset_fields = (("spec",),)


class LimitRangeStrategy(Strategy):
    """LimitRanges: for each resource min ≤ default request ≤ default ≤ max."""

    kinds = (("", "LimitRange"),)
    allow_create_on_update = True

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        seen: set[str] = set()
        for i, limit in enumerate(nested(doc, "spec", "limits", default=())):
            at = f"spec.limits[{i}]"
            kind = limit.get("type", "")
            if kind in seen:
                errors.append(field.duplicate(f"{at}.type", kind))
            seen.add(kind)
            amounts = {n: quantity.resource_list(limit.get(n)) for n in ("min", "defaultRequest", "default", "max")}
            if kind == "Pod":
                for name in ("default", "defaultRequest"):
                    if amounts[name]:
                        errors.append(field.forbidden(f"{at}.{name}", "may not be specified when `type` is 'Pod'"))
            if kind == "PersistentVolumeClaim" and not amounts["min"] and not amounts["max"]:
                errors.append(
                    field.required(
                        f"{at}.limits", "either minimum or maximum storage value is required, but neither was provided"
                    )
                )
            errors += self._order(amounts, at)
        return errors

    @staticmethod
    def _order(amounts: dict[str, dict[str, quantity.Quantity]], at: str) -> list[FieldError]:
        errors: list[FieldError] = []
        for name in sorted(set().union(*amounts.values())):
            for low, high, blamed in _LIMIT_ORDER:
                a, b = amounts[low].get(name), amounts[high].get(name)
                if a is None or b is None or a <= b:
                    continue
                said = "default limit" if (low, high) == ("defaultRequest", "default") else _LIMIT_WORDS[high]
                why = f"{_LIMIT_WORDS[low]} value {a} is greater than {said} value {b}"
                shown = field.GoText(amounts[blamed][name].text())  # a Quantity, which Go prints without quotes
                errors.append(field.invalid(f"{at}.{blamed}[{name}]", shown, why))
        return errors


_LIMIT_WORDS = {"min": "min", "defaultRequest": "default request", "default": "default", "max": "max"}
_LIMIT_ORDER = (
    ("min", "max", "min"), ("min", "defaultRequest", "defaultRequest"), ("defaultRequest", "max", "defaultRequest"),
    ("defaultRequest", "default", "defaultRequest"), ("min", "default", "default"), ("default", "max", "default"),
)  # fmt: skip
"""What may not be greater than what, and whose field is wrong if it is."""


class ServiceAccountStrategy(Strategy):
    """ServiceAccounts."""

    kinds = (("", "ServiceAccount"),)


class ControllerRevisionStrategy(Strategy):
    """ControllerRevisions: their data never changes."""

    kinds = (("apps", "ControllerRevision"),)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        return at_least_zero(doc.get("revision", 0), "revision")

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = self.check(new, ctx)
        if new.get("data") != old.get("data"):
            errors.append(field.invalid("data", field.GoText("<data>"), meta.IMMUTABLE))
        return errors


STRATEGIES = (
    NamespaceStrategy(), NamespaceStatusStrategy(), NamespaceFinalizeStrategy(), NodeStrategy(), NodeStatusStrategy(),
    ConfigMapStrategy(), SecretStrategy(), EventStrategy(), LeaseStrategy(), ResourceQuotaStrategy(),
    ResourceQuotaStatusStrategy(), LimitRangeStrategy(), ServiceAccountStrategy(), ControllerRevisionStrategy(),
)  # fmt: skip
