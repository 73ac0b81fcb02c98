"""Leader election by a Lease: of the copies of a control-plane component one works, the others wait.

The leader writes ``spec.renewTime`` every 2 s. A candidate reads the Lease every 2 to 4.4 s and compares it with what it
read before: if it hasn't *changed* for ``leaseDurationSeconds`` (15) by the candidate's own clock, the leader is taken
for dead and the candidate writes its own name; resourceVersion makes sure that one wins. A leader that could not renew for
10 s stops at once. Clocks are never compared between hosts.

In → ``campaign(out, namespace, name, identity)`` at boot; out → ``on_started_leading`` when the Lease is ours.

Simplified here: a leader that lost its Lease should exit and be restarted by its kubelet after a while; here the process
forgets everything and starts anew 10 s later (the kubelet's first restart back-off), under a new identity.

Upstream: k8s.io/client-go/tools/leaderelection/{leaderelection.go,resourcelock/leaselock.go}.
"""

from cluster.clientgo.store import Doc
from cluster.clientgo.workqueue import Queueing
from cluster.sim import SECOND, Outbox
from cluster.sim.clock import rfc3339_micro
from cluster.trace.notes import Effect
from cluster.wire.http import HttpCancel, HttpResponse

LEASE_DURATION = 15 * SECOND
RENEW_DEADLINE = 10 * SECOND
RETRY_PERIOD = 2 * SECOND
RESTART_DELAY = 10 * SECOND


class Electing(Queueing):
    """The fourth layer of ``ApiClient``."""

    def campaign(self, out: Outbox, namespace: str, name: str, identity: str) -> None:
        """Try to become the holder of the Lease ``namespace/name``, from now on for ever."""
        election = self.state.election
        election.namespace, election.name, election.identity = namespace, name, identity
        self._look_at_lease(out)

    @property
    def leading(self) -> bool:
        """Whether this process believes that it is the leader."""
        return self.state.election.leader

    def on_started_leading(self, now: int, out: Outbox) -> None:
        """The Lease is ours: begin to work."""

    # -- one attempt ----------------------------------------------------------------------------------------------

    def _lease_tick(self, now: int, out: Outbox) -> None:
        election = self.state.election
        if not election.identity:
            return
        if election.leader and now - election.renewed >= RENEW_DEADLINE:
            self._lost(out)
            return
        if election.busy:
            self._next_tick(out)
        elif election.leader and election.lease is not None:
            self._write_lease(election.lease, out)
        else:
            self._look_at_lease(out)

    def _next_tick(self, out: Outbox) -> None:
        # Candidates are jittered by up to 1.2 periods so that they don't knock at once (JitterFactor).
        jitter = 0 if self.state.election.leader else out.dice.below(RETRY_PERIOD * 12 // 10)
        out.timer("client/lease", RETRY_PERIOD + jitter, cause=0)

    def _lease_path(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.state.election.namespace}/leases"

    def _look_at_lease(self, out: Outbox) -> None:
        self.state.election.busy = True
        self._lease_request(out, "GET", f"{self._lease_path()}/{self.state.election.name}", None, "lease_read")
        self._next_tick(out)

    def _lease_request(self, out: Outbox, method: str, path: str, doc: Doc | None, then: str) -> None:
        out.cause = 0
        self.request(out, method, path, doc=doc, then=then, timeout=RENEW_DEADLINE // 2, throttle=False, detach=True)

    def lease_read(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """What the Lease says: nobody's, ours, somebody's who lives, or somebody's who doesn't."""
        election = self.state.election
        election.busy = False
        if response.code == 404:
            self._create_lease(out)
            return
        if response.code != 200:
            return
        self._observe(response.doc, now)
        spec = response.doc.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        duration = (spec.get("leaseDurationSeconds") or 0) * SECOND
        if holder and holder != election.identity and election.observed + duration > now:
            return
        self._write_lease(response.doc, out)

    def _observe(self, lease: Doc, now: int) -> None:
        election = self.state.election
        before = election.lease
        if before is None or before.get("spec") != lease.get("spec"):
            election.observed = now
        election.lease = lease

    def _create_lease(self, out: Outbox) -> None:
        election = self.state.election
        stamp = rfc3339_micro(self.config.epoch, self.now)
        election.busy = True
        doc = {
            "kind": "Lease",
            "apiVersion": "coordination.k8s.io/v1",
            "metadata": {"name": election.name, "namespace": election.namespace},
            "spec": {
                "holderIdentity": election.identity,
                "leaseDurationSeconds": LEASE_DURATION // SECOND,
                "acquireTime": stamp,
                "renewTime": stamp,
                "leaseTransitions": 0,
            },
        }
        self._lease_request(out, "POST", self._lease_path(), doc, "lease_written")

    def _write_lease(self, lease: Doc, out: Outbox) -> None:
        election = self.state.election
        stamp = rfc3339_micro(self.config.epoch, self.now)
        spec = lease.get("spec") or {}
        ours = spec.get("holderIdentity") == election.identity
        transitions = spec.get("leaseTransitions") or 0
        election.busy = True
        doc = {
            **lease,
            "spec": {
                "holderIdentity": election.identity,
                "leaseDurationSeconds": LEASE_DURATION // SECOND,
                "acquireTime": spec.get("acquireTime", stamp) if ours else stamp,
                "renewTime": stamp,
                "leaseTransitions": transitions if ours else transitions + 1,
            },
        }
        doc.setdefault("kind", "Lease")
        doc.setdefault("apiVersion", "coordination.k8s.io/v1")
        self._lease_request(out, "PUT", f"{self._lease_path()}/{election.name}", doc, "lease_written")
        if election.leader:
            self._next_tick(out)

    def lease_written(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """Our write was accepted: we lead, or go on leading. Or refused: somebody was quicker, or nobody answers."""
        election = self.state.election
        election.busy = False
        if response.code not in (200, 201):
            if response.code == 409:
                election.lease = None  # read it again next time
            return
        self._observe(response.doc, now)
        election.renewed = now
        if not election.leader:
            election.leader = True
            out.note(Effect("election", self.name, f"{election.identity} became leader of {election.name}."))
            self._event_elected(out)
            self.on_started_leading(now, out)
            self._next_tick(out)

    def _event_elected(self, out: Outbox) -> None:
        """The recorder layer writes the LeaderElection event."""

    def _lost(self, out: Outbox) -> None:
        """leaderelection lost: nothing this process remembers may be acted on any more."""
        election = self.state.election
        out.note(
            Effect("election", self.name, f"{election.identity} failed to renew {election.name} for 10 s and stops.")
        )
        watches = list(self.state.watches)
        self.state = self.fresh()
        for request_id in watches:
            out.send(self.config.server, HttpCancel(request_id), cause=0)
        out.timer("client/restart", RESTART_DELAY, cause=0)
