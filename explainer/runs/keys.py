"""Names of everything kept in Redis. All keys of one cluster carry its name in braces, so one shard can hold them.

| key | type | what |
|---|---|---|
| ``clusters`` | hash | cluster name → what it was made with, JSON |
| ``past:questions`` | stream | questions about the past, for whichever historian takes them |
| ``past:to:<historian>`` | stream | those that one of them has handed on, because the other holds that cluster's frozen worlds |
| ``past:alive:<historian>`` | string | a living historian (expires) |
| ``past:out:<gateway>`` | list | answers about the past for that web process (expires) |
| ``past:file:<call>`` | string | an imported file on its way to the historian (expires) |
| ``{c}:keeper`` | string | the historian that holds frozen worlds of the cluster (expires) |
| ``clusters:log`` | stream | a line whenever that hash changes |
| ``pki`` | string | keys of the default cluster, which the TLS port shows to clients that name no other; kept for good |
| ``gateway:<id>`` | string | a living web process (expires) |
| ``{c}:spec`` | string | the spec, msgpack: never changes |
| ``{c}:inbox`` | stream | mail to the cluster |
| ``{c}:journal`` | stream | inputs, each with the instant at which it was applied |
| ``{c}:mark`` | hash | the clock mark of the last commit; the newest chapter's number; the limit of the history |
| ``{c}:chapters`` | hash | number → what chapter it is (``annals.Chapter``), msgpack |
| ``{c}:worlds`` | hash | chapter → the cluster as it was at the chapter's end: the newest two and some older ones |
| ``{c}:inputs`` | hash | chapter → the inputs in it, compressed: what was journalled since the chapter before |
| ``{c}:tapes`` | hash | chapter → what could be seen in it, compressed rows of the tape |
| ``{c}:tape`` | stream | the same since the newest chapter |
| ``{c}:bookmarks`` | hash | number → a moment and its name, JSON |
| ``{c}:events`` | stream | the feed: JSON frames, capped |
| ``{c}:played`` | hash | how far the lesson is that is played on it (``explainer/runs/played.py``) |
| ``{c}:presenter`` | stream | where the presenter is: one record, expires |
| ``{c}:model`` | hash | read models, JSON, for pages while nobody runs the cluster |
| ``{c}:stops`` | string | breakpoints, and where the cluster is held, JSON |
| ``{c}:lease`` ``{c}:fence`` | string | who runs it; the number of its last lease |
| ``{c}:out:<gateway>`` | stream | answers for that web process |
"""

CLUSTERS = "clusters"
CLUSTERS_LOG = "clusters:log"
PKI = "pki"
PAST = "past:questions"


def past_to(historian: str) -> str:
    return f"past:to:{historian}"


def past_alive(historian: str) -> str:
    return f"past:alive:{historian}"


def past_out(gateway_name: str) -> str:
    return f"past:out:{gateway_name}"


def past_file(call: str) -> str:
    """An imported file on its way to the historian."""
    return f"past:file:{call}"


def keeper(cluster: str) -> str:
    return f"{{{cluster}}}:keeper"


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


def chapters(cluster: str) -> str:
    return f"{{{cluster}}}:chapters"


def worlds(cluster: str) -> str:
    return f"{{{cluster}}}:worlds"


def inputs(cluster: str) -> str:
    return f"{{{cluster}}}:inputs"


def tapes(cluster: str) -> str:
    return f"{{{cluster}}}:tapes"


def tape(cluster: str) -> str:
    return f"{{{cluster}}}:tape"


def bookmarks(cluster: str) -> str:
    return f"{{{cluster}}}:bookmarks"


def events(cluster: str) -> str:
    return f"{{{cluster}}}:events"


def lesson(cluster: str) -> str:
    """Which lesson is played on it, and how far."""
    return f"{{{cluster}}}:played"


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


def history(cluster: str) -> list[str]:
    """Where the past is: all of it but the journal since the newest chapter."""
    return [chapters(cluster), worlds(cluster), inputs(cluster), tapes(cluster), tape(cluster)]


def every(cluster: str) -> list[str]:
    """All keys of the cluster but the ``out`` streams."""
    return [
        spec(cluster),
        inbox(cluster),
        journal(cluster),
        mark(cluster),
        *history(cluster),
        bookmarks(cluster),
        events(cluster),
        presenter(cluster),
        lesson(cluster),
        model(cluster),
        stops(cluster),
        lease(cluster),
        fence(cluster),
        keeper(cluster),
    ]
