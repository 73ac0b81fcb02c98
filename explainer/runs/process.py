"""``runsim``: the process that runs clusters. One thread, one loop over all the clusters it holds a lease for.

It waits on sockets with its own deadline: each cluster's inbox is a blocking read on a connection of its own, and the
nearest virtual event says how long to wait at most. Started again after a crash it goes on from Redis; Redis gone, it
waits for it with everything in memory; asked to stop (SIGTERM), it takes a snapshot of each cluster first.
"""

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import time
from importlib import import_module
from typing import Any

from explainer.runs import clusters, journal, keys, lease, mail, resp
from explainer.runs.runner import Deleted, Runner

log = logging.getLogger("clearplane.runsim")

HOUSEKEEPING = 1.0
FEW = 20_000
"""Young objects that are looked through for cycles in one go, in about 10 ms."""
GATEWAYS = 5.0
BATCH = 512


class Held:
    """A cluster this process runs, and its inbox."""

    def __init__(self, runner: Runner, link: resp.Link) -> None:
        self.runner = runner
        self.link = link
        self.due = 0.0
        self.read = runner.cursor
        self.listen()

    def listen(self) -> None:
        """Ask for the next mail; the answer makes the socket readable."""
        self.fd = self.link.fileno()
        self.link.send("XREAD", "COUNT", BATCH, "BLOCK", 0, "STREAMS", keys.inbox(self.runner.name), self.read)

    def collect(self) -> list[tuple[str, bytes]]:
        """The mail that has arrived. Listens again."""
        reply = self.link.poll()
        if reply is None:
            return []
        arrived = [(entry[0].decode(), entry[1][1]) for entry in reply[0][1]]
        self.read = arrived[-1][0]
        self.listen()
        return arrived


class Process:
    """All the clusters of this process. ``name`` is the runner's name in leases."""

    def __init__(self, url: str, name: str, door: str = "cluster.lab", server: tuple[str, int] = ("127.0.0.1", 6443)):
        self.address = resp.Address(url)
        self.name = name
        self.door = door
        import_module(door)  # a world that can't be imported ends this process, not just a cluster
        self.server = server
        self.held: dict[str, Held] = {}
        self.broken: dict[str, None] = {}
        self.stopping = False
        self.poll: Any = None
        """What is waited for; None: it has changed."""
        self.link = self.connect()
        self.news = self._listen_for_news("$")

    def connect(self) -> resp.Link:
        """A working link; waits for Redis as long as it takes."""
        said = False
        while True:
            try:
                link = resp.Link(self.address)
                link.call("PING")
                return link
            except (OSError, resp.RedisError) as error:
                if not said and not self.stopping:
                    log.warning("waiting for Redis (%s)", error)
                said = True
                if self.stopping:
                    raise
                time.sleep(0.05)

    def reconnect(self) -> resp.Link:
        """The process's link, made anew if it broke."""
        try:
            self.link.call("PING")
        except (OSError, resp.RedisError):
            self.link.close()
            self.link = self.connect()
        return self.link

    def _listen_for_news(self, since: str) -> resp.Link:
        self.poll = None
        link = resp.Link(self.address)
        link.send("XREAD", "BLOCK", 0, "STREAMS", keys.CLUSTERS_LOG, since)
        return link

    # -- the loop -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until told to stop."""
        bell, ringer = socket.socketpair()
        bell.setblocking(False)
        ringer.setblocking(False)
        signal.set_wakeup_fd(ringer.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "stopping", True))
        housekeeping = gateways = 0.0
        while not self.stopping:
            now = time.monotonic()
            if now >= housekeeping:
                self._guard(self._housekeep)
                tidy()
                housekeeping = now + HOUSEKEEPING
            if now >= gateways:
                self._guard(self._look_for_dead_gateways)
                gateways = now + GATEWAYS
            ready = self._wait(bell, min((held.due for held in self.held.values()), default=housekeeping), housekeeping)
            if self.news.fileno() in ready:
                self._guard(self._read_news)
                housekeeping = 0.0
            now = time.monotonic()
            for held in list(self.held.values()):
                if held.due <= now or held.fd in ready:
                    self._turn(held, held.fd in ready)
        self._leave()

    def _wait(self, bell: socket.socket, due: float, housekeeping: float) -> frozenset[int]:
        if self.poll is None:
            self.poll = select.poll()
            for waited in (bell, self.news, *(held.link for held in self.held.values())):
                self.poll.register(waited, select.POLLIN)
        poll, due = self.poll, min(due, housekeeping)
        # poll counts whole milliseconds: the last fraction of one is slept, so that nothing is late by a millisecond.
        left = max(0.0, due - time.monotonic())
        whole = int(left * 1000)
        ready = poll.poll(whole)
        if not ready and left - whole / 1000 > 0 and whole < 5 and not self.stopping:
            time.sleep(max(0.0, min(due - time.monotonic(), 0.001)))
            ready = poll.poll(0)
        with contextlib.suppress(BlockingIOError):
            bell.recv(64)
        return frozenset(fd for fd, _ in ready)

    def _turn(self, held: Held, readable: bool) -> None:
        now = time.monotonic()
        arrived: list[tuple[str, bytes]] = []
        if readable:
            try:
                arrived = held.collect()
            except (OSError, resp.RedisError):
                held.link.close()
                held.link, self.poll = self.connect(), None
                held.listen()
        try:
            held.due = held.runner.turn(arrived, now) + time.monotonic()
        except Deleted:
            self._forget(held)
        except journal.Fenced:
            log.warning("cluster %s: another runner has taken over", held.runner.name)
            self._let_go(held)
        except Exception:
            log.exception("cluster %s: stopped by an error; its data is left alone", held.runner.name)
            self.broken[held.runner.name] = None
            self._say_broken(held.runner.name)
            self._let_go(held)

    def _guard(self, act: "object") -> None:
        try:
            act()  # type: ignore[operator]
        except (OSError, resp.RedisError) as error:
            log.warning("Redis: %s", error)
            if not self.stopping:
                self.reconnect()
                self.news.close()
                self.news = self._listen_for_news("$")

    # -- which clusters -------------------------------------------------------------------------------------------

    def ensure(self, options: clusters.Options) -> None:
        """Make that cluster unless it exists."""
        if not self.link.call("EXISTS", keys.spec(options.name)):
            url = clusters.server_url(options.name, *self.server)
            made = self.link.call("GET", keys.PKI)
            if made is None:
                self.link.call("SET", keys.PKI, mail.encode(clusters.make_pki(options)), "NX")
                made = self.link.call("GET", keys.PKI)
            spec = clusters.spec_bytes(options, url, mail.decode_any(made))
            self.link.pipeline(clusters.store_commands(options, spec))

    def _housekeep(self) -> None:
        for held in list(self.held.values()):
            if not lease.renew(self.link, held.runner.name, held.runner.journal.token):
                log.warning("cluster %s: another runner has taken over", held.runner.name)
                self._let_go(held)
        for name in sorted(row.decode() for row in self.link.call("HKEYS", keys.CLUSTERS)):
            if name not in self.held and name not in self.broken:
                self._take(name)

    def _take(self, name: str) -> None:
        token = lease.take(self.link, name, self.name)
        if token is None:
            return
        started = time.perf_counter()
        try:
            runner = Runner(name, self.link, token, self.door)
        except Deleted:
            lease.drop(self.link, name, token)
            return
        except Exception:
            log.exception("cluster %s: can't be run; its data is left alone", name)
            self.broken[name] = None
            self._say_broken(name)
            lease.drop(self.link, name, token)
            return
        runner.reconnect = self.reconnect
        if self.link.call("HDEL", keys.model(name), "trouble"):
            self.link.call("XADD", keys.CLUSTERS_LOG, "MAXLEN", "~", 1000, "*", "mended", name)
        self.held[name], self.poll = Held(runner, resp.Link(self.address)), None
        log.info(
            "cluster %s: running from %.3f virtual s (%.0f ms)",
            name, runner.lab.now / 1e9, (time.perf_counter() - started) * 1000,
        )  # fmt: skip

    def _say_broken(self, name: str) -> None:
        trouble = "The simulation of this cluster stopped with an error; see the log."
        self.link.call("HSET", keys.model(name), "trouble", trouble)
        self.link.call("XADD", keys.CLUSTERS_LOG, "MAXLEN", "~", 1000, "*", "broken", name)

    def _let_go(self, held: Held) -> None:
        self.poll = None
        held.link.close()
        held.runner.keeper.finish()
        del self.held[held.runner.name]

    def _forget(self, held: Held) -> None:
        name = held.runner.name
        self._let_go(held)
        outs = [keys.out(name, gateway) for gateway in held.runner.gateways()]
        self.link.call("DEL", *keys.every(name), *outs)
        log.info("cluster %s: deleted", name)

    def _read_news(self) -> None:
        reply = self.news.poll()
        if reply is not None:
            since = reply[0][1][-1][0].decode()
            self.news.send("XREAD", "BLOCK", 0, "STREAMS", keys.CLUSTERS_LOG, since)

    def _look_for_dead_gateways(self) -> None:
        for held in self.held.values():
            for gateway in held.runner.gateways():
                if not self.link.call("EXISTS", keys.gateway(gateway)):
                    held.runner.forget_gateway(gateway)
                    self.link.call("DEL", keys.out(held.runner.name, gateway))
                    held.due = 0.0

    def _leave(self) -> None:
        for held in list(self.held.values()):
            try:
                held.runner.keep()
                lease.drop(self.link, held.runner.name, held.runner.journal.token)
            except (OSError, resp.RedisError, journal.Fenced) as error:
                log.warning("cluster %s: no last snapshot (%s)", held.runner.name, error)


def tidy() -> None:
    """The collector's work, once a second.

    The world is plain data without cycles (a test counts them), so looking for some in it is for nothing: a tenth of the time and
    pauses of 0.1 s while many Pods are made. What little this process itself leaves behind is found in calm seconds.
    """
    if gc.get_count()[0] < FEW:
        gc.collect(0)
    else:
        gc.freeze()


def main(arguments: list[str]) -> int:
    """``runsim [--redis URL] [--name NAME] [--door MODULE] [--default]``."""
    import argparse
    from pathlib import Path

    from explainer import config
    from explainer.runs import embedded

    parser = argparse.ArgumentParser(prog="manage.py runsim", description="Run the simulated clusters.")
    parser.add_argument("--redis", default="", help="Redis URL (default: REDIS_URL or the private server)")
    parser.add_argument("--name", default="", help="this runner's name in leases (default: host and process id)")
    parser.add_argument("--door", default=os.environ.get("CLEARPLANE_DOOR", "cluster.lab"), help=argparse.SUPPRESS)
    parser.add_argument("--no-default", action="store_true", help="do not make the cluster demo")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    gc.disable()
    settings = config.read()
    name = given.name or f"{socket.gethostname()}-{os.getpid()}"
    process = Process(
        given.redis or embedded.url(Path(settings.data)), name, given.door, (settings.host, settings.api_port)
    )
    if not given.no_default:
        process.ensure(clusters.Options(name=clusters.DEFAULT, legacy_service_account_tokens=True))
    process.run()
    return 0
