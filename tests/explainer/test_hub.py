"""The hub: however many join at once, there is one reader, and everybody gets every frame once, in order."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from explainer.sockets import consumers
from explainer.sockets.hub import Hub
from tests.loops import run


class Stream:
    """A Redis stream of one cluster, as far as the hub asks."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self.news = asyncio.Condition()

    async def add(self, number: int) -> None:
        async with self.news:
            self.rows.append([b"%d-1" % number, [b"f", b'{"cursor":"%d"}' % number]])
            self.news.notify_all()

    async def call(self, command: str, *arguments: Any) -> Any:
        await asyncio.sleep(0)
        if command == "XREVRANGE":
            return self.rows[-1:]
        if command == "XRANGE":  # the oldest, or everything after a frame
            return self.rows[:1] if arguments[1] == "-" else self._after(int(arguments[1][1:].partition("-")[0]))
        assert command == "XREAD", command
        after = int(arguments[-1].partition("-")[0])
        async with self.news:
            await self.news.wait_for(lambda: self._after(after))
            return [[b"events", self._after(after)]]

    def _after(self, number: int) -> list[list[Any]]:
        return [row for row in self.rows if int(row[0].partition(b"-")[0]) > number]

    def close(self) -> None:
        pass


class Bus:
    """A bus with one cluster, ``demo``."""

    def __init__(self) -> None:
        self.stream, self.opened, self.known, self.changed = Stream(), 0, {"demo": {}}, []
        self.watching: Any = None

    async def open(self) -> Stream:
        self.opened += 1
        await asyncio.sleep(0)
        return self.stream

    async def call_redis(self, *arguments: Any) -> Any:
        return await self.stream.call(*arguments)

    def send(self, *what: Any) -> None:
        pass


class Looker:
    def __init__(self, broken: bool = False) -> None:
        self.texts: list[str] = []
        self.broken = broken

    async def frame(self, text: str) -> None:
        await asyncio.sleep(0)
        if self.broken:
            raise ConnectionError("gone")
        self.texts.append(text)

    async def room(self) -> None:
        """There always is."""


def frames(first: int, last: int) -> list[str]:
    return [f'{{"cursor":"{number}"}}' for number in range(first, last + 1)]


async def settle() -> None:
    for _ in range(10_000):
        await asyncio.sleep(0)


def test_two_hundred_join_at_once_and_there_is_one_reader() -> None:
    async def go() -> None:
        bus = Bus()
        hub = Hub(bus)  # type: ignore[arg-type]
        await bus.stream.add(7)
        lookers = [Looker() for _ in range(200)]
        await asyncio.gather(*(hub.join("demo", looker, None) for looker in lookers))
        assert bus.opened == 1
        for number in range(8, 20):
            await bus.stream.add(number)
        await settle()
        assert all(looker.texts == frames(8, 19) for looker in lookers)
        for looker in lookers:
            hub.leave("demo", looker)
        assert hub.channels == {}

    run(go())


def test_who_comes_while_frames_go_out_misses_and_doubles_nothing() -> None:
    async def go() -> None:
        bus = Bus()
        hub = Hub(bus)  # type: ignore[arg-type]
        await bus.stream.add(1)
        first, late = Looker(), [Looker() for _ in range(30)]
        await hub.join("demo", first, None)
        joins = []
        for number in range(2, 32):
            await bus.stream.add(number)
            joins.append(asyncio.ensure_future(hub.join("demo", late[number - 2], 1)))
            await asyncio.sleep(0)
        await asyncio.gather(*joins)
        await settle()
        assert first.texts == frames(2, 31)
        assert [looker.texts for looker in late] == [frames(2, 31)] * 30

    run(go())


def test_the_last_one_leaving_does_not_take_the_channel_from_one_who_comes() -> None:
    async def go() -> None:
        bus = Bus()
        hub = Hub(bus)  # type: ignore[arg-type]
        await bus.stream.add(1)
        old, new = Looker(), Looker()
        await hub.join("demo", old, None)
        joining = asyncio.ensure_future(hub.join("demo", new, 0))
        await asyncio.sleep(0)
        hub.leave("demo", old)
        await joining
        await bus.stream.add(2)
        await settle()
        assert new.texts[-1:] == frames(2, 2)

    run(go())


def test_one_who_is_gone_does_not_take_the_others_frames() -> None:
    async def go() -> None:
        bus = Bus()
        hub = Hub(bus)  # type: ignore[arg-type]
        await bus.stream.add(1)
        gone, there = Looker(broken=True), Looker()
        await hub.join("demo", gone, None)
        await hub.join("demo", there, None)
        await bus.stream.add(2)
        await bus.stream.add(3)
        await settle()
        assert there.texts == frames(2, 3) and gone not in hub.channels["demo"].listeners

    run(go())


class Slow(consumers.EventsConsumer):
    """A consumer whose client reads nothing until somebody empties ``transport.dataBuffer``."""

    def __init__(self) -> None:
        self.transport = SimpleNamespace(connected=True, dataBuffer=b"", offset=0, _tempDataLen=0)
        self.scope: Any = {"clearplane.request": SimpleNamespace(transport=self.transport)}
        self.cluster = "demo"
        self.codes: list[int] = []

    async def send(self, text_data: str = "", bytes_data: bytes = b"", close: bool = False) -> None:  # type: ignore[override]
        self.transport._tempDataLen += len(text_data)

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        self.codes.append(int(code or 0))


def test_what_is_kept_for_a_client_that_does_not_read_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        bus = Bus()
        hub = Hub(bus)  # type: ignore[arg-type]
        await bus.stream.add(1)
        slow, quick = Slow(), Looker()
        monkeypatch.setattr(consumers, "WAITING", 100)
        await hub.join("demo", slow, None)
        await hub.join("demo", quick, None)
        for number in range(2, 40):
            await bus.stream.add(number)
        await settle()
        assert slow.codes == [4408] and slow.transport._tempDataLen <= 100 + len(frames(2, 2)[0])
        assert quick.texts == frames(2, 39) and hub.counts() == {"demo": 1}

    run(go())


def test_who_catches_up_is_given_time_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        bus = Bus()
        hub = Hub(bus)  # type: ignore[arg-type]
        for number in range(1, 40):
            await bus.stream.add(number)
        slow, most = Slow(), 0
        monkeypatch.setattr(consumers, "WAITING", 100)
        joining = asyncio.ensure_future(hub.join("demo", slow, 1))
        while not joining.done():
            most = max(most, consumers.waiting(slow.scope))
            slow.transport._tempDataLen = 0
            await asyncio.sleep(0)
        assert slow.codes == [] and most <= 100 + len(frames(2, 2)[0]) and hub.counts() == {"demo": 1}

    run(go())
