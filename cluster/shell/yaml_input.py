"""YAML that a person wrote, as Kubernetes reads it: times stay texts; a document that unfolds without end is refused.

In → text; out → documents (dicts, lists, scalars). Errors: ``yaml.YAMLError``, whose ``problem`` is one line.
"""

from typing import Any

import yaml

from cluster.api.codec import YAML_RESOLVERS

MAX_ALIASES = 30
MAX_DEPTH = 100


class _Loader(yaml.SafeLoader):
    """A SafeLoader with limits: thirty aliases can't become a million nodes."""

    aliases = 0
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MAX_ALIASES:
                raise yaml.MarkedYAMLError(problem="document contains excessive aliasing")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="exceeded max depth")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.yaml_implicit_resolvers = YAML_RESOLVERS


def load_all(text: str) -> list[Any]:
    """Every document of a stream."""
    return list(yaml.load_all(text, Loader=_Loader))


def load(text: str) -> Any:
    """The one document."""
    return yaml.load(text, Loader=_Loader)
