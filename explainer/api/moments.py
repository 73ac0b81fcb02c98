"""A moment as a file: spec, a snapshot, the journal since, the clock mark and a digest; and a cluster from such a file.

The file is msgpack behind a line that says what it is. It holds the cluster's private keys, because it *is* the cluster: share it
as you would share a classroom's cluster, not a real one.

Errors: not such a file 400, made by another version 422, name taken 409.
"""

import os
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse

from explainer.api.calls import call, json
from explainer.runs import clusters, keys, version
from explainer.runs.bus import Bus, Failed
from explainer.runs.journal import Mark
from explainer.runs.moment import HEAD, Moment


@call("GET")
async def save(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """The cluster as a file, as of its last commit."""
    proof = msgspec.json.decode(await bus.query_json(cluster, "digest"))
    link = await bus.open()
    try:
        queued = [
            link.call("MULTI"),
            link.call("GET", keys.spec(cluster)),
            link.call("HMGET", keys.mark(cluster), "commit", "mark", "side"),
            link.call("GET", keys.snapshot(cluster, 0)),
            link.call("GET", keys.snapshot(cluster, 1)),
            link.call("XRANGE", keys.journal(cluster), "-", "+"),
        ]
        spec, (commit, mark, side), first, second, rows = await link.call("EXEC")
        for future in queued:
            await future
    finally:
        link.close()
    if mark is None:
        raise Failed(409, "the cluster has not begun yet")
    older_first = [blob for blob in ((first, second) if int(side or 0) else (second, first)) if blob]
    entries = [(row[0].decode(), row[1][1]) for row in rows]
    moment = Moment(bus.known[cluster], spec, int(commit), mark, older_first[:1], entries, **proof)
    response = HttpResponse(HEAD + msgspec.msgpack.encode(moment), content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{cluster}.clearplane"'
    response["Cache-Control"] = "no-store"
    return response


@call("POST")
async def load(request: HttpRequest, bus: Bus) -> Any:
    """A cluster from a file; it begins paused at the moment of the file. 201."""
    data = request.body
    if not data.startswith(HEAD):
        raise Failed(400, "this is not a file that Clearplane exported")
    try:
        moment = msgspec.msgpack.decode(data[len(HEAD) :], type=Moment)
        mark = msgspec.msgpack.decode(moment.mark, type=Mark)
        options = msgspec.convert(
            {**moment.options, "name": request.GET.get("name") or moment.options["name"]}, clusters.Options
        )
        clusters.check(options)
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        raise Failed(422, f"this file can't be read by this version: {error}") from error
    if mark.world != version.world_version(os.environ.get("CLEARPLANE_DOOR", "cluster.lab")):
        raise Failed(422, "this file was made by another version of the world")
    name = options.name
    if name in bus.known or await bus.call_redis("EXISTS", keys.spec(name)):
        raise Failed(409, f"there is a cluster named {name!r} already")
    mark.paused, mark.cursor, mark.ahead, mark.seen = True, "0-0", [], {}
    await bus.call_redis("SET", keys.spec(name), moment.spec)
    for side, blob in enumerate(moment.snapshots):
        await bus.call_redis("SET", keys.snapshot(name, side), blob)
    for entry_id, blob in moment.journal:
        await bus.call_redis("XADD", keys.journal(name), entry_id, "m", blob)
    await bus.call_redis(
        "HSET", keys.mark(name), "commit", moment.commit, "mark", msgspec.msgpack.encode(mark), "side", 0
    )
    described = msgspec.to_builtins(options)
    await bus.announce(name, described)
    return json({**described, "clock": await bus.query(name, "clock")}, 201)
