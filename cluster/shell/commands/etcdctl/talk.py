"""How ``etcdctl`` reaches members: which endpoint is whose, how long it tries, and what it says when nobody answers.

``--endpoints`` takes addresses: ``127.0.0.1:2379`` is the member of the host one is logged in on (at the desk: the first, 2381 the second and so on, as this
product opens them), ``https://172.18.0.3:2379`` or ``cp-2:2379`` a host's member, ``m2`` a process by its name. A member that refuses the connection is dialled
again, and the next endpoint too, until ``--command-timeout`` (5 s) is over.

In → requests. Out → answers. Errors: ``Failure``, with etcdctl's exit status. Upstream: client/v3/client.go, etcdctl/ctlv3/command/global.go.
"""

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

from cluster.shell.commands.etcdctl.usage import Line
from cluster.shell.effects import Answer, Effect, Etcd, Sleep
from cluster.shell.interpreter import Context
from cluster.sim.clock import SECOND
from cluster.wire import etcd

ERROR, BAD_CONNECTION, INVALID_INPUT, BAD_FEATURE, INTERRUPTED, BAD_ARGS = 1, 2, 3, 4, 5, 128
DEFAULT = "127.0.0.1:2379"
DEADLINE = "context deadline exceeded"
_CODES = {2: "Unknown", 3: "InvalidArgument", 4: "DeadlineExceeded", 5: "NotFound", 8: "ResourceExhausted", 9: "FailedPrecondition",
          11: "OutOfRange", 12: "Unimplemented", 14: "Unavailable"}  # fmt: skip
Talk = Generator[Effect, Answer, Any]


class Failure(Exception):
    """``Error: …`` and the exit status."""

    def __init__(self, text: str, code: int = ERROR) -> None:
        super().__init__(text)
        self.code = code


class Talker:
    """One command line's conversation with members."""

    def __init__(self, ctx: Context, line: Line) -> None:
        self.ctx, self.line = ctx, line
        given = line.flags.get("endpoints", ctx.env.get("ETCDCTL_ENDPOINTS", DEFAULT))
        self.endpoints = [each for each in given.split(",") if each]
        self.patience = line.duration("command-timeout")

    def process(self, endpoint: str) -> str:
        """The member behind an endpoint; "" for nobody's."""
        config = self.ctx.config
        host, _, port = endpoint.removeprefix("https://").removeprefix("http://").rstrip("/").partition(":")
        if host in config.members:
            return host
        if host in ("127.0.0.1", "localhost"):
            here = next((login.member for login in config.logins if login.host == self.ctx.session.host), None)
            if here is not None:
                return here if port in ("", "2379") else ""
            place = (int(port) - 2379) / 2 if port.isdigit() else -1
            return config.members[int(place)] if place in range(len(config.members)) else ""
        if port not in ("", "2379"):
            return ""
        return next((login.member for login in config.logins if host in (login.host, login.address)), "")

    def ask(self, request: Any, endpoint: str = "", quiet: bool = False) -> Talk:
        """The answer of the first endpoint that has one. Failure; unless ``quiet`` the client's own log line goes before it."""
        endpoints = [endpoint] if endpoint else self.endpoints
        if not endpoints:
            raise Failure("etcdclient: no available endpoints", BAD_CONNECTION)
        end = self.ctx.now + self.patience
        why = f"{_CODES[4]} desc = {DEADLINE}"
        while True:
            for one in endpoints:
                member = self.process(one)
                left = end - self.ctx.now
                if left <= 0:
                    raise self._failed(endpoints[0], why, DEADLINE, quiet)
                if not member:
                    why = f'{_CODES[4]} desc = latest balancer error: last connection error: connection error: desc = "transport: Error while dialing dial tcp {_bare(one)}: connect: connection refused"'
                    continue
                answer = yield Etcd(member, request, left)
                if isinstance(answer.value, etcd.EtcdError):
                    error = answer.value
                    raise self._failed(
                        one, f"{_CODES.get(error.code, 'Unknown')} desc = {error.message}", error.message, quiet
                    )
                if answer.value is not None:
                    return answer.value
                if answer.error == "timeout":
                    raise self._failed(one, why, DEADLINE, quiet)
                why = f'{_CODES[4]} desc = latest balancer error: last connection error: connection error: desc = "transport: Error while dialing dial tcp {_bare(one)}: connect: connection refused"'
            yield Sleep(max(min(SECOND, end - self.ctx.now), 1))

    def _failed(self, endpoint: str, status: str, text: str, quiet: bool) -> Failure:
        if not quiet:
            self.ctx.err(
                f'{{"level":"warn","ts":"{self.stamp()}","logger":"etcd-client","caller":"v3@v3.5.26/retry_interceptor.go:63",'
                f'"msg":"retrying of unary invoker failed","target":"etcd-endpoints://0xc0000be000/{_bare(endpoint)}","attempt":0,'
                f'"error":{_json(f"rpc error: code = {status}")}}}\n'
            )
        return Failure(text)

    def stamp(self) -> str:
        """The virtual time as zap writes it."""
        micros = self.ctx.config.epoch * 1_000_000 + self.ctx.now // 1000
        return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def every(self) -> Talk:
        """``--cluster``: the client URLs of all members, sorted; else what ``--endpoints`` says."""
        if not self.line.on("cluster"):
            return self.endpoints
        answer = yield from self.ask(etcd.MemberListRequest(0))
        return sorted({url: None for member in answer.members for url in member.client_urls})


def _bare(endpoint: str) -> str:
    return endpoint.removeprefix("https://").removeprefix("http://").rstrip("/")


def _json(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
