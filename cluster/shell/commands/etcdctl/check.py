"""``etcdctl check perf``: writes at a steady rate for a minute, and whether the member keeps up. In virtual time; nothing is measured of this machine.

Simplified here: the small workload alone (150 writes a second of 1,024 bytes for 60 s); larger ones are more than a line of the console may do, and ``check datascale`` measures the memory of a real process, which a simulated member has not. Both say so. Upstream: etcdctl/ctlv3/command/check.go.
"""

from cluster.shell.commands.etcdctl.keys import as_bytes
from cluster.shell.commands.etcdctl.talk import BAD_FEATURE, Failure, Talk, Talker
from cluster.shell.commands.etcdctl.usage import Line
from cluster.shell.effects import Etcd, Next, Sleep
from cluster.sim.clock import SECOND
from cluster.wire import etcd

_LOADS = {"s": "s", "small": "s", "m": "m", "medium": "m", "l": "l", "large": "l", "xl": "xl", "xLarge": "xl"}
RATE, SECONDS, KEYS, SIZE = 150, 60, 256, 1024


def perf(talk: Talker, line: Line) -> Talk:
    _load(
        line,
        f"a line of it may do --load=s ({RATE} writes/s for a minute); use a real etcdctl on the member's own port",
    )
    prefix = line.text("prefix")
    found = yield from talk.ask(
        etcd.RangeRequest(0, as_bytes(prefix), as_bytes(prefix[:-1] + chr(ord(prefix[-1]) + 1)), count_only=True)
    )
    if found.count:
        raise Failure(f'prefix "{prefix}" has keys. Delete with etcdctl del --prefix {prefix} first.', 3)
    member = talk.process(talk.endpoints[0]) if talk.endpoints else ""
    if not member:
        raise Failure("etcdclient: no available endpoints", 2)
    asked: dict[int, int] = {}
    began, bar = talk.ctx.now, ""
    for number in range(RATE * SECONDS):
        yield Sleep(max(began + number * SECOND // RATE - talk.ctx.now, 0))
        put = etcd.PutRequest(0, as_bytes(prefix) + b"%032d" % (number % KEYS), bytes(SIZE))
        asked[(yield Etcd(member, put, later=True)).id] = talk.ctx.now
        done = (talk.ctx.now - began) // SECOND
        now = f"\r {done} / {SECONDS} {100 * done / SECONDS:7.2f}%"
        if now != bar:
            bar = now
            talk.ctx.out(now)
    times: list[int] = []
    last = began
    for id_, at in asked.items():
        answer = yield Next(id_, talk.patience)
        if isinstance(answer.value, etcd.PutResponse):
            times.append(answer.now - at)
            last = max(last, answer.now)
    failed, took = len(asked) - len(times), max(last - began, SECONDS * SECOND) / SECOND
    yield from _after(talk, line, prefix)
    talk.ctx.out("\n")
    return _verdict(talk, times, failed, len(times) / took)


def _after(talk: Talker, line: Line, prefix: str) -> Talk:
    end = as_bytes(prefix[:-1] + chr(ord(prefix[-1]) + 1))
    last = yield from talk.ask(etcd.DeleteRangeRequest(0, as_bytes(prefix), end))
    if line.on("auto-compact"):
        yield from talk.ask(etcd.CompactionRequest(0, last.header.revision))
        talk.ctx.out(
            f"Compacting with revision {last.header.revision}\nCompacted with revision {last.header.revision}\n"
        )
    if line.on("auto-defrag"):
        for endpoint in talk.endpoints:
            talk.ctx.out(f'Defragmenting "{endpoint}"\n')
            yield from talk.ask(etcd.DefragmentRequest(0), endpoint)
            talk.ctx.out(f'Defragmented "{endpoint}"\n')


def _verdict(talk: Talker, times: list[int], failed: int, rate: float) -> int:
    ok = not failed
    if failed:
        talk.ctx.out("FAIL: too many errors\n")
        talk.ctx.out(f"FAIL: ERROR({DEADLINE}) -> {failed}\n")
    fast = rate > RATE * 0.9
    ok &= fast
    talk.ctx.out(
        f"{'PASS' if fast else 'FAIL'}: Throughput {'is' if fast else 'too low:'} {int(rate + 0.999)} writes/s\n"
    )
    slowest = max(times, default=0) / SECOND
    quick = slowest < 0.5
    ok &= quick
    talk.ctx.out(
        f"PASS: Slowest request took {slowest:.6f}s\n" if quick else f"Slowest request took too long: {slowest:.6f}s\n"
    )
    mean = sum(times) / max(len(times), 1)
    spread = (sum((each - mean) ** 2 for each in times) / max(len(times), 1)) ** 0.5 / SECOND
    even = spread < 0.1
    ok &= even
    talk.ctx.out(f"PASS: Stddev is {spread:.6f}s\n" if even else f"Stddev too high: {spread:.6f}s\n")
    talk.ctx.out("PASS\n" if ok else "FAIL\n")
    return 0 if ok else 1


DEADLINE = "context deadline exceeded"


def datascale(talk: Talker, line: Line) -> Talk:
    _load(line, "")
    raise Failure(
        "check datascale measures the memory of etcd's process, and a simulated member has none of its own; it is not in this laboratory",
        BAD_FEATURE,
    )
    yield


def _load(line: Line, why: str) -> None:
    load = line.text("load")
    if load not in _LOADS:
        raise Failure(f"unknown load option {load}", BAD_FEATURE)
    if _LOADS[load] != "s" and why:
        raise Failure(f"check perf --load={load} is not in this console: {why}", BAD_FEATURE)
