"""API priority and fairness: which flow a request belongs to, and whether a seat is free for it.

In → the user and what is asked; out → ``Flow``: the first FlowSchema (by matchingPrecedence, then name) whose rules match,
and its priority level. A level has a share of the server's concurrency; each request being executed holds a seat.

Simplified here: there are no queues and a request always finds a seat, because one step of the simulation executes
it at once; the seats in use are counted and shown. Objects missing (a server just started): the mandatory ``catch-all``.

Upstream: apiserver/pkg/util/flowcontrol (v1.32).
"""

from typing import Any

from cluster.apiserver.authorization import Attributes
from cluster.apiserver.job import Flow
from cluster.apiserver.user import service_account_name
from cluster.apiserver.view import View

SCHEMAS = "flowschemas.flowcontrol.apiserver.k8s.io"
LEVELS = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"
_KEY = "priority-and-fairness"
_REMEMBER = 20_000


class _Index:
    """Schemas in matching order, seats by level, and what was decided before. Derived from two watch caches."""

    def __init__(self, view: View) -> None:
        self.generation = view.generation(SCHEMAS, LEVELS)
        self.schemas = sorted(
            view.list(SCHEMAS), key=lambda s: (s["spec"].get("matchingPrecedence", 1000), s["metadata"]["name"])
        )
        self.levels = {level["metadata"]["name"]: level for level in view.list(LEVELS)}
        total = view.config.max_requests_inflight + view.config.max_mutating_requests_inflight
        shares = {name: _shares(level) for name, level in self.levels.items()}
        whole = sum(shares.values()) or 1
        self.seats = {name: -(-total * share // whole) for name, share in shares.items()}
        self.known: dict[Any, Flow] = {}


def classify(attributes: Attributes, view: View) -> tuple[Flow, int]:
    """The flow, and how many seats its level has (0: unlimited, an exempt level)."""
    index = view.derived.get(_KEY)
    if index is None or index.generation != view.generation(SCHEMAS, LEVELS):
        index = view.derived[_KEY] = _Index(view)
    user = attributes.user
    key = (user.name, user.groups, attributes.verb, attributes.group, attributes.full_resource, attributes.namespace,
           attributes.path if not attributes.is_resource else "")  # fmt: skip
    flow = index.known.get(key)
    if flow is None:
        if len(index.known) >= _REMEMBER:
            index.known.clear()
        flow = index.known[key] = _classify(attributes, index)
    level = index.levels.get(flow.level)
    exempt = level is None or level["spec"].get("type") == "Exempt"
    return flow, 0 if exempt else index.seats.get(flow.level, 0)


def _classify(attributes: Attributes, index: _Index) -> Flow:
    for schema in index.schemas:
        if any(_rule_matches(rule, attributes) for rule in schema["spec"].get("rules") or ()):
            level_name = schema["spec"]["priorityLevelConfiguration"]["name"]
            level = index.levels.get(level_name)
            level_uid = level["metadata"]["uid"] if level is not None else ""
            return Flow(schema["metadata"]["name"], level_name, schema["metadata"]["uid"], level_uid)
    return Flow("catch-all", "catch-all")


def _shares(level: dict[str, Any]) -> int:
    limited = level["spec"].get("limited") or level["spec"].get("exempt") or {}
    return int(limited.get("nominalConcurrencyShares", 0 if level["spec"].get("type") == "Exempt" else 30))


def _rule_matches(rule: dict[str, Any], attributes: Attributes) -> bool:
    if not any(_subject_matches(subject, attributes) for subject in rule.get("subjects") or ()):
        return False
    if attributes.is_resource:
        return any(_resource_matches(r, attributes) for r in rule.get("resourceRules") or ())
    return any(
        ("*" in r["verbs"] or attributes.verb in r["verbs"])
        and any(_path_matches(url, attributes.path) for url in r["nonResourceURLs"])
        for r in rule.get("nonResourceRules") or ()
    )


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("/*") and path.startswith(pattern[:-1]))


def _subject_matches(subject: dict[str, Any], attributes: Attributes) -> bool:
    user, kind = attributes.user, subject["kind"]
    if kind == "User":
        return subject["user"]["name"] in ("*", user.name)
    if kind == "Group":
        return subject["group"]["name"] == "*" or subject["group"]["name"] in user.groups
    account = service_account_name(user.name)
    wanted = subject["serviceAccount"]
    return account is not None and account[0] == wanted["namespace"] and wanted["name"] in ("*", account[1])


def _resource_matches(rule: dict[str, Any], attributes: Attributes) -> bool:
    if "*" not in rule["verbs"] and attributes.verb not in rule["verbs"]:
        return False
    if "*" not in rule["apiGroups"] and attributes.group not in rule["apiGroups"]:
        return False
    if "*" not in rule["resources"] and attributes.full_resource not in rule["resources"]:
        return False
    if not attributes.namespace:
        return bool(rule.get("clusterScope"))
    namespaces = rule.get("namespaces") or ()
    return "*" in namespaces or attributes.namespace in namespaces
