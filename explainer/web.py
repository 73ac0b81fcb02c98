"""``web``: Daphne with all our doors. ``python manage.py web`` (started by ``up``; several may run behind a proxy).

Listens on the web port first, and on the TLS and etcd ports as soon as the default cluster's keys exist.
"""

import asyncio
import logging
import os
import signal
import sys
from typing import Any

from explainer import config

log = logging.getLogger("clearplane.web")


def main(arguments: list[str]) -> int:
    """Run until told to stop."""
    settings = config.read()
    from daphne.server import twisted_loop  # first of all: it installs the asyncio reactor

    from explainer.asgi import application
    from explainer.gateway.server import CannotListenError, ClearplaneServer, Contexts
    from explainer.runs import bus as buses
    from explainer.runs.bus import Bus

    async def open_doors(server: Any, bus: Bus) -> None:
        await bus.start()
        pki = await bus.port_pki_when_made()
        contexts = Contexts(pki["server_cert"], pki["server_key"])
        try:
            server.listen_tls(contexts, settings.host, settings.api_port)
            for number, port in enumerate(config.etcd_ports(settings), 1):
                server.listen_etcd(number, bus, settings.host, port)
        except CannotListenError as error:
            log.critical("Port %s is taken: %s", error.port, error.socketError)
            server.failed = True
            server.stop()
            return
        keeper = Kubeconfigs(bus, contexts, settings)
        bus.changed.append(keeper.refresh)
        keeper.refresh()

    class Kubeconfigs:
        """Keeps ``var/kubeconfig`` and the TLS names in step with the clusters there are."""

        def __init__(self, bus: Bus, contexts: Contexts, settings: config.Config) -> None:
            self.bus, self.contexts, self.settings = bus, contexts, settings
            self.running: asyncio.Task[None] | None = None
            self.again = False

        def refresh(self) -> None:
            self.again = True
            if self.running is None or self.running.done():
                self.running = asyncio.ensure_future(self._write())

        async def _write(self) -> None:
            from explainer import pki
            from explainer.api.kubeconfig import make
            from explainer.gateway import kubeconfig
            from explainer.runs import clusters

            while self.again:
                self.again = False
                names = sorted(self.bus.known, key=lambda name: (name != clusters.DEFAULT, name))
                entries = []
                for name in names:
                    try:
                        keys = (await self.bus.spec(name)).pki
                        entries.append(await make(self.bus, name))
                    except (buses.Failed, ConnectionError):
                        continue
                    self.contexts.named[pki.sni(name).encode()] = Contexts.make(keys["server_cert"], keys["server_key"])
                current = entries[0].name if entries else '""'
                kubeconfig.write(self.settings.data / "kubeconfig", kubeconfig.text(entries, current))

    bus = buses.current()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    server = ClearplaneServer(
        application,
        endpoints=[f"tcp:port={settings.port}:interface={host.replace(':', chr(92) + ':')}"],
        signal_handlers=True,
        http_timeout=None,
        ping_interval=20,
        ping_timeout=30,
        websocket_timeout=-1,
        application_close_timeout=5,
        request_buffer_size=1 << 22,
        server_name="",
        verbosity=0,
    )
    server.failed = False
    loop = twisted_loop
    server.ready_callable = lambda: loop.call_soon(lambda: asyncio.ensure_future(open_doors(server, bus), loop=loop))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    server.run()
    logging.shutdown()
    sys.stdout.flush()
    os._exit(1 if server.failed or server.abort_start else 0)
