"""Custom resources: one strategy for all of them, driven by their CustomResourceDefinition.

Validated by the structural schema, status and scale as the definition's subresources say, generation counted as
upstream does: on any change outside metadata (and status, when that is a subresource).

Upstream: apiextensions-apiserver/pkg/registry/customresource/strategy.go.
"""

from typing import Any

from cluster.api import meta
from cluster.api.field import FieldError
from cluster.api.scheme import Resource
from cluster.apiserver.registry.strategy import ALL_META, Context, Strategy, put

Doc = dict[str, Any]


class CustomResourceStrategy(Strategy):
    """Of one resource; made anew per request, because definitions change."""

    counts_generation = True
    standard_finalizers = False
    allow_unconditional_update = False
    status_keeps = ALL_META

    def __init__(self, resource: Resource, subresource: str) -> None:
        self.resource = resource
        self.subresource = subresource
        self.namespaced = resource.namespaced
        self.has_status = resource.subresource("status") is not None
        if self.has_status:
            self.reset_fields = (("spec",),) if subresource == "status" else (("status",),)
        if not resource.namespaced:
            self.field_labels = ("metadata.name",)
        self.field_labels += tuple(_selectable(resource))

    def prepare_for_create(self, doc: Doc, ctx: Context) -> Doc:
        if self.has_status and "status" in doc:
            doc = put(doc, "status", None)
        return meta.with_meta(doc, generation=1)

    def _only_status(self, new: Doc, old: Doc) -> Doc:
        metadata = meta.meta_of(new)
        kept = meta.with_meta(
            old, managedFields=metadata.get("managedFields"), resourceVersion=metadata.get("resourceVersion")
        )
        return put(kept, "status", new.get("status"))

    def desired_changed(self, new: Doc, old: Doc) -> bool:
        ignored = ("metadata", "status") if self.has_status else ("metadata",)
        a = {k: v for k, v in new.items() if k not in ignored}
        b = {k: v for k, v in old.items() if k not in ignored}
        return a != b

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        return self._schema(ctx).validate(doc)

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        return self._schema(ctx).validate(new, old)

    def check_status(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        return self._schema(ctx).validate(new, old)

    def _schema(self, ctx: Context) -> Any:
        from cluster.api.crd_schema import crd_schema

        return ctx.scheme.schema_of(self.resource) if ctx.scheme is not None else crd_schema(self.resource)

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        fields = super().selectable_fields(doc)
        for path in _selectable(self.resource):
            value: Any = doc
            for part in path.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            fields[path] = (
                "" if value is None else ("true" if value is True else "false" if value is False else str(value))
            )
        return fields


def _selectable(resource: Resource) -> list[str]:
    for version in resource.crd["spec"].get("versions", ()):
        if version["name"] == resource.version:
            return [f["jsonPath"].removeprefix(".") for f in version.get("selectableFields") or ()]
    return []


def strategy(resource: Resource, subresource: str) -> Strategy:
    """The strategy for writes to this custom resource."""
    return CustomResourceStrategy(resource, subresource)
