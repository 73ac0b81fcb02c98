"""Syncs one after another: partial ones, and what a large cluster does otherwise."""

from bench.kubeproxy import endpoint_slice, service
from cluster.kubeproxy.change_tracker import ChangeTracker
from cluster.kubeproxy.options import ProxyOptions
from cluster.kubeproxy.rulebook import SYNC_PERIOD, Rulebook

OPTIONS = ProxyOptions(node="node-1", node_ip="172.18.0.11", cluster_cidr="10.0.0.0/8")


def tracker(services: int) -> ChangeTracker:
    found = ChangeTracker(4)
    for number in range(services):
        found.service(None, service(number))
        found.endpoint_slice(None, endpoint_slice(number))
    found.take_changes()
    return found


def own_chains(text: str) -> set[str]:
    return {line[1:].split()[0] for line in text.splitlines() if line.startswith((":KUBE-SVC-", ":KUBE-SEP-"))}


def deleted(text: str) -> int:
    return text.count("\n-X ")


def gone(found: ChangeTracker, number: int) -> list[str]:
    found.service(service(number), None)
    found.endpoint_slice(endpoint_slice(number), None)
    return list(found.take_changes())


def test_a_partial_sync_writes_all_shared_chains_and_only_changed_ones_of_services() -> None:
    found, book = tracker(20), Rulebook()
    full = book.sync(found, OPTIONS, [], full=True).text
    assert len(own_chains(full)) == 20 * 6
    found.endpoint_slice(endpoint_slice(7), endpoint_slice(7, 4))
    partial = book.sync(found, OPTIONS, list(found.take_changes()), full=False).text
    assert (
        len(own_chains(partial)) == 6 and deleted(partial) == 1
    )  # five that stay, and one that is emptied to be deleted
    assert partial.count("\n-A KUBE-SERVICES ") == full.count("\n-A KUBE-SERVICES ")


def test_a_large_cluster_has_no_comments_on_endpoints_and_deletes_stale_chains_now_and_then() -> None:
    found, book = tracker(201), Rulebook()  # 1,005 endpoints
    full = book.sync(found, OPTIONS, [], full=True, now=0).text
    assert "->" not in full
    first = book.sync(found, OPTIONS, gone(found, 0), full=False, now=SYNC_PERIOD).text
    assert deleted(first) == 6  # 1,000 endpoints: not large any more
    found, book = tracker(210), Rulebook()
    book.sync(found, OPTIONS, [], full=True, now=0)
    first = book.sync(found, OPTIONS, gone(found, 0), full=False, now=SYNC_PERIOD).text
    assert deleted(first) == 0 and len(book.stale) == 6
    found.service(None, service(0))
    found.endpoint_slice(None, endpoint_slice(0))
    again = book.sync(found, OPTIONS, list(found.take_changes()), full=False, now=SYNC_PERIOD).text
    assert len(own_chains(again)) == 6 and book.stale == {}  # it came back before it was deleted
    book.sync(found, OPTIONS, gone(found, 1), full=False, now=SYNC_PERIOD)
    later = book.sync(found, OPTIONS, gone(found, 2), full=False, now=SYNC_PERIOD + 1).text
    assert deleted(later) == 12


def test_crossing_the_limit_does_not_rewrite_what_has_not_changed() -> None:
    found, book = tracker(200), Rulebook()
    book.sync(found, OPTIONS, [], full=True)
    found.service(None, service(200))
    found.endpoint_slice(None, endpoint_slice(200))
    text = book.sync(found, OPTIONS, list(found.take_changes()), full=False).text
    assert len(own_chains(text)) == 6 and "->" not in text
