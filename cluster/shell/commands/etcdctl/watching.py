"""``etcdctl watch``: every change of a key or a range, as it comes, until Ctrl-C or until the member ends the watch.

``-- command`` runs a command of this console for each event, with ``ETCD_WATCH_KEY``, ``_VALUE``, ``_REVISION`` and ``_EVENT_TYPE``. A member that goes away
is asked again where the watch stood: nothing is told twice, nothing left out. Upstream: etcdctl/ctlv3/command/watch_command.go, client/v3/watch.go.
"""

from cluster.shell.commands.etcdctl import telling
from cluster.shell.commands.etcdctl.keys import as_bytes, range_end
from cluster.shell.commands.etcdctl.talk import BAD_ARGS, INTERRUPTED, INVALID_INPUT, Failure, Talk, Talker
from cluster.shell.commands.etcdctl.usage import Line
from cluster.shell.effects import Cancel, Etcd, Next, Sleep
from cluster.shell.interpreter import shell_words
from cluster.sim.clock import SECOND
from cluster.wire import etcd


def watch(talk: Talker, line: Line) -> Talk:
    if line.on("interactive"):
        raise Failure(
            "Error reading watch request line: EOF"
            if not talk.ctx.stdin
            else "interactive watches are not in this console: one watch a line",
            INVALID_INPUT,
        )
    words, command = line.words, []
    if line.dashes >= 0:
        words, command = words[: line.dashes], words[line.dashes :]
    elif len(words) > 2:
        words, command = words[:2], words[2:]
    if not words:
        raise Failure("bad number of arguments", BAD_ARGS)
    if len(words) > 1 and line.on("prefix"):
        raise Failure("`range_end` and `--prefix` are mutually exclusive", BAD_ARGS)
    request = etcd.WatchCreateRequest(
        0, as_bytes(words[0]) or b"\0", range_end(line, words[0], words[1:]), line.number("rev"), line.on("prev-kv")
    )
    start = request.start_revision
    while True:
        for endpoint in talk.endpoints:
            member = talk.process(endpoint)
            if not member:
                continue
            asked = etcd.WatchCreateRequest(0, request.key, request.range_end, start, request.prev_kv)
            first = yield Etcd(member, asked, talk.patience)
            if isinstance(first.value, etcd.EtcdError):
                raise Failure(first.value.message)
            if first.value is not None and not start:
                start = first.value.header.revision + 1  # where to go on if this member dies
            while first.stream:
                piece = yield Next(first.id)
                if piece.end or piece.value is None:
                    break
                answer = piece.value
                if answer.canceled:
                    yield Cancel(first.id)
                    return _canceled(talk, line, answer)
                if answer.events:
                    start = answer.events[-1].kv.mod_revision + 1
                    _show(talk, line, answer)
                    for event in answer.events if command else ():
                        yield from _execute(talk, command, answer, event)
        yield Sleep(SECOND)


def _show(talk: Talker, line: Line, answer: etcd.WatchResponse) -> None:
    match line.text("write-out"):
        case "json":
            talk.ctx.out(telling.dump(telling.watch(answer)))
        case "fields":
            talk.ctx.out(telling.watch_fields(answer))
        case _:
            hexed = line.on("hex")
            for event in answer.events:
                before = telling.pair(event.prev_kv, hexed) if event.prev_kv is not None else ""
                talk.ctx.out(f"{event.type}\n{before}{telling.pair(event.kv, hexed)}")


def _canceled(talk: Talker, line: Line, answer: etcd.WatchResponse) -> int:
    talk.ctx.err(f"watch was canceled ({answer.cancel_reason})\n")
    if line.text("write-out") in ("json", "fields"):
        _show(talk, line, answer)
    raise Failure("watch is canceled by the server", INTERRUPTED)


def _execute(talk: Talker, command: list[str], answer: etcd.WatchResponse, event: etcd.WatchEvent) -> Talk:
    if command[0] not in talk.ctx.machine.commands:
        raise Failure(f'command "{" ".join(command)}" error (exec: "{command[0]}": executable file not found in $PATH)')
    facts = {
        "REVISION": str(answer.header.revision), "EVENT_TYPE": f'"{event.type}"',
        "KEY": telling.quoted(event.kv.key), "VALUE": telling.quoted(event.kv.value),
    }  # fmt: skip
    env = " ".join(f"ETCD_WATCH_{name}={shell_words([value])}" for name, value in facts.items())
    yield from talk.ctx.run(f"{env} {shell_words(command)}")
