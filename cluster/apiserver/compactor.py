"""The compactor: every five minutes one apiserver has etcd forget what is older than the last look.

etcd keeps every revision until it is told otherwise. All apiservers look at the key ``compact_rev_key`` at the same
pace; its *version* is their clock. Who finds it unchanged since its own last look advances it and compacts to the revision of
that look; the others only note the new time. So history stays between five and ten minutes long, whichever of them live.

In → a timer that carries (version seen, revision seen); out → a transaction, then perhaps a compaction. A compacted revision is
answered with 410 Gone ("The resourceVersion for the provided watch is too old."): clients list again.

Upstream: staging/src/k8s.io/apiserver/pkg/storage/etcd3/compact.go (``--etcd-compaction-interval``, 5m).
"""

from typing import Any

from cluster.apiserver.job import continuation
from cluster.sim import MINUTE, Outbox
from cluster.wire import etcd as wire

INTERVAL = 5 * MINUTE
KEY = b"compact_rev_key"


def look(server: Any, seen: tuple[int, int], out: Outbox) -> None:
    """The interval is over: try to be the one who compacts. ``seen``: the key's version and the revision at the last look."""
    version, revision = seen
    compare = wire.Compare(KEY, "VERSION", "EQUAL", version)
    put = wire.PutRequest(0, KEY, b"%d" % revision)
    request = wire.TxnRequest(out.next_id(), (compare,), (put,), (wire.RangeRequest(0, KEY),))
    server.ask(out, None, request, looked, (version, revision))


@continuation
def looked(server: Any, job: None, out: Outbox, answer: Any, version: int, revision: int) -> None:
    """Won or lost; either way look again after the interval."""
    out.cause = 0
    if isinstance(answer, wire.EtcdError):
        out.timer("compact", INTERVAL, (version, revision), cause=0)
        return
    now = answer.header.revision
    if not answer.succeeded:
        found = answer.responses[0].kvs if answer.responses else ()
        out.timer("compact", INTERVAL, (found[0].version if found else 0, now), cause=0)
        return
    out.timer("compact", INTERVAL, (version + 1, now), cause=0)
    if revision:
        server.ask(out, None, wire.CompactionRequest(out.next_id(), revision), compacted)


@continuation
def compacted(server: Any, job: None, out: Outbox, answer: Any) -> None:
    """Done, or done by somebody else before: nothing follows either way."""
