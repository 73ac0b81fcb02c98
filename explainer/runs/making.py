"""New clusters out of the past: a fork at a moment, one brought back from a file, and one in which something did not happen.

A fork is made by the frozen world that stands at the moment; the other two by processes of their own (``bring``, ``whatif``), which run a history
again and may take long. All answer with the new cluster's clock, or are ``Refused`` with what went wrong.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from importlib import import_module
from typing import Any

from explainer.runs import bring, whatif
from explainer.runs.channel import Channel
from explainer.runs.frozen import Goal
from explainer.runs.shelf import Holder, Now, Question, Refused
from explainer.runs.worlds import Worlds, shed


class Making(Worlds):
    """What makes clusters."""

    async def _fork(self, question: Question) -> Any:
        """A cluster that begins at a moment of this one, paused: its clock. ``args``: ``name``, and ``described``, the new row of
        the list of clusters."""
        now = await self.now(question.cluster)
        goal, settled = self.goal(question.at, now)
        holder = await self.reach(question.cluster, now, goal, settled)
        return await self._found(question, now, holder)

    async def _found(self, question: Question, now: Now, holder: Holder) -> Any:
        shelf = self.shelves[question.cluster]
        message = {
            "op": "found",
            "call": question.call,
            "version": self.version,
            "rate": now.mark.rate,
            **question.args,
        }
        told = await self.ask(shelf, holder, message)
        if told["op"] == "lost":
            raise Refused(503, "The cluster could not be made; ask again.")
        if "error" in told:
            raise Refused(*told["error"])
        return told["clock"]

    async def _import(self, question: Question) -> Any:
        """A cluster from a file (see ``bring``): its clock. ``args``: ``name``, ``file``."""
        return await self._made_apart(bring.begin, question, {})

    async def _what_if(self, question: Question) -> Any:
        """A fork in which something did not happen (see ``whatif``): its clock. ``args``: ``name``, ``described``, ``without``."""
        now = await self.now(question.cluster)
        goal, _ = self.goal(question.at, now)
        if goal.exact:
            place = (await self.reach(question.cluster, now, goal, True)).place
            assert place is not None
            goal = Goal(place.now, place.delivered)
        more = {"cluster": question.cluster, "until": goal.now, "rate": now.mark.rate}
        return await self._made_apart(whatif.begin, question, more)

    async def _made_apart(self, work: Callable[..., Any], question: Question, more: dict[str, Any]) -> Any:
        """Have a process of its own make a cluster: its clock. Refused with what it says."""
        import_module(self.door)
        near, far = socket.socketpair()
        parent = os.getpid()
        message = {"call": question.call, "version": self.version, **question.args, **more}
        if os.fork() == 0:
            try:
                shed(far)
                work(far, parent, self.address, self.door, message)
            finally:
                os._exit(1)
        far.close()
        near.setblocking(False)
        channel, loop = Channel(near), asyncio.get_running_loop()
        future: asyncio.Future[dict[str, Any]] = loop.create_future()

        def hear() -> None:
            alive = channel.receive()
            for told in channel.messages():
                future.set_result(told)
            if not alive and not future.done():
                future.set_result({"error": [422, "That takes longer to run again, or more memory, than it may."]})

        loop.add_reader(near.fileno(), hear)
        try:
            told = await future
        finally:
            loop.remove_reader(near.fileno())
            channel.close()
        if "error" in told:
            raise Refused(*told["error"])
        return told["clock"]
