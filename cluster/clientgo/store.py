"""What a client believes the cluster looks like: the documents of one kind by key, with indexes (client-go's Indexer).

In → documents as the reflector hears of them; out → lookups that cost a dictionary access. A key is
``namespace/name``, or ``name`` for what has no namespace. Documents are shared with everybody and never changed.

Index names: ``namespace``; ``owner`` (uid of the controlling owner); ``owners`` (uid of every owner); ``orphans``
(namespace of what has no controlling owner); ``node``
(spec.nodeName); ``uid``; ``label:<key>`` (value of that label).

Upstream: k8s.io/client-go/tools/cache/{store,thread_safe_store}.go.
"""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct, field

Doc = dict[str, Any]


def key_of(doc: Doc) -> str:
    """``namespace/name`` or ``name`` (cache.MetaNamespaceKeyFunc)."""
    meta = doc["metadata"]
    namespace = meta.get("namespace")
    return f"{namespace}/{meta['name']}" if namespace else meta["name"]


def split_key(key: str) -> tuple[str, str]:
    """``(namespace, name)``; the namespace is empty for what has none."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


def controller_of(doc: Doc) -> Doc | None:
    """The owner reference with ``controller: true`` (metav1.GetControllerOf)."""
    for reference in doc["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return reference
    return None


def _by_namespace(doc: Doc) -> tuple[str, ...]:
    return (doc["metadata"].get("namespace", ""),)


def _by_owner(doc: Doc) -> tuple[str, ...]:
    owner = controller_of(doc)
    return (owner["uid"],) if owner is not None else ()


def _by_owners(doc: Doc) -> tuple[str, ...]:
    return tuple(reference["uid"] for reference in doc["metadata"].get("ownerReferences") or ())


def _by_orphanhood(doc: Doc) -> tuple[str, ...]:
    return () if controller_of(doc) is not None else (doc["metadata"].get("namespace", ""),)


def _by_node(doc: Doc) -> tuple[str, ...]:
    return ((doc.get("spec") or {}).get("nodeName", ""),)


def _by_uid(doc: Doc) -> tuple[str, ...]:
    return (doc["metadata"].get("uid", ""),)


_INDEXERS: dict[str, Callable[[Doc], tuple[str, ...]]] = {
    "namespace": _by_namespace,
    "owner": _by_owner,
    "owners": _by_owners,
    "orphans": _by_orphanhood,
    "node": _by_node,
    "uid": _by_uid,
}


def index_values(index: str, doc: Doc) -> tuple[str, ...]:
    """Under which values ``doc`` is found in ``index``. KeyError for an index nobody defined."""
    if index.startswith("label:"):
        value = (doc["metadata"].get("labels") or {}).get(index[6:])
        return (value,) if value is not None else ()
    return _INDEXERS[index](doc)


class Store(Struct):
    """Documents of one kind. ``indexes``: index name → value → keys (a dict for its order)."""

    items: dict[str, Doc] = field(default_factory=dict)
    indexes: dict[str, dict[str, dict[str, None]]] = field(default_factory=dict)

    def get(self, key: str) -> Doc | None:
        """The document of that key, or None."""
        return self.items.get(key)

    def find(self, namespace: str, name: str) -> Doc | None:
        """The document of that name."""
        return self.items.get(f"{namespace}/{name}" if namespace else name)

    def __iter__(self) -> Iterator[Doc]:
        return iter(self.items.values())

    def __len__(self) -> int:
        return len(self.items)

    def by(self, index: str, value: str) -> list[Doc]:
        """The documents found under ``value`` in ``index``, oldest entry first."""
        keys = self.indexes[index].get(value)
        if not keys:
            return []
        items = self.items
        return [items[key] for key in keys]

    def add_index(self, index: str) -> None:
        """Keep ``index`` from now on."""
        if index in self.indexes:
            return
        table = self.indexes[index] = {}
        for key, doc in self.items.items():
            for value in index_values(index, doc):
                table.setdefault(value, {})[key] = None

    def put(self, doc: Doc) -> Doc | None:
        """Remember ``doc``; what was known under its key before."""
        key = key_of(doc)
        old = self.items.get(key)
        self.items[key] = doc
        for index, table in self.indexes.items():
            values = index_values(index, doc)
            if old is not None:
                before = index_values(index, old)
                if before == values:
                    continue
                self._unindex(table, key, before)
            for value in values:
                table.setdefault(value, {})[key] = None
        return old

    def remove(self, key: str) -> Doc | None:
        """Forget the document of that key; what was known."""
        old = self.items.pop(key, None)
        if old is not None:
            for index, table in self.indexes.items():
                self._unindex(table, key, index_values(index, old))
        return old

    @staticmethod
    def _unindex(table: dict[str, dict[str, None]], key: str, values: tuple[str, ...]) -> None:
        for value in values:
            keys = table.get(value)
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del table[value]
