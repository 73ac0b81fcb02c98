"""Roles and bindings: rules must say something, a binding's role never changes.

Simplified here: escalation (granting what one does not have) is a matter of authorization, not of this room.

Upstream: pkg/apis/rbac/validation/validation.go, pkg/registry/rbac/*/strategy.go.
"""

from typing import Any

from cluster.api import field, meta
from cluster.api.field import FieldError, GoText
from cluster.apiserver.registry.strategy import Context, Strategy
from cluster.apiserver.validation.values import validate_selector

Doc = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"


class RoleStrategy(Strategy):
    """Roles."""

    kinds = ((GROUP, "Role"),)
    name_check = staticmethod(meta.path_segment_name)
    allow_create_on_update = True

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        for i, rule in enumerate(doc.get("rules") or ()):
            at = f"rules[{i}]"
            if not rule.get("verbs"):
                errors.append(field.required(f"{at}.verbs", "verbs must contain at least one value"))
            if rule.get("nonResourceURLs"):
                if self.namespaced:
                    why = "namespaced rules cannot apply to non-resource URLs"
                    errors.append(field.invalid(f"{at}.nonResourceURLs", rule["nonResourceURLs"], why))
                if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                    why = "rules cannot apply to both regular resources and non-resource URLs"
                    errors.append(field.invalid(f"{at}.nonResourceURLs", rule["nonResourceURLs"], why))
                continue
            if not rule.get("apiGroups"):
                errors.append(field.required(f"{at}.apiGroups", "resource rules must supply at least one api group"))
            if not rule.get("resources"):
                errors.append(field.required(f"{at}.resources", "resource rules must supply at least one resource"))
        aggregation = doc.get("aggregationRule")
        if aggregation is not None:
            chosen = aggregation.get("clusterRoleSelectors") or ()
            if not chosen:
                errors.append(
                    field.required(
                        "aggregationRule.clusterRoleSelectors",
                        "at least one clusterRoleSelector required if aggregationRule is non-nil",
                    )
                )
            for i, selector in enumerate(chosen):
                errors += validate_selector(selector, f"aggregationRule.clusterRoleSelectors[{i}]")
        return errors


class ClusterRoleStrategy(RoleStrategy):
    """ClusterRoles."""

    kinds = ((GROUP, "ClusterRole"),)
    namespaced = False
    field_labels = ("metadata.name",)


class RoleBindingStrategy(Strategy):
    """RoleBindings."""

    kinds = ((GROUP, "RoleBinding"),)
    name_check = staticmethod(meta.path_segment_name)
    allow_create_on_update = True

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        reference = doc.get("roleRef") or {}
        group = reference.get("apiGroup", "")
        if group != GROUP:
            errors.append(field.not_supported("roleRef.apiGroup", group, (GROUP,)))
        kinds = ("ClusterRole", "Role") if self.namespaced else ("ClusterRole",)
        if reference.get("kind", "") not in kinds:
            errors.append(field.not_supported("roleRef.kind", reference.get("kind", ""), kinds))
        name = reference.get("name", "")
        if not name:
            errors.append(field.required("roleRef.name"))
        errors += [field.invalid("roleRef.name", name, why) for why in meta.path_segment_name(name)]
        for i, subject in enumerate(doc.get("subjects") or ()):
            errors += self._subject(subject, f"subjects[{i}]")
        return errors

    def _subject(self, subject: Doc, at: str) -> list[FieldError]:
        errors: list[FieldError] = []
        name, kind, group = subject.get("name", ""), subject.get("kind", ""), subject.get("apiGroup", "")
        if not name:
            errors.append(field.required(f"{at}.name"))
        if kind == "ServiceAccount":
            if name:
                errors += [field.invalid(f"{at}.name", name, why) for why in meta.dns1123_subdomain(name)]
            if group:
                errors.append(field.not_supported(f"{at}.apiGroup", group, ("",)))
            if not self.namespaced and not subject.get("namespace"):
                errors.append(field.required(f"{at}.namespace"))
        elif kind in ("User", "Group"):
            if group != GROUP:
                errors.append(field.not_supported(f"{at}.apiGroup", group, (GROUP,)))
        else:
            errors.append(field.not_supported(f"{at}.kind", kind, ("ServiceAccount", "User", "Group")))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = self.check(new, ctx)
        reference = new.get("roleRef") or {}
        if reference != old.get("roleRef"):
            parts = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))
            inner = ", ".join(f"{go}:{field.quote(reference.get(key, ''))}" for go, key in parts)
            errors.append(field.invalid("roleRef", GoText(f"rbac.RoleRef{{{inner}}}"), "cannot change roleRef"))
        return errors


class ClusterRoleBindingStrategy(RoleBindingStrategy):
    """ClusterRoleBindings."""

    kinds = ((GROUP, "ClusterRoleBinding"),)
    namespaced = False
    field_labels = ("metadata.name",)


STRATEGIES = (RoleStrategy(), ClusterRoleStrategy(), RoleBindingStrategy(), ClusterRoleBindingStrategy())
