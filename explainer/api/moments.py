"""A moment as a file, and a cluster from such a file. What is in it says ``explainer.runs.moment``.

Errors: no such file 400, larger than 64 MiB, made by another version or not replaying 422, name taken 409.
"""

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse

from explainer.api.calls import call, json, moment
from explainer.runs import moment as files
from explainer.runs.bus import Bus, Failed
from explainer.runs.clusters import NAME


@call("GET")
async def save(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """The cluster as a file, with its whole past: as of its last commit, or of the moment ``?at=``."""
    at = moment(request)
    proof = msgspec.json.decode(
        await (bus.query_at_json(cluster, at, "digest") if at else bus.query_json(cluster, "digest"))
    )
    data = files.write(await bus.exported(cluster, proof))
    response = HttpResponse(data, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{cluster}.clearplane"'
    response["Cache-Control"] = "no-store"
    return response


@call("POST")
async def load(request: HttpRequest, bus: Bus) -> Any:
    """A cluster from a file, with its whole past; it begins paused at the moment of the file. 201."""
    data = request.read(files.LIMIT + 1)  # (``body`` is what may be as large as a call)
    if not data.startswith(files.HEAD[:18]):
        raise Failed(400, "this is not a file that Clearplane exported")
    try:
        given = files.read(data)
    except files.Unreadable as error:
        raise Failed(422, str(error)) from error
    name = request.GET.get("name") or given.options.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Failed(422, "a cluster's name has 1 to 40 lower-case letters, digits and dashes")
    return json(await bus.import_file(name, data), 201)
