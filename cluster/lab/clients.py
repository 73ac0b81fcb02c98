"""Clients outside: a real kubectl's requests, and the lines of the browser's console.

A request becomes one envelope from ``outside:<connection>`` to the balancer; what comes back to that address is put together
here: a head (``HttpOut``), pieces (``HttpDataOut``), or a broken connection (``HttpResetOut``).
"""

from typing import Any

import orjson

from cluster.lab.door import Door
from cluster.lab.inputs import ConsoleIn, ConsoleInterruptIn, HttpCloseIn, HttpDataIn, HttpIn
from cluster.lab.outputs import HttpDataOut, HttpOut, HttpResetOut
from cluster.wire.console import ConsoleDone, ConsoleInterrupt, ConsoleLine, ConsoleOutput
from cluster.wire.http import HttpCancel, HttpChunk, HttpEnd, HttpRequest, HttpReset, HttpResponse

CONSOLE = "outside:console"


def request(door: Door, item: HttpIn) -> None:
    """A request sets out for the balancer."""
    balancer = door.process("lb")
    number = door.number()
    door.state.streams[number] = (item.conn, item.stream)
    door.state.ids[(item.conn, item.stream)] = number
    message = HttpRequest(
        number, item.method, item.path, item.query, item.headers, item.body, None, item.peer, item.remote
    )
    door.world.post(f"outside:{item.conn}", balancer, message)


def data(door: Door, item: HttpDataIn) -> None:
    """More bytes follow it, if it is still open."""
    number = door.state.ids.get((item.conn, item.stream))
    if number is not None:
        door.world.post(f"outside:{item.conn}", "lb", HttpChunk(number, item.data, channel=item.channel), number)


def close(door: Door, item: HttpCloseIn) -> None:
    """Nobody waits for its answer any more."""
    number = door.state.ids.pop((item.conn, item.stream), None)
    if number is not None:
        door.state.streams.pop(number, None)
        door.world.post(f"outside:{item.conn}", "lb", HttpCancel(number), number)


def console(door: Door, item: ConsoleIn) -> None:
    """A line for the console's shell."""
    shell = door.process("console")
    door.world.post(CONSOLE, shell, ConsoleLine(door.expect(item.call), item.session, item.line))


def interrupt(door: Door, item: ConsoleInterruptIn) -> None:
    """Ctrl-C for the console's shell."""
    door.world.post(CONSOLE, door.process("console"), ConsoleInterrupt(item.session))


ACTS = {
    HttpIn: request,
    HttpDataIn: data,
    HttpCloseIn: close,
    ConsoleIn: console,
    ConsoleInterruptIn: interrupt,
}


def answered(door: Door, now: int, message: Any) -> bool:
    """``message`` of the balancer or the console came back; False: it isn't one of theirs."""
    match message:
        case HttpResponse():
            _head(door, message)
        case HttpChunk():
            _piece(door, message)
        case HttpEnd(number, error) | HttpReset(number, error):
            _ended(door, number, error)
        case ConsoleOutput(number, _, stdout, stderr, requests):
            door.answer(number, {"stdout": stdout, "stderr": stderr, "requests": list(requests), "done": False})
        case ConsoleDone(number, _, code, requests):
            doc = {
                "exitCode": code,
                "requests": list(requests),
                "more": message.more,
                "clear": message.clear,
                "startMicros": (message.started if message.started >= 0 else now) // 1000,
                "endMicros": now // 1000,
                "done": True,
            }
            door.answer(number, doc)
        case _:
            return False
    return True


def _head(door: Door, message: HttpResponse) -> None:
    where = door.state.streams.get(message.id)
    if where is None:
        return
    body = message.body or (orjson.dumps(message.doc) if message.doc is not None else b"")
    door.world.absorb(b"%d " % message.code + body)
    door.outputs.append(HttpOut(*where, message.code, message.headers, body, not message.stream, message.id))
    if not message.stream:
        _forget(door, message.id)


def _piece(door: Door, message: HttpChunk) -> None:
    where = door.state.streams.get(message.id)
    if where is not None:
        line = message.data or (orjson.dumps(message.doc) + b"\n" if message.doc is not None else b"")
        door.world.absorb(line)
        door.outputs.append(HttpDataOut(*where, line, message.channel, False))


def _ended(door: Door, number: int, error: str) -> None:
    where = door.state.streams.get(number)
    if where is not None:
        _forget(door, number)
        door.outputs.append(HttpResetOut(*where, error) if error else HttpDataOut(*where, b"", -1, True))


def _forget(door: Door, number: int) -> None:
    where = door.state.streams.pop(number, None)
    if where is not None:
        door.state.ids.pop(where, None)
