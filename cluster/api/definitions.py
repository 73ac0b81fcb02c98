"""Kubernetes 1.32's own type definitions, as its OpenAPI document publishes them: facts that need no invention.

The package ``kubernetes_validate`` carries them as one JSON file. In → a definition's name
(``io.k8s.api.core.v1.Pod``); out → its JSON schema as a dict: ``properties``, ``required``, ``$ref`` and the
``x-kubernetes-*`` extensions that say how lists merge. Read once for the process, in about 10 ms; the texts
(``description``) are read again only when somebody asks for them (``described``).

Simplified here: the file lost two things that the Go types know, which value types are pointers and in which order
fields stand; ``cluster.api.gotypes`` adds them for the kinds where it shows.

Upstream: api/openapi-spec/swagger.json of kubernetes v1.32.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

VERSION = "v1.32.0"
_FILE = ("kubernetes-json-schema", f"{VERSION}-local", "_definitions.json")

Definition = dict[str, Any]


def _read() -> bytes:
    # The package is found, not imported: importing it costs a quarter of a second and nothing of it is used.
    spec = find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package kubernetes_validate, which carries the definitions, is not installed")
    return Path(spec.submodule_search_locations[0]).joinpath(*_FILE).read_bytes()


@cache
def _definitions() -> dict[str, Definition]:
    found = orjson.loads(_read())["$defs"]
    for definition in found.values():
        definition.pop("description", None)
        for prop in definition.get("properties", {}).values():
            prop.pop("description", None)
    return found


@cache
def _described() -> dict[str, Definition]:
    return orjson.loads(_read())["$defs"]


def names() -> list[str]:
    """Every definition's name, in the order of the file (alphabetic)."""
    return list(_definitions())


def definition(name: str) -> Definition:
    """The definition without its texts. KeyError when there is none."""
    return _definitions()[name]


def described(name: str) -> Definition:
    """The definition with the texts that ``kubectl explain`` shows. KeyError when there is none."""
    return _described()[name]


@cache
def by_kind() -> dict[tuple[str, str, str], str]:
    """(group, version, kind) → name of its definition."""
    found: dict[tuple[str, str, str], str] = {}
    for name, definition_ in _definitions().items():
        kinds = definition_.get("x-kubernetes-group-version-kind", ())
        if len(kinds) == 1:
            gvk = kinds[0]
            found[gvk["group"], gvk["version"], gvk["kind"]] = name
    # Kinds that every group serves (DeleteOptions, WatchEvent …) are listed once a group; they are meta.k8s.io's own.
    for name in _definitions():
        package, _, kind = name.rpartition(".")
        if package == "io.k8s.apimachinery.pkg.apis.meta.v1":
            found["meta.k8s.io", "v1", kind] = name
    return found


def ref_name(ref: str) -> str:
    """``#/$defs/io.k8s.api.core.v1.PodSpec`` → ``io.k8s.api.core.v1.PodSpec``."""
    return ref.rpartition("/")[2]
