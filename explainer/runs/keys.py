"""Names of everything kept in Redis. All keys of one cluster carry its name in braces, so one shard can hold them.

| key | type | what |
|---|---|---|
| ``clusters`` | hash | cluster name → what it was made with, JSON |
| ``clusters:log`` | stream | a line whenever that hash changes |
| ``pki`` | string | keys of the default cluster, which the TLS port shows to clients that name no other; kept for good |
| ``gateway:<id>`` | string | a living web process (expires) |
| ``{c}:spec`` | string | the spec, msgpack: never changes |
| ``{c}:inbox`` | stream | mail to the cluster |
| ``{c}:journal`` | stream | inputs, each with the instant at which it was applied |
| ``{c}:mark`` | hash | the clock mark of the last commit; which snapshot is the newer |
| ``{c}:snapshot:0``, ``:1`` | string | the last two snapshots |
| ``{c}:events`` | stream | the feed: JSON frames, capped |
| ``{c}:presenter`` | stream | where the presenter is: one record, expires |
| ``{c}:model`` | hash | read models, JSON, for pages while nobody runs the cluster |
| ``{c}:stops`` | string | breakpoints, and where the cluster is held, JSON |
| ``{c}:lease`` ``{c}:fence`` | string | who runs it; the number of its last lease |
| ``{c}:out:<gateway>`` | stream | answers for that web process |
"""

CLUSTERS = "clusters"
CLUSTERS_LOG = "clusters:log"
PKI = "pki"


def gateway(name: str) -> str:
    """Says that the web process ``name`` lives."""
    return f"gateway:{name}"


def spec(cluster: str) -> str:
    return f"{{{cluster}}}:spec"


def inbox(cluster: str) -> str:
    return f"{{{cluster}}}:inbox"


def journal(cluster: str) -> str:
    return f"{{{cluster}}}:journal"


def mark(cluster: str) -> str:
    return f"{{{cluster}}}:mark"


def snapshot(cluster: str, side: int) -> str:
    """``side`` is 0 or 1: two are kept, the older one in case the newer can't be read."""
    return f"{{{cluster}}}:snapshot:{side}"


def events(cluster: str) -> str:
    return f"{{{cluster}}}:events"


def presenter(cluster: str) -> str:
    return f"{{{cluster}}}:presenter"


def model(cluster: str) -> str:
    return f"{{{cluster}}}:model"


def stops(cluster: str) -> str:
    return f"{{{cluster}}}:stops"


def lease(cluster: str) -> str:
    return f"{{{cluster}}}:lease"


def fence(cluster: str) -> str:
    return f"{{{cluster}}}:fence"


def out(cluster: str, gateway_name: str) -> str:
    return f"{{{cluster}}}:out:{gateway_name}"


def every(cluster: str) -> list[str]:
    """All keys of the cluster but the ``out`` streams."""
    return [
        spec(cluster),
        inbox(cluster),
        journal(cluster),
        mark(cluster),
        snapshot(cluster, 0),
        snapshot(cluster, 1),
        events(cluster),
        presenter(cluster),
        model(cluster),
        stops(cluster),
        lease(cluster),
        fence(cluster),
    ]
