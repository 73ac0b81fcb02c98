"""The closed union of notes. Names of fields here are the names in JSON frames and in the browser.

Instants are virtual nanoseconds here; frames carry microseconds (see ``codec``).
"""

from typing import Any, Literal

from msgspec import Struct

Outcome = Literal["allow", "deny", "change", "ok", "error", "skip", "wait", "throttle"]


class RequestBegan(Struct, frozen=True, tag=True):
    """An apiserver has read a request's head and body. ``parent``: the request that caused it (0: a client outside)."""

    request: int
    parent: int
    server: str
    method: str
    path: str
    query: str
    verb: str
    """RBAC verb: get list watch create update patch delete deletecollection, or the HTTP verb for non-resources."""
    group: str
    version: str
    resource: str
    subresource: str
    namespace: str
    name: str
    user_agent: str
    client: str
    """The process it came from, or the client's address ("ip:port")."""
    headers: tuple[tuple[str, str], ...] = ()
    """As received; Authorization values are already shortened."""
    body: Any = None
    """JSON document or bytes."""


class Stage(Struct, frozen=True, tag=True):
    """One stage of a request is over. ``name`` as the control API has it, e.g. ``mutating-admission/ServiceAccount``."""

    request: int
    name: str
    component: str
    start: int
    end: int
    outcome: Outcome
    reason: str = ""
    """One plain sentence: why this verdict."""
    detail: Any = None
    """Plain data to look at: near misses, rules tried, quorum, revision."""
    before: Any = None
    after: Any = None
    """The object before and after, for stages that may change it (kept only when they did)."""
    source: str = ""
    """``module:line`` that decided."""


class RequestEnded(Struct, frozen=True, tag=True):
    """The answer left the apiserver."""

    request: int
    code: int
    user: str = ""
    groups: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None
    stream: bool = False


class Effect(Struct, frozen=True, tag=True):
    """Something a component did because of ``cause`` that is not a request: rules written, container started, …"""

    kind: str
    """rules, container, image, schedule, election, reconcile, packet …"""
    object: str
    """What it was done to: ``node-1``, ``pods/default/web-1`` …"""
    text: str
    """One plain sentence."""
    detail: Any = None


class Raft(Struct, frozen=True, tag=True):
    """A member changed: role, term, vote, lead, commit or log end."""

    member: str
    role: str
    term: int
    voted_for: str
    lead: str
    commit: int
    applied: int
    last_index: int


Note = RequestBegan | Stage | RequestEnded | Effect | Raft
