"""The console actor: streams, Ctrl-C, type-ahead, lost connections, and lines that survive the loss of their generator."""

import pickle

import pytest

from cluster.shell.console import Console
from cluster.sim import PeerDown
from cluster.wire.http import HttpCancel, HttpChunk, HttpEnd, HttpRequest, HttpResponse
from tests.cluster.shell.harness import Shell

WATCH = "curl -sk https://127.0.0.1:6443/api/v1/pods?watch=1"


def silent(request: HttpRequest) -> None:
    return None


def opened(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.id, 200, stream=True)


@pytest.mark.parametrize("amnesia", [False, True])
def test_a_stream_is_shown_as_it_comes(amnesia: bool) -> None:
    shell = Shell(opened, amnesia=amnesia)
    result = shell.run(WATCH)
    assert result.code is None
    number = shell.requests[0].id
    shell.message(HttpChunk(number, b"one\n"))
    shell.message(HttpChunk(number, b"two\n"))
    assert result.stdout == "one\ntwo\n"
    shell.message(HttpEnd(number))
    assert result.code == 0
    assert result.done.requests == (number,)


@pytest.mark.parametrize("amnesia", [False, True])
def test_pieces_that_come_together_are_not_lost(amnesia: bool) -> None:
    def flood(request: HttpRequest) -> list:
        number = request.id
        return [opened(request), *(HttpChunk(number, b"%d\n" % i) for i in range(5)), HttpEnd(number)]

    assert Shell(flood, amnesia=amnesia).run(WATCH + " | tail -2").stdout == "3\n4\n"


@pytest.mark.parametrize("amnesia", [False, True])
def test_lines_flow_through_a_pipe_as_they_come(amnesia: bool) -> None:
    shell = Shell(opened, amnesia=amnesia)
    result = shell.run(WATCH + " | grep -v two | sed s/o/0/ | cut -c1-2")
    number = shell.requests[0].id
    for piece, shown in ((b"one\ntw", "0n\n"), (b"o\nthree\n", "0n\nth\n"), (b"four", "0n\nth\n")):
        shell.message(HttpChunk(number, piece))
        assert result.stdout == shown
    shell.message(HttpEnd(number))
    assert result.stdout == "0n\nth\nf0\n"
    assert result.code == 0


@pytest.mark.parametrize("amnesia", [False, True])
def test_who_has_enough_ends_the_watch(amnesia: bool) -> None:
    shell = Shell(opened, amnesia=amnesia)
    result = shell.run(WATCH + " | grep o | head -2; echo next")
    number = shell.requests[0].id
    shell.message(HttpChunk(number, b"one\nthree\n"))
    assert (result.stdout, result.code) == ("one\n", None)
    shell.message(HttpChunk(number, b"two\nfour\n"))
    assert (result.stdout, result.code) == ("one\ntwo\nnext\n", 0)
    assert shell.cancelled == [HttpCancel(number)]


def test_what_needs_the_end_waits_for_it() -> None:
    for tool, shown in (("wc -l", "2\n"), ("grep -c o", "2\n"), ("sort -r", "two\none\n"), ("tail -1", "two\n")):
        shell = Shell(opened)
        result = shell.run(f"{WATCH} | {tool}")
        number = shell.requests[0].id
        shell.message(HttpChunk(number, b"one\ntwo\n"))
        assert result.stdout == ""
        shell.message(HttpEnd(number))
        assert result.stdout == shown


def test_ctrl_c_ends_what_runs_and_closes_its_connection() -> None:
    shell = Shell(opened)
    result = shell.run("A=1; " + WATCH)
    shell.interrupt()
    assert result.code == 130
    assert shell.cancelled == [HttpCancel(shell.requests[0].id)]
    assert shell.run("echo $? $A").stdout == "130 1\n"


def test_lines_typed_ahead_wait() -> None:
    shell = Shell(silent)
    first = shell.run(WATCH)
    shell.run("echo later")
    assert first.code is None
    number = shell.requests[0].id
    result = shell.message(HttpResponse(number, 200, body=b"now\n"))
    assert result.stdout == "now\nlater\n"


def test_a_line_that_waits_survives_a_checkpoint() -> None:
    shell = Shell(silent)
    shell.run("A=$(echo before); " + WATCH + "; echo $A after")
    state = pickle.loads(pickle.dumps(shell.console.state))
    shell.console = Console("console", shell.config, state)
    result = shell._result
    shell.message(HttpResponse(shell.requests[0].id, 200, body=b"body\n"))
    assert result.stdout == "body\nbefore after\n"
    assert len(shell.requests) == 1


def test_a_dead_balancer_refuses() -> None:
    shell = Shell(silent)
    result = shell.run("curl -k https://127.0.0.1:6443/")
    shell.message(PeerDown("lb"))
    assert result.code == 7
    assert "Couldn't connect to server" in result.stderr
    refused = Shell().run("kubectl get pods")
    assert refused.stderr == (
        "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?\n"
    )
    assert refused.code == 1


def test_silence_is_given_up_on_after_a_while() -> None:
    from cluster.sim import Timer

    shell = Shell(silent)
    result = shell.run("kubectl version")
    number = shell.requests[0].id
    shell._deliver("console", Timer("patience/s", number))
    shell._settle()
    assert "i/o timeout" in result.stderr
    assert shell.cancelled == [HttpCancel(number)]


def test_status_is_plain() -> None:
    shell = Shell(silent)
    shell.run(WATCH)
    assert shell.console.status() == {"sessions": 1, "running": {"s": WATCH}}
