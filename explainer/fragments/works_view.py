"""What still works, in sentences: the ``works`` read model's lines with their verdict, reason and evidence in the reader's language."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from .names import span
from .particles import settle

OUTCOME = {"yes": "allow", "partly": "change", "no": "deny"}


def lines(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return ``[{key, title, outcome, word, said, evidence: [text]}]``."""
    words = {"yes": _("works"), "partly": _("partly"), "no": _("does not work")}
    return [
        {
            "key": row["key"],
            "title": title(row["key"]),
            "outcome": OUTCOME[row["verdict"]],
            "word": words[row["verdict"]],
            "said": settle(said(row)),
            "evidence": [settle(text) for text in evidence(row)],
        }
        for row in rows
    ]


def title(key: str) -> str:
    """Return the line's name."""
    return {
        "pods": _("Running Pods"),
        "rules": _("kube-proxy's rules"),
        "serializable": _("Serializable reads of etcd"),
        "linearizable": _("Linearizable reads of etcd"),
        "put": _("Writes to etcd"),
        "servers": _("Each apiserver by itself"),
        "watch": _("Watches"),
        "get": "kubectl get",
        "cached": _("get from the apiserver's cache"),
        "apply": "kubectl apply",
        "schedule": _("Scheduling of new Pods"),
        "failover": _("Failover of Pods"),
    }[key]


def said(row: dict[str, Any]) -> str:
    """Return one sentence: what came of it, and why."""
    key, why, facts = row["key"], row["why"], row["facts"]
    took = span(facts.get("tookMicros"))
    if key == "pods":
        return _pods(why, facts)
    if key == "rules":
        return _rules(row["verdict"], why, facts)
    if key in ("serializable", "linearizable", "put"):
        return _members(why, facts)
    if key == "servers":
        return _servers(why, facts)
    if key == "watch":
        return _watch(why, facts)
    if key == "schedule" and not why and not facts.get("tookMicros"):
        # It was ready before the slowest of the other requests was answered, so nobody looked at the clock.
        return _("A new Pod was bound to %(node)s and became ready.") % {"node": facts["node"]}
    if key == "schedule" and not why:
        return _("A new Pod was bound to %(node)s and ready after %(took)s.") % {"node": facts["node"], "took": took}
    if key == "failover" and not why:
        values = {"frm": facts["from"], "to": facts["to"], "took": took}
        return _("%(frm)s was switched off; its Pod ran again on %(to)s after %(took)s.") % values
    if not why:
        return _("Answered %(code)s after %(took)s.") % {"code": facts["code"], "took": took}
    return _failed(why, facts)


def _failed(why: str, facts: dict[str, Any]) -> str:
    took = span(facts.get("tookMicros"))
    if why == "silent":
        return _("No answer within 15 s.")
    if why == "refused":
        return _("No connection: %(said)s.") % {"said": facts["said"]}
    if why == "error":
        return _("Answered %(code)s after %(took)s: %(said)s") % {
            "code": facts["code"],
            "took": took,
            "said": facts["said"],
        }
    if why == "uncreated":
        return _("The Deployment for it could not even be created: %(reason)s") % {
            "reason": _failed(facts["how"], facts)
        }
    if why == "unmade":
        return _("The Deployment was stored, but no controller made a Pod of it within 30 s.")
    if why == "unscheduled":
        return _("The Pod exists, but nobody gave it a node.") + (f" {facts['said']}" if facts.get("said") else "")
    if why == "unstarted":
        return _("The Pod was bound to %(node)s, but did not become ready.") % {"node": facts.get("node", "")}
    return _("%(frm)s was switched off, and no other Pod was ready after %(took)s.") % {
        "frm": facts.get("from", ""),
        "took": took,
    }


def _pods(why: str, facts: dict[str, Any]) -> str:
    values = {"n": facts["running"], "kept": facts["kept"], "lost": facts["lostCount"]}
    if why == "none":
        return _("No kubelet runs a Pod.")
    if why == "lost":
        return (
            _("%(n)s run and went on running; %(lost)s more are said to run, but their host is down or cut off.")
            % values
        )
    return _("All %(n)s that run went on running for as long as it was tried.") % values


def _rules(verdict: str, why: str, facts: dict[str, Any]) -> str:
    values = {"service": facts["service"], "n": len(facts["nodes"])}
    if why == "nonode":
        return _("No kube-proxy runs.")
    if why == "noservice":
        return _("The rules are there; no Service has endpoints, so no packet could be sent.")
    if why == "dead":
        return _("No packet to %(service)s reaches an endpoint that runs.") % values
    if why == "stale":
        return (
            _(
                "Packets to %(service)s are still led, but some of them to endpoints that are gone: nobody rewrites the rules."
            )
            % values
        )
    if verdict == "partly":
        return _("Packets to %(service)s reach a running endpoint from some nodes only.") % values
    return _("On all %(n)s nodes that run, a packet to %(service)s reaches an endpoint that runs.") % values


def _members(why: str, facts: dict[str, Any]) -> str:
    if why == "nomember":
        return _("No member runs.")
    values = {"good": facts["good"], "asked": facts["asked"]}
    return _("%(good)s of the %(asked)s members that run answered with a value.") % values


def _servers(why: str, facts: dict[str, Any]) -> str:
    if why:
        return _("No apiserver runs.")
    values = {"good": facts["good"], "asked": facts["asked"]}
    return _("%(good)s of the %(asked)s apiservers that run answered a list from etcd.") % values


def _watch(why: str, facts: dict[str, Any]) -> str:
    values = {"open": facts["open"], "code": facts["code"]}
    if why == "quiet":
        return (
            _("%(open)s watches stay open and new ones are accepted, but no event came: there is nothing new to tell.")
            % values
        )
    if why == "old":
        return _("%(open)s watches stay open; a new one was not accepted.") % values
    if why:
        return _failed(why, facts)
    return _("A change was told to a new watch %(took)s after it was asked for.") % {
        "took": span(facts.get("eventMicros"))
    }


def evidence(row: dict[str, Any]) -> list[str]:
    """Return what was seen, a line each."""
    key, facts = row["key"], row["facts"]
    if key == "pods":
        return [_("%(pod)s: stored as Running, not run by any kubelet") % {"pod": pod} for pod in facts["lost"]]
    if key == "rules":
        pattern = _("%(node)s: %(verdict)s, %(alive)s of %(endpoints)s endpoints run, %(rules)s rules")
        return [pattern % node for node in facts["nodes"]]
    if "members" in facts:
        return [_member(member) for member in facts["members"]]
    if "servers" in facts:
        return [_server(server) for server in facts["servers"]]
    out = []
    if facts.get("code"):
        out.append(_("code %(code)s") % {"code": facts["code"]})
    if facts.get("said"):
        out.append(facts["said"])
    if facts.get("pod"):
        out.append(_("Pod %(pod)s") % {"pod": facts["pod"]})
    return out


def _server(server: dict[str, Any]) -> str:
    values = {**server, "took": span(server["tookMicros"])}
    if server["tookMicros"] is None:
        return _("%(server)s: no answer within 15 s") % values
    if server["code"] == 200:
        return _("%(server)s: answered after %(took)s") % values
    return _("%(server)s: “%(said)s” after %(took)s") % values


def _member(member: dict[str, Any]) -> str:
    values = {**member, "took": span(member["tookMicros"])}
    if not member["asked"]:
        return _("%(member)s: down, not asked") % values
    if member["ok"]:
        return _("%(member)s: revision %(revision)s after %(took)s") % values
    if member["tookMicros"] is None:
        return _("%(member)s: no answer within 15 s") % values
    return _("%(member)s: “%(said)s” after %(took)s") % values
