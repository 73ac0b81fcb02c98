"""Expectations: "I asked for three Pods; don't count again before I have seen them" (ControllerExpectations).

An informer lags behind the server. A controller that counted its Pods right after creating some would create them again.
So it notes how many creations and which deletions it expects, and doesn't act before its informer has shown them, one
of the requests failed, or five minutes have passed.

Upstream: kubernetes pkg/controller/controller_utils.go (ControllerExpectations, UIDTrackingControllerExpectations).
"""

from collections.abc import Iterable

from cluster.clientgo.state import Expectation
from cluster.sim import MINUTE

TIMEOUT = 5 * MINUTE


def expect(table: dict[str, Expectation], key: str, now: int, adds: int = 0, deletes: Iterable[str] = ()) -> None:
    """Begin to expect; forgets what was expected before."""
    table[key] = Expectation(adds, dict.fromkeys(deletes), now)


def satisfied(table: dict[str, Expectation], key: str, now: int) -> bool:
    """Whether the controller of ``key`` may count again."""
    expected = table.get(key)
    return expected is None or (expected.adds <= 0 and not expected.deletes) or now - expected.since > TIMEOUT


def created(table: dict[str, Expectation], key: str) -> None:
    """One creation was seen, or will never be."""
    expected = table.get(key)
    if expected is not None and expected.adds > 0:
        expected.adds -= 1


def deleted(table: dict[str, Expectation], key: str, child: str) -> None:
    """The deletion of ``child`` was seen, or will never be."""
    expected = table.get(key)
    if expected is not None:
        expected.deletes.pop(child, None)


def forget(table: dict[str, Expectation], key: str) -> None:
    """The owner is gone."""
    table.pop(key, None)
