"""Events: short messages for people, attached to an object (client-go's record.EventRecorder).

In → the object, ``Normal`` or ``Warning``, a reason in CamelCase and a sentence; out → a core/v1 Event, or for a sentence
already said about the object a PATCH that counts it one up (correlation), so that a crash loop is one line.

Names are ``<object>.<hex of the nanosecond>``. Nobody waits for an Event: a failed write is forgotten.

Simplified here: no aggregation of similar messages ("combined from similar events") and no spam filter of 25 per source
and object; the memory is the last 512 events.

Upstream: k8s.io/client-go/tools/record/{event,events_cache}.go.
"""

from cluster.clientgo.leader_election import Electing
from cluster.clientgo.state import Recorded
from cluster.clientgo.store import Doc
from cluster.sim import SECOND, Outbox
from cluster.sim.clock import rfc3339, rfc3339_micro
from cluster.wire.http import HttpResponse

MEMORY = 512


def reference_to(doc: Doc, kind: str, api_version: str) -> Doc:
    """The involvedObject of an event about ``doc`` (its own kind may be missing in documents from lists)."""
    meta = doc["metadata"]
    reference = {"kind": kind, "name": meta["name"], "uid": meta.get("uid", ""), "apiVersion": api_version}
    if meta.get("namespace"):
        reference["namespace"] = meta["namespace"]
    if meta.get("resourceVersion"):
        reference["resourceVersion"] = meta["resourceVersion"]
    return reference


class Recording(Electing):
    """The fifth layer of ``ApiClient``."""

    def event(
        self, out: Outbox, about: Doc, event_type: str, reason: str, message: str, *, source: str, host: str = "",
        component: str = "",
    ) -> None:  # fmt: skip
        """Say ``message`` about the object reference ``about``; ``source`` is the component people see in FROM."""
        namespace = about.get("namespace") or "default"
        stamp = rfc3339(self.config.epoch, self.now)
        identity = "/".join((source, about["kind"], namespace, about["name"], about.get("uid", ""),
                             about.get("fieldPath", ""), event_type, reason, message))  # fmt: skip
        known = self.state.events.pop(identity, None)
        path = f"/api/v1/namespaces/{namespace}/events"
        if known is not None:
            known.count += 1
            self.state.events[identity] = known
            self.request(
                out, "PATCH", f"{path}/{known.name}", doc={"count": known.count, "lastTimestamp": stamp},
                content_type="application/strategic-merge-patch+json", then="event_counted", args=(identity,),
                component=component, detach=True, throttle=False,
            )  # fmt: skip
            return
        # a step takes no virtual time: two Events of one instant would share their name
        self.state.event_instant = max(self.now, self.state.event_instant + 1)
        name = f"{about['name']}.{self.config.epoch * SECOND + self.state.event_instant:x}"
        self._remember(identity, Recorded(name, namespace, 1, stamp))
        doc = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": about,
            "reason": reason,
            "message": message,
            "source": {"component": source, "host": host} if host else {"component": source},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "type": event_type,
            "eventTime": None,
            "reportingComponent": source,
            "reportingInstance": host,
        }
        self.request(out, "POST", path, doc=doc, then="event_written", component=component, detach=True, throttle=False)

    def event_v1(
        self, out: Outbox, regarding: Doc, event_type: str, reason: str, note: str, *, action: str, controller: str,
        instance: str, component: str = "",
    ) -> None:  # fmt: skip
        """The same in events.k8s.io/v1, as the scheduler does: repetitions become a ``series`` (client-go tools/events)."""
        namespace = regarding.get("namespace") or "default"
        stamp = rfc3339_micro(self.config.epoch, self.now)
        identity = "/".join((controller, action, reason, note, event_type, regarding["kind"], namespace,
                             regarding["name"], regarding.get("uid", "")))  # fmt: skip
        known = self.state.events.pop(identity, None)
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        if known is not None:
            known.count += 1
            self.state.events[identity] = known
            self.request(
                out, "PATCH", f"{path}/{known.name}",
                doc={"series": {"count": known.count, "lastObservedTime": stamp}},
                content_type="application/strategic-merge-patch+json", then="event_counted", args=(identity,),
                component=component, detach=True, throttle=False,
            )  # fmt: skip
            return
        name = self._event_name(regarding["name"])
        self._remember(identity, Recorded(name, namespace, 1, stamp))
        doc = {
            "kind": "Event",
            "apiVersion": "events.k8s.io/v1",
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": stamp,
            "reportingController": controller,
            "reportingInstance": instance,
            "action": action,
            "reason": reason,
            "regarding": regarding,
            "note": note,
            "type": event_type,
        }
        self.request(out, "POST", path, doc=doc, then="event_written", component=component, detach=True, throttle=False)

    def _event_name(self, about: str) -> str:
        self.state.last_event = max(self.state.last_event + 1, self.config.epoch * SECOND + self.now)
        return f"{about}.{self.state.last_event:x}"

    def _remember(self, identity: str, event: Recorded) -> None:
        self.state.events[identity] = event
        if len(self.state.events) > MEMORY:
            del self.state.events[next(iter(self.state.events))]

    def event_written(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """Nobody waits for it."""

    def event_counted(self, response: HttpResponse, identity: str, now: int, out: Outbox) -> None:
        """The Event to count up may have expired meanwhile (its TTL is an hour): say it afresh next time."""
        if response.code == 404:
            self.state.events.pop(identity, None)

    def _event_elected(self, out: Outbox) -> None:
        election = self.state.election
        about = {"kind": "Lease", "namespace": election.namespace, "name": election.name,
                 "apiVersion": "coordination.k8s.io/v1"}  # fmt: skip
        self.event(out, about, "Normal", "LeaderElection", f"{election.identity} became leader", source=self.kind)
