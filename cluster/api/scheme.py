"""The scheme: every kind this server serves, under which names, with which verbs, stored where.

In → (group, version, plural or kind); out → a ``Resource``. The built-in list is what a default kube-apiserver 1.32
answers in discovery; custom resources are added by ``with_crds``, which gives a new Scheme.

Simplified here: alpha and beta groups, which are off by default, are not served; conversion exists between the served
versions of HorizontalPodAutoscaler (v1, v2) and Event (core, events.k8s.io), the only built-in kinds with two.

Upstream: pkg/controlplane/instance.go, pkg/registry/*/rest/storage_*.go; the storage version hash is
apiserver/pkg/endpoints/discovery ``StorageVersionHash``.
"""

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import Any

from msgspec import Struct

from cluster.api import builtin_kinds, conversion
from cluster.api.schema import Schema, builtin_schema

Doc = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class Subresource(Struct, frozen=True):
    """``pods/log`` and its like. ``group`` and ``version`` are of its kind ("" both: the parent's)."""

    name: str
    kind: str
    group: str
    version: str
    verbs: tuple[str, ...]
    namespaced: bool


class Resource(Struct, frozen=True):
    """One kind in one served version."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    list_kind: str
    namespaced: bool
    short_names: tuple[str, ...]
    categories: tuple[str, ...]
    verbs: tuple[str, ...]
    subresources: tuple[Subresource, ...]
    storage_version_hash: str
    prefix: str
    """Under which etcd keys live, e.g. ``/registry/services/specs``; "" for kinds that are never stored."""
    storage_group: str
    storage_version: str
    patch_types: tuple[str, ...]
    crd: Any = None
    """The CustomResourceDefinition document, None for built-in kinds."""

    @property
    def api_version(self) -> str:
        """``apps/v1``; ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage_api_version(self) -> str:
        """The apiVersion that documents in etcd carry."""
        return f"{self.storage_group}/{self.storage_version}" if self.storage_group else self.storage_version

    @property
    def group_resource(self) -> str:
        """``deployments.apps``; ``pods``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def group_kind(self) -> str:
        """``Deployment.apps``; ``Pod``."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def stored(self) -> bool:
        """False for reviews, bindings and component statuses: they are answered, never kept."""
        return self.prefix != ""

    def key(self, namespace: str, name: str) -> str:
        """The etcd key of one object; with name "" the prefix of a namespace, with both "" that of all."""
        if not self.namespaced or not namespace:
            return f"{self.prefix}/{name}"
        return f"{self.prefix}/{namespace}/{name}"

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name."""
        for sub in self.subresources:
            if sub.name == name:
                return sub
        return None


class Group(Struct, frozen=True):
    """An API group; ``versions`` in order of preference."""

    name: str
    versions: tuple[str, ...]

    @property
    def preferred(self) -> str:
        """The version clients should use."""
        return self.versions[0]


def storage_version_hash(group: str, version: str, kind: str) -> str:
    """Changes when objects are stored in another version; ``xPOwRZ+Yhw8=`` for Pods."""
    return b64encode(sha256(f"{group}/{version}/{kind}".encode()).digest()[:8]).decode()


class Scheme:
    """An immutable set of Resources with their indexes. Derived data: never part of a state."""

    def __init__(self, resources: Iterable[Resource], groups: Iterable[Group]) -> None:
        self._resources = list(resources)
        self._groups = {group.name: group for group in groups}
        self._custom = {r.group: None for r in self._resources if r.crd is not None}
        self._by_plural = {(r.group, r.version, r.plural): r for r in self._resources}
        self._by_kind: dict[tuple[str, str, str], Resource] = {}
        for r in self._resources:
            self._by_kind.setdefault((r.group, r.version, r.kind), r)
        self._schemas: dict[tuple[str, str, str], Schema | None] = {}

    def resource(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource that a URL names, None when it is not served."""
        return self._by_plural.get((group, version, plural))

    def kind(self, group: str, version: str, kind: str) -> Resource | None:
        """The resource whose objects are of that kind."""
        return self._by_kind.get((group, version, kind))

    def resources(self) -> list[Resource]:
        """All of them, in the order of discovery."""
        return self._resources

    def groups(self) -> list[Group]:
        """All named groups and the core group (name ""), in the order of discovery."""
        return list(self._groups.values())

    def versions(self, group: str) -> tuple[str, ...]:
        """Served versions, preferred first; () for a group nobody serves."""
        found = self._groups.get(group)
        return found.versions if found else ()

    def schema(self, group: str, version: str, kind: str) -> Schema | None:
        """The compiled schema of a kind (also of kinds without a resource: Scale, Eviction, DeleteOptions …)."""
        key = (group, version, kind)
        if key not in self._schemas:
            resource = self._by_kind.get(key)
            if resource is not None and resource.crd is not None:
                from cluster.api.crd_schema import crd_schema

                self._schemas[key] = crd_schema(resource)
            else:
                self._schemas[key] = builtin_schema(group, version, kind)
        return self._schemas[key]

    def schema_of(self, resource: Resource) -> Schema:
        """The compiled schema of the resource's kind."""
        found = self.schema(resource.group, resource.version, resource.kind)
        if found is None:
            raise LookupError(f"no schema for {resource.group_kind} in {resource.version}")
        return found

    def convert(self, doc: Doc, to_group: str, to_version: str) -> Doc:
        """The same object in a served version of its kind.

        Custom resources change only ``apiVersion``, and get the defaults that were not there when they were stored.
        """
        target = f"{to_group}/{to_version}" if to_group else to_version
        if doc.get("apiVersion") != target:
            doc = conversion.convert(doc, target)
        if to_group in self._custom:
            found = self.schema(to_group, to_version, doc["kind"])
            return found.default(doc) if found is not None else doc
        return doc

    def with_crds(self, crds: Iterable[Doc]) -> "Scheme":
        """A Scheme that also serves the established ones of these CustomResourceDefinitions (sorted by name)."""
        from cluster.api.crd_schema import resources_of

        groups = {group.name: group for group in builtin().groups()}
        resources = list(builtin().resources())
        for crd in sorted(crds, key=lambda doc: doc["metadata"]["name"]):
            for resource in resources_of(crd):
                if (resource.group, resource.version, resource.plural) in builtin()._by_plural:
                    continue
                resources.append(resource)
                known = groups.get(resource.group)
                versions = known.versions if known else ()
                if resource.version not in versions:
                    ordered = sorted((*versions, resource.version), key=conversion.version_order)
                    groups[resource.group] = Group(resource.group, tuple(ordered))
        scheme = Scheme(resources, groups.values())
        scheme._schemas.update(builtin()._schemas)
        return scheme


@cache
def builtin() -> Scheme:
    """The kinds of a default kube-apiserver 1.32. Made once a process."""
    resources = []
    for row in builtin_kinds.RESOURCES:
        subresources = tuple(
            Subresource(s.name, s.kind, s.group, s.version, s.verbs, row.namespaced) for s in row.subresources
        )
        group, version = row.storage_group_version
        resources.append(
            Resource(
                group=row.group,
                version=row.version,
                kind=row.kind,
                plural=row.plural,
                singular=row.singular,
                list_kind=f"{row.kind}List",
                namespaced=row.namespaced,
                short_names=row.short_names,
                categories=row.categories,
                verbs=row.verbs,
                subresources=subresources,
                storage_version_hash=storage_version_hash(group, version, row.kind) if row.prefix else "",
                prefix=row.prefix,
                storage_group=group,
                storage_version=version,
                patch_types=(JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH),
            )
        )
    groups = [Group(name, versions) for name, versions in builtin_kinds.GROUPS]
    return Scheme(resources, groups)
