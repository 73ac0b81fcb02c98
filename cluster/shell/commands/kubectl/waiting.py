"""Waiting for something to become so: by a watch on the one object, as ``kubectl wait``, ``delete`` and ``rollout status`` do."""

from collections.abc import Callable, Generator
from typing import Any

import orjson

from cluster.shell.commands.kubectl.client import document, failure
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.failures import ApiFailure
from cluster.shell.effects import Answer, Cancel, Effect, Next, Sleep

Doc = dict[str, Any]
WEEK = 7 * 24 * 3600 * 1_000_000_000


def until(
    k: Kubectl, target: Target, holds: Callable[[Doc | None], bool], limit: int
) -> Generator[Effect, Answer, bool]:
    """Whether ``holds(doc)`` became true within ``limit`` ns (0: a week). ``holds(None)``: there is no such object."""
    deadline = k.ctx.now + (limit or WEEK)
    selector = [("fieldSelector", f"metadata.name={target.name}")]
    where = target.mapping.path(target.namespace)
    while True:
        listed = yield from k.client.call("GET", where, selector)
        items = listed.get("items") or []
        found = {"apiVersion": target.mapping.api_version, "kind": target.mapping.kind, **items[0]} if items else None
        if holds(found):
            return True
        if k.ctx.now >= deadline:
            return False
        version = (listed.get("metadata") or {}).get("resourceVersion", "")
        watching = [*selector, ("resourceVersion", version), ("watch", "true")]
        answer = yield from k.client.send("GET", where, watching)
        if answer.code >= 400:
            raise failure(answer, document(answer), "GET", where)
        ended = False
        while not ended:
            piece = yield Next(answer.id, max(deadline - k.ctx.now, 1))
            if piece.error == "timeout":
                yield Cancel(answer.id)
                return False
            ended = piece.end
            for event in [] if piece.end else events(piece):
                if event["type"] == "ERROR":
                    yield Cancel(answer.id)
                    ended = True
                    break
                if event["type"] == "BOOKMARK":
                    continue
                if holds(None if event["type"] == "DELETED" else event["object"]):
                    yield Cancel(answer.id)
                    return True
        yield Sleep(1_000_000_000)  # the watch ended by itself: look again, but not at once


def events(piece: Answer) -> list[Doc]:
    """The watch events of one piece."""
    if piece.doc is not None:
        return [piece.doc]
    return [orjson.loads(line) for line in piece.body.splitlines() if line.strip()]


def gone(k: Kubectl, target: Target, uid: str, limit: int) -> Generator[Effect, Answer, bool]:
    """Whether the object (with that uid) was gone within ``limit`` ns."""
    try:
        doc = yield from k.client.call("GET", target.path)
    except ApiFailure as error:
        if error.reason == "NotFound":
            return True
        return error.code == 403  # one may delete what one may not read
    if uid and doc["metadata"].get("uid") != uid:
        return True
    return (
        yield from until(k, target, lambda now: now is None or bool(uid and now["metadata"].get("uid") != uid), limit)
    )
