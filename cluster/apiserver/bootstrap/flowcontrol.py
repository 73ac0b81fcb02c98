"""API Priority and Fairness as a fresh server configures it: which requests form a flow, and how many seats each level has.

Upstream: apiserver/pkg/apis/flowcontrol/bootstrap/default.go, 1.32.
"""

from typing import Any

Doc = dict[str, Any]

_API_VERSION = "flowcontrol.apiserver.k8s.io/v1"
_AUTOUPDATE = {"apf.kubernetes.io/autoupdate-spec": "true"}


def _user(name: str) -> Doc:
    return {"kind": "User", "user": {"name": name}}


def _group(name: str) -> Doc:
    return {"kind": "Group", "group": {"name": name}}


def _accounts(name: str, namespace: str = "kube-system") -> Doc:
    return {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}}


def _resources(verbs: list[str], groups: list[str], resources: list[str], namespaces: list[str] | None = None) -> Doc:
    """``namespaces`` None: everywhere, cluster-scoped requests too."""
    doc: Doc = {"verbs": verbs, "apiGroups": groups, "resources": resources}
    if namespaces is None:
        return {**doc, "clusterScope": True, "namespaces": ["*"]}
    return {**doc, "namespaces": namespaces}


_ANY_URL = {"verbs": ["*"], "nonResourceURLs": ["*"]}
_ANY = ([_resources(["*"], ["*"], ["*"])], [_ANY_URL])
_EVERYONE = [_group("system:unauthenticated"), _group("system:authenticated")]
_LEADER = ["get", "create", "update"]


def _rule(subjects: list[Doc], resources: list[Doc], urls: list[Doc] | None = None) -> Doc:
    doc: Doc = {"subjects": subjects}
    if resources:
        doc["resourceRules"] = resources
    if urls:
        doc["nonResourceRules"] = urls
    return doc


def _schema(name: str, level: str, precedence: int, method: str, rules: list[Doc], now: str) -> Doc:
    spec: Doc = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence}
    if method:
        spec["distinguisherMethod"] = {"type": method}
    condition = {
        "type": "Dangling",
        "status": "False",
        "lastTransitionTime": now,
        "reason": "Found",
        "message": f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" and it exists',
    }
    return {
        "kind": "FlowSchema",
        "apiVersion": _API_VERSION,
        "metadata": {"name": name, "annotations": _AUTOUPDATE},
        "spec": {**spec, "rules": rules},
        "status": {"conditions": [condition]},
    }


def flow_schemas(now: str) -> list[Doc]:
    """The suggested and mandatory FlowSchemas; ``now`` (RFC 3339) dates their conditions."""
    user = "ByUser"
    leases = [_resources(_LEADER, ["coordination.k8s.io"], ["leases"], ["kube-system"])]
    election = [_user("system:kube-controller-manager"), _user("system:kube-scheduler")]
    probes = [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]
    node_high = [
        _resources(["*"], [""], ["nodes", "nodes/status"]),
        _resources(["*"], ["coordination.k8s.io"], ["leases"], ["*"]),
    ]
    return [
        _schema("exempt", "exempt", 1, "", [_rule([_group("system:masters")], *_ANY)], now),
        _schema("probes", "exempt", 2, "", [_rule(_EVERYONE, [], probes)], now),
        _schema(
            "system-leader-election",
            "leader-election",
            100,
            user,
            [_rule([*election, _accounts("*")], leases)],
            now,
        ),
        _schema(
            "endpoint-controller",
            "workload-high",
            150,
            user,
            [
                _rule(
                    [
                        _user("system:kube-controller-manager"),
                        _accounts("endpoint-controller"),
                        _accounts("endpointslicemirroring-controller"),
                    ],
                    [_resources(["get", "create", "update"], [""], ["endpoints"], ["*"])],
                )
            ],
            now,
        ),
        _schema("workload-leader-election", "leader-election", 200, user, [_rule([_accounts("*")], leases)], now),
        _schema("system-node-high", "node-high", 400, user, [_rule([_group("system:nodes")], node_high)], now),
        _schema("system-nodes", "system", 500, user, [_rule([_group("system:nodes")], *_ANY)], now),
        _schema(
            "kube-controller-manager",
            "workload-high",
            800,
            "ByNamespace",
            [_rule([_user("system:kube-controller-manager")], *_ANY)],
            now,
        ),
        _schema(
            "kube-scheduler",
            "workload-high",
            800,
            "ByNamespace",
            [_rule([_user("system:kube-scheduler")], *_ANY)],
            now,
        ),
        _schema(
            "kube-system-service-accounts",
            "workload-high",
            900,
            "ByNamespace",
            [_rule([_accounts("*")], *_ANY)],
            now,
        ),
        _schema(
            "service-accounts",
            "workload-low",
            9000,
            user,
            [_rule([_group("system:serviceaccounts")], *_ANY)],
            now,
        ),
        _schema("global-default", "global-default", 9900, user, [_rule(_EVERYONE, *_ANY)], now),
        _schema("catch-all", "catch-all", 10000, user, [_rule(_EVERYONE, *_ANY)], now),
    ]


def _limited(name: str, shares: int, lendable: int, queues: tuple[int, int, int] | None) -> Doc:
    response: Doc = {"type": "Reject"}
    if queues is not None:
        count, hand, length = queues
        response = {
            "type": "Queue",
            "queuing": {"queues": count, "handSize": hand, "queueLengthLimit": length},
        }
    limited = {"nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lendable}
    return _level(name, {"type": "Limited", "limited": limited})


def _level(name: str, spec: Doc) -> Doc:
    return {
        "kind": "PriorityLevelConfiguration",
        "apiVersion": _API_VERSION,
        "metadata": {"name": name, "annotations": _AUTOUPDATE},
        "spec": spec,
        "status": {},
    }


def priority_levels() -> list[Doc]:
    """The PriorityLevelConfigurations."""
    return [
        _level("exempt", {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}),
        _limited("catch-all", 5, 0, None),
        _limited("system", 30, 33, (64, 6, 50)),
        _limited("node-high", 40, 25, (64, 6, 50)),
        _limited("leader-election", 10, 0, (16, 4, 50)),
        _limited("workload-high", 40, 50, (128, 6, 50)),
        _limited("workload-low", 100, 90, (128, 6, 50)),
        _limited("global-default", 20, 50, (128, 6, 50)),
    ]
