"""``/api/openapi.json``: the control API described by itself, made from the addresses and the body types.

The list below is the one place that says which call takes which body; the test compares it with ``urls.py``.
"""

import functools
from typing import Any

import msgspec
from django.http import HttpRequest

from explainer.api import again, applying, bodies, lessons
from explainer.api.calls import call
from explainer.runs.bus import Bus
from explainer.runs.clusters import Options

C = "/api/clusters/{cluster}"
CALLS: tuple[tuple[str, str, str, Any], ...] = (
    ("get", "/api/clusters", "All clusters with their clocks.", None),
    ("post", "/api/clusters", "Make a cluster.", Options),
    ("get", C, "One cluster.", None),
    ("delete", C, "Forget a cluster and everything about it.", None),
    ("get", f"{C}/clock", "The virtual clock (?at=, as every reading call).", None),
    ("patch", f"{C}/clock", "Pause, resume or pace the clock.", bodies.ClockBody),
    ("post", f"{C}/clock/run", "Run exactly so far, then stay paused.", bodies.RunBody),
    ("post", f"{C}/clock/step", "To the next stage of a request, else to the next visible event.", bodies.StepBody),
    ("post", f"{C}/clock/until", "Run until something holds, then stay paused.", bodies.UntilBody),
    ("get", f"{C}/breakpoints", "The breakpoints, and which requests are held.", None),
    ("post", f"{C}/breakpoints", "Stop the clock when a request reaches a stage.", bodies.BreakpointBody),
    ("delete", f"{C}/breakpoints/{{number}}", "Forget a breakpoint.", None),
    ("post", f"{C}/fork", "A second cluster from that moment, paused; or without one thing.", bodies.ForkBody),
    ("get", f"{C}/history", "How far the past reaches, and what it takes.", None),
    ("patch", f"{C}/history", "How much the past may take.", bodies.HistoryBody),
    ("get", f"{C}/history/tape", "What happened, as marks (?from=&to=&width=).", None),
    ("post", f"{C}/history/step", "The next or the last visible event, or stage.", bodies.HistoryStepBody),
    ("get", f"{C}/compare", "Objects that differ between two moments (?at=&with=&withAt=&quiet=1).", None),
    ("get", f"{C}/bookmarks", "Moments with a name.", None),
    ("post", f"{C}/bookmarks", "Give a moment a name.", bodies.BookmarkBody),
    ("delete", f"{C}/bookmarks/{{number}}", "Forget a bookmark.", None),
    ("post", "/api/lessons/{slug}/start", "Begin a lesson on a fresh cluster.", None),
    ("get", f"{C}/lesson", "How far the lesson is that is played on this cluster.", None),
    ("post", f"{C}/lesson", "Go to a step, do its act, answer, or go back to where it began.", lessons.LessonBody),
    ("post", f"{C}/again", "Another cluster, perhaps of another topology, with the same objects.", again.AgainBody),
    ("get", f"{C}/presenter", "Where the presenter is.", None),
    ("put", f"{C}/presenter", "Say where the presenter is: followers' pages go there.", bodies.PresenterBody),
    ("delete", f"{C}/presenter", "End presenting.", bodies.PresenterBody),
    ("get", f"{C}/export", "The cluster as one file.", None),
    ("post", "/api/import", "A cluster from such a file (?name= gives it another name).", None),
    ("get", f"{C}/etcd/members", "etcd's members (?log=full|none&from=N).", None),
    ("post", f"{C}/etcd/members", "Add a member, as a learner or a voter.", bodies.MemberBody),
    ("delete", f"{C}/etcd/members/{{name}}", "Take a member out of the cluster.", None),
    ("post", f"{C}/etcd/members/{{name}}/promote", "Make a learner a voter.", None),
    (
        "post",
        f"{C}/etcd/members/{{name}}/{{op}}",
        "stop, start, pause, resume, campaign, snapshot; transfer {to}; disk {fsyncMs}.",
        bodies.TransferBody,
    ),
    ("post", f"{C}/etcd/timers", "Let election timers run out at one instant.", bodies.AlignBody),
    ("get", f"{C}/etcd/ops", "Recorded operations (?done_since=N or ?pending=1).", None),
    ("post", f"{C}/etcd/ops", "Begin an operation on a key.", bodies.EtcdOpBody),
    ("get", f"{C}/etcd/snapshots", "Snapshots on the hosts' disks, and which cluster of etcd each member is in.", None),
    ("post", f"{C}/etcd/snapshots", "Save a snapshot of a member on its host.", bodies.SnapshotBody),
    ("put", f"{C}/etcd/snapshots/{{host}}", "Put a snapshot file (the body) on a host (?path=).", None),
    ("delete", f"{C}/etcd/snapshots/{{host}}", "Remove a snapshot from a host (?path=).", None),
    ("post", f"{C}/etcd/restore", "Begin a new cluster of etcd with a snapshot.", bodies.RestoreBody),
    ("get", f"{C}/etcd/raft/{{what}}", "tables Raft runs by, invariants with evidence, next legal events.", None),
    ("post", f"{C}/messages/{{sequence}}/{{op}}", "drop, deliver or delay what is on its way.", bodies.DelayBody),
    ("post", f"{C}/network/partition", "Who hears whom.", bodies.PartitionBody),
    ("post", f"{C}/network/heal", "Everything as it was.", bodies.NoBody),
    ("post", f"{C}/network/cuts", "Cut, mend or slow single ways, in one act.", bodies.CutsBody),
    ("post", f"{C}/network/link", "Delay, loss or cut of one link.", bodies.LinkBody),
    ("post", f"{C}/hosts/{{name}}/{{op}}", "stop, start, pause, resume a machine.", None),
    ("post", f"{C}/processes/{{name}}/{{op}}", "stop, start, pause, resume a process.", None),
    ("get", f"{C}/requests", "Requests (?limit=&verb=&code=&user=).", None),
    ("get", f"{C}/requests/{{number}}", "One request's trace (?format=otlp).", None),
    ("get", f"{C}/nodes/{{node}}/rules", "The node's rules as text (?mode=).", None),
    ("post", f"{C}/packets", "Send one packet and learn its walk.", bodies.PacketBody),
    ("get", f"{C}/objects/{{resource}}", "Objects as etcd holds them (?namespace=).", None),
    ("post", f"{C}/apply", "Send the documents of a YAML text to the apiserver.", applying.ApplyBody),
    ("get", f"{C}/views/{{name}}", "A read model: map, processes, terms, recent.", None),
    ("post", f"{C}/console", "Run a line of the browser console.", bodies.ConsoleBody),
    ("post", f"{C}/console/complete", "What may stand at the cursor of a line.", bodies.CompleteBody),
    ("post", f"{C}/console/interrupt", "Ctrl-C.", bodies.InterruptBody),
    ("get", f"{C}/events", "Frames after a cursor, a line each (?after=&follow=1).", None),
)


@functools.cache
def described() -> bytes:
    """The document, OpenAPI 3.1, as JSON."""
    kinds = [kind for kind in dict.fromkeys(row[3] for row in CALLS) if kind is not None]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    by_kind = dict(zip(kinds, schemas, strict=True))
    error = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    paths: dict[str, dict[str, Any]] = {}
    for method, path, summary, kind in CALLS:
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        operation: dict[str, Any] = {
            "summary": summary,
            "parameters": [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names],
            "responses": {
                "200": {"description": "Done."},
                "default": {
                    "description": "One sentence says why not.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                },
            },
        }
        if kind is not None:
            operation["requestBody"] = {"content": {"application/json": {"schema": by_kind[kind]}}}
        paths.setdefault(path, {})[method] = operation
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Clearplane control API", "version": "1"},
            "paths": paths,
            "components": {"schemas": {**components, "Error": error}},
        }
    )


@call("GET")
async def document(request: HttpRequest, bus: Bus) -> Any:
    """The document."""
    return described()
