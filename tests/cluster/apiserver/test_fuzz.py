"""Whatever is sent, the server answers, never with a 500 of its own making, and what it holds stays sound.

Seeded: every run throws the same. What may be a 500 in the real server too is in ``DOCUMENTED``.
"""

import json
import random
import re

import orjson
import pytest
from server_world import ADMIN, JANE, NOBODY, SECOND, Cluster

from cluster.api import scheme as schemes
from cluster.apiserver.handlers import dispatch
from cluster.wire.http import HttpRequest, TlsPeer

DOCUMENTED = re.compile(
    r"strconv\.ParseUint|unable to find api field|requested \[\{.*\}\] without impersonating|couldn't get version/kind"
    r"|Internal error occurred: jsonpatch|failed to create typed patch object|etcdserver: |resourceVersion should not be set"
)
"""Texts of answers that are a 500 in the real server as well."""

METHODS = [
    *["GET", "POST", "POST", "PUT", "PATCH", "PATCH", "DELETE"] * 6,
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "BREW",
    "get",
    "",
]
GROUPS = ["/api/v1", "/api/v1", "/apis/apps/v1", "/apis/batch/v1", "/apis/rbac.authorization.k8s.io/v1", "/apis",
          "/apis/nope/v1", "/api/v2", "/api", "/apis/events.k8s.io/v1", "/apis/authorization.k8s.io/v1",
          "/apis/apiextensions.k8s.io/v1", "/apis/coordination.k8s.io/v1", "/apis/autoscaling/v2",
          "/apis/policy/v1", "/apis/networking.k8s.io/v1", "/apis/discovery.k8s.io/v1", "/apis/storage.k8s.io/v1"]  # fmt: skip
RESOURCES = ["pods", "services", "configmaps", "secrets", "deployments", "jobs", "cronjobs", "roles", "clusterroles", "nodes",
             "namespaces", "events", "serviceaccounts", "endpoints", "leases", "selfsubjectaccessreviews", "bindings",
             "customresourcedefinitions", "statefulsets", "daemonsets", "replicasets", "resourcequotas", "limitranges",
             "poddisruptionbudgets", "ingresses", "networkpolicies", "endpointslices", "persistentvolumeclaims",
             "persistentvolumes", "storageclasses", "horizontalpodautoscalers", "clusterrolebindings", "rolebindings",
             "componentstatuses", "replicationcontrollers", "watch", "*", "", "%2e%2e", "\u00e4"]  # fmt: skip
NAMES = [
    "a",
    "default",
    "kubernetes",
    "A_b",
    "x" * 300,
    "a%00b",
    "..",
    ".",
    "%",
    "%zz",
    "a/b",
    "",
    "kube-system",
    "a:b:c",
    "\U0001f600",
]
SUBRESOURCES = ["status", "scale", "log", "exec", "attach", "portforward", "proxy", "proxy/x/y", "binding", "eviction", "token",
                "finalize", "ephemeralcontainers", "approval", "nope", "resize"]  # fmt: skip
PARAMETERS = ["limit", "continue", "resourceVersion", "resourceVersionMatch", "labelSelector", "fieldSelector", "watch",
              "timeoutSeconds", "dryRun", "fieldManager", "fieldValidation", "force", "gracePeriodSeconds", "pretty",
              "propagationPolicy", "orphanDependents", "sendInitialEvents", "allowWatchBookmarks", "container", "follow",
              "tailLines", "sinceSeconds", "includeObject", "command", "stdin", "previous", "limitBytes", "timeout"]  # fmt: skip
VALUES = ["", "0", "1", "-1", "true", "false", "All", "Orphan", "Foreground", "99999999999999999999", "1e3", "NaN", "a=b", "a in (b", "a!=b,c",
          "metadata.name=a", "spec.nodeName=", "!x", "a,,b", "%ff", "%00", "Exact", "NotOlderThan", "Strict", "\u00e4", "x" * 5000,
          "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiYVx1MDAwMCJ9", "bnVsbA", "W10", "(((", "a in (" + ",".join("abcdef") + ")"]  # fmt: skip
MEDIA = ["application/json", "application/json", "application/json", "application/yaml", "text/plain", "", "application/json; charset=x",
         "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
         "application/apply-patch+yaml", "application/vnd.kubernetes.protobuf", "a/b/c", ";;;"]  # fmt: skip
ACCEPTS = ["application/json", "*/*", "text/html", "application/json;as=Table;v=v1;g=meta.k8s.io", ";;,,", "application/yaml",
           "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "application/json;as=Table", "application/vnd.kubernetes.protobuf",
           "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"]  # fmt: skip
KINDS = [("v1", "Pod"), ("v1", "Service"), ("v1", "ConfigMap"), ("apps/v1", "Deployment"), ("batch/v1", "Job"), ("v1", "Namespace"),
         ("rbac.authorization.k8s.io/v1", "Role"), ("v1", "Secret"), ("", ""), ("v1", "List"), (7, []), ("a/b/c", "Pod"),
         ("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("autoscaling/v1", "Scale"), ("policy/v1", "Eviction"), ("v1", "Binding"),
         ("apps/v1", "StatefulSet"), ("networking.k8s.io/v1", "Ingress"), ("batch/v1", "CronJob"), ("v1", "DeleteOptions")]  # fmt: skip
FIELDS = ["metadata", "spec", "status", "data", "name", "namespace", "labels", "annotations", "template", "containers", "image", "ports", "port",
          "replicas", "selector", "matchLabels", "rules", "subjects", "roleRef", "finalizers", "ownerReferences", "managedFields", "uid",
          "resourceVersion", "generateName", "deletionTimestamp", "creationTimestamp", "type", "clusterIP", "nodePort", "resources",
          "limits", "cpu", "memory", "volumes", "schedule", "versions", "schema", "openAPIV3Schema", "names", "group", "scope", "kind",
          "apiVersion", "target", "op", "path", "value", "preconditions", "gracePeriodSeconds", "dryRun", "env", "stringData", "\u0000",
          "$patch", "$setElementOrder/x", "$retainKeys", "$deleteFromPrimitiveList/x"]  # fmt: skip
LEAVES = [None, True, False, 0, -1, 1, 2**31, 2**63, 2**70, 1.5, 1e300, "", "a", "A_B", "x" * 300, "100m", "-5Gi", "1e1000", "2020-01-01T00:00:00Z",
          "\u0000", "\ud7ff", "10.96.0.1", "999.1.1.1", "0/5 * * * *", "replace", "/spec/replicas", "/metadata/-", "/", "~2", [], {}, [[]], [None]]  # fmt: skip
RAW = [b"", b"{", b"null", b"[]", b"7", b'"x"', b"\xff\xfe", b"{}{}", b"a: b: c", b"- a\n- b", b"&a [*a]", b"a: &a [*a, *a]", b"!!python/object:os.x {}",
       b'{"a":1,"a":2}', b"[" * 5000, b'{"a":' * 3000 + b"1" + b"}" * 3000, b"NaN", b"{\"a\": NaN}", b"k8s\x00\x0a\xff\xff\xff\x7f", b"k8s\x00", b"k8s\x00" + bytes(range(256)),
       b"x: 2020-01-01", b"? {a: b}\n: c", b"x: .nan", b"\t", b"%YAML 9.9\n---\na: b", b"---\na: 1\n---\nb: 2", b'{"metadata":"\\ud800"}']  # fmt: skip
SERVED = sorted(schemes.builtin().resources(), key=lambda r: (r.group, r.version, r.plural))
OWN_NAMES = ["a", "p", "kubernetes", "default", "b"]
ODD_PATHS = ["/", "", "//", "/healthz/nope", "/livez?verbose", "/metrics", "/openapi/v3/x", "/openapi/v2", "/version/", "/apis/", "/api/",
             "/%2e%2e/etc", "/a" * 4000, "*", "/\u00e4", "/.well-known/openid-configuration", "/openid/v1/jwks", "/debug/pprof", "/logs",
             "/api/v1/namespaces//pods", "/api/v1//pods", "x"]  # fmt: skip
TOKENS = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    "Bearer a.b.c",
    "Bearer eyJhbGciOiJub25lIn0.e30.",
    "Basic YTpi",
    "\u00e4",
    "Bearer " + "A" * 9000,
]


def value(die: random.Random, depth: int) -> object:
    """Something JSON-like."""
    kind = die.random()
    if depth <= 0 or kind < 0.35:
        return die.choice(LEAVES)
    if kind < 0.8:
        return {die.choice(FIELDS): value(die, depth - 1) for _ in range(die.randrange(5))}
    return [value(die, depth - 1) for _ in range(die.randrange(4))]


def body(die: random.Random, kind_of: tuple[object, object] | None) -> bytes:
    """Garbage, a random document, or a good one with a wound."""
    kind = die.random()
    if kind < 0.08:
        return die.choice(RAW)
    if kind < 0.1:
        return die.randbytes(die.randrange(60))
    if kind < 0.15:
        return text(value(die, 4))
    doc: dict = {"metadata": {"name": die.choice(OWN_NAMES if kind_of else NAMES)}, "spec": value(die, 5)}
    if kind_of and die.random() < 0.9:
        doc["apiVersion"], doc["kind"] = kind_of
        if doc["kind"] in GOOD:
            return text(wounded(die, doc["kind"]))
        if die.random() < 0.5:
            del doc["spec"]
    elif kind < 0.8:
        doc["apiVersion"], doc["kind"] = die.choice(KINDS)
    if kind > 0.6:
        doc[die.choice(FIELDS)] = value(die, 4)
    return text(doc)


POD = {
        "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80, "name": "http"}],
                        "env": [{"name": "E", "value": "v"}, {"name": "F", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2"}},
                        "livenessProbe": {"httpGet": {"port": 80, "path": "/"}, "periodSeconds": 3},
                        "volumeMounts": [{"name": "v", "mountPath": "/v"}], "securityContext": {"runAsUser": 1}}],
        "volumes": [{"name": "v", "emptyDir": {}}], "tolerations": [{"key": "k", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}]}}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "t", "whenUnsatisfiable": "DoNotSchedule"}],
        "nodeSelector": {"a": "b"}, "restartPolicy": "Always",
    }  # fmt: skip
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
GOOD: dict[object, dict] = {
    "Pod": {"spec": POD},
    "Deployment": {"spec": {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE,
                            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}}}},
    "ReplicaSet": {"spec": {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE}},
    "DaemonSet": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "StatefulSet": {"spec": {"serviceName": "s", "selector": SELECTOR, "template": TEMPLATE}},
    "Job": {"spec": {"completions": 2, "parallelism": 1, "template": {"spec": {**POD, "restartPolicy": "Never"}}}},
    "CronJob": {"spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}}}},
    "Service": {"spec": {"type": "NodePort", "selector": {"a": "b"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}},
    "ConfigMap": {"data": {"k": "v"}, "binaryData": {"b": "AAEC"}},
    "Secret": {"type": "Opaque", "data": {"k": "djE="}, "stringData": {"s": "t"}},
    "Role": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["a"]}]},
    "ClusterRole": {"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}], "aggregationRule": {"clusterRoleSelectors": [SELECTOR]}},
    "RoleBinding": {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"},
                    "subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"},
                                 {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]},
    "ResourceQuota": {"spec": {"hard": {"pods": "3", "requests.cpu": "2", "count/configmaps": "90"}}},
    "LimitRange": {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "2"}}]}},
    "PodDisruptionBudget": {"spec": {"minAvailable": "50%", "selector": SELECTOR}},
    "Ingress": {"spec": {"rules": [{"host": "a.b", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {
        "service": {"name": "s", "port": {"number": 80}}}}]}}], "tls": [{"hosts": ["a.b"], "secretName": "t"}]}},
    "NetworkPolicy": {"spec": {"podSelector": SELECTOR, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 80}]}]}},
    "Node": {"spec": {"podCIDR": "10.244.9.0/24", "taints": [{"key": "k", "effect": "NoSchedule"}]},
             "status": {"capacity": {"cpu": "2"}, "conditions": [{"type": "Ready", "status": "True"}]}},
    "PersistentVolume": {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}},
    "PersistentVolumeClaim": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
                                         "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {
                                             "type": "Utilization", "averageUtilization": 50}}}]}},
    "CustomResourceDefinition": {"metadata": {"name": "as.b.c"}, "spec": {"group": "b.c", "scope": "Namespaced", "names": {
        "plural": "as", "singular": "a", "kind": "A", "listKind": "AList", "shortNames": ["aa"]}, "versions": [{
            "name": "v1", "served": True, "storage": True, "subresources": {"status": {}, "scale": {
                "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
            "additionalPrinterColumns": [{"name": "R", "type": "integer", "jsonPath": ".spec.replicas"}],
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "replicas": {"type": "integer", "minimum": 0, "default": 1}, "x": {"type": "array", "items": {"type": "string"}}}}}}}}]}},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80, "name": "x"}]},
    "Endpoints": {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
    "Event": {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "R", "message": "m", "type": "Normal", "count": 1},
    "Lease": {"spec": {"holderIdentity": "h", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}},
    "SubjectAccessReview": {"spec": {"user": "u", "groups": ["g"], "resourceAttributes": {"verb": "get", "resource": "pods"}}},
    "SelfSubjectRulesReview": {"spec": {"namespace": "default"}},
    "TokenReview": {"spec": {"token": "a.b.c", "audiences": ["x"]}},
    "TokenRequest": {"spec": {"audiences": ["x"], "expirationSeconds": 3600, "boundObjectRef": {"kind": "Pod", "name": "p"}}},
    "Scale": {"spec": {"replicas": 3}},
    "Binding": {"target": {"kind": "Node", "name": "n1"}},
    "Eviction": {"deleteOptions": {"gracePeriodSeconds": 1}},
    "PriorityClass": {"value": 7, "description": "d"},
    "StorageClass": {"provisioner": "x/y", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
    "CertificateSigningRequest": {"spec": {"request": "LS0tLS1CRUdJTg==", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}},
}  # fmt: skip


def wounded(die: random.Random, kind: object) -> dict:
    """A good object, in which most often one place is something else."""
    meta = {"name": die.choice(OWN_NAMES), "labels": {"a": "b"}, "annotations": {"x": "y"}}
    doc = orjson.loads(orjson.dumps({"kind": kind, "metadata": meta, **GOOD[kind]}))
    doc["apiVersion"] = next((r.api_version for r in SERVED if r.kind == kind), "v1")
    if die.random() < 0.3:
        return doc
    place: object = doc
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))  # type: ignore[call-overload, arg-type]
        if not keys:
            return doc
        key = die.choice(keys)
        inner = place[key]  # type: ignore[index]
        if not isinstance(inner, (dict, list)) or die.random() < 0.15:
            place[key] = value(die, 2)  # type: ignore[index]
            return doc
        place = inner


def text(doc: object) -> bytes:
    """``doc`` as JSON, whatever numbers it has."""
    return json.dumps(doc).encode("utf-8", "surrogatepass")


def aim(die: random.Random) -> tuple[str, str, tuple[object, object] | None]:
    """(method, path, kind of the body): mostly something that is served."""
    method = die.choice(METHODS)
    if die.random() < 0.08:
        return method, die.choice(ODD_PATHS), None
    if die.random() < 0.15:
        found = die.choice(GROUPS)
        if die.random() < 0.6:
            found += f"/namespaces/{die.choice(NAMES)}"
        found += f"/{die.choice(RESOURCES)}"
        if die.random() < 0.6:
            found += f"/{die.choice(NAMES)}"
            if die.random() < 0.4:
                found += f"/{die.choice(SUBRESOURCES)}"
        return method, found, None
    resource = die.choice(SERVED)
    found = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    if resource.namespaced:
        found += "/namespaces/default"
    found += f"/{resource.plural}"
    verbs, kind = resource.verbs, (resource.api_version, resource.kind)
    subs = resource.subresources
    if subs and die.random() < 0.3:
        sub = die.choice(sorted(subs, key=lambda s: s.name))
        verbs = sub.verbs
        found += f"/{die.choice(OWN_NAMES)}/{sub.name}"
        group = sub.group or resource.group
        kind = (f"{group}/{sub.version or resource.version}" if group else resource.version, sub.kind or resource.kind)
        verb = die.choice(sorted(verbs))
    else:
        verb = die.choice(sorted(verbs))
        if verb in ("get", "update", "patch", "delete"):
            found += f"/{die.choice(OWN_NAMES)}"
    if die.random() < 0.9:
        method = {
            "create": "POST",
            "update": "PUT",
            "patch": "PATCH",
            "delete": "DELETE",
            "deletecollection": "DELETE",
        }.get(verb, "GET")
        if verb == "deletecollection" and die.random() < 0.9:
            method = "GET"
    return method, found, kind


def query(die: random.Random) -> str:
    """A few parameters."""
    if die.random() < 0.75:
        return ""
    return "&".join(f"{die.choice(PARAMETERS)}={die.choice(VALUES)}" for _ in range(die.randrange(1, 4)))


def throw(cluster: Cluster, die: random.Random) -> HttpRequest:
    """One request, sent."""
    cluster.world.state.ids += 1
    method, path, kind = aim(die)
    rows = [("user-agent", die.choice(["fuzz/1", "", "curl/8", "\u0000", "kubectl/" + "9" * 150]))]
    for name, values in (("content-type", MEDIA), ("accept", ACCEPTS)):
        if die.random() < 0.1:
            rows.append((name, die.choice(values)))
        elif name == "content-type":
            rows.append((name, "application/json" if method != "PATCH" else die.choice(MEDIA[7:11])))
    if die.random() < 0.01:
        rows.append(("authorization", die.choice(TOKENS)))
    if die.random() < 0.01:
        rows.append(
            (
                die.choice(["impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-x"]),
                die.choice(NAMES),
            )
        )
    peer = die.choice([*[ADMIN] * 80, JANE, NOBODY, TlsPeer(error="certificate has expired"),
                       TlsPeer(common_name="system:node:n1", organizations=("system:nodes",))])  # fmt: skip
    request = HttpRequest(cluster.world.state.ids, method, path, query(die), tuple(rows),
                          body(die, kind) if die.random() < 0.7 else b"", None, peer, "10.0.0.9:1")  # fmt: skip
    cluster.world.post("outside:fuzz", "kube-apiserver-cp-1", request)
    return request


@pytest.mark.parametrize("seed", range(4))
def test_the_server_answers_whatever_is_sent(seed: int) -> None:
    cluster, die = Cluster(), random.Random(seed)
    cluster.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    for name in ("a", "kubernetes"):
        cluster.ask("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}, "data": {"k": "v"}})
    sent = []
    for _ in range(500):
        sent.append(throw(cluster, die))
        cluster.run(SECOND // 50)
    cluster.run(130 * SECOND)
    for request in sent:
        answer = cluster.answers.get(request.id)
        shown = (request.method, request.path[:200], request.query[:200], request.headers, request.body[:300])
        assert answer is not None, f"no answer to {shown}"
        assert 200 <= answer.code <= 504, (answer.code, shown)
        if answer.code == 500 and request.method != "HEAD":
            said = answer.body.decode("utf-8", "replace")
            assert DOCUMENTED.search(said), (said[:500], shown)
    sound(cluster)


def sound(cluster: Cluster) -> None:
    """What is stored can be listed and is well formed; nothing of the requests is left behind."""
    actor = cluster.world.actors["kube-apiserver-cp-1"]
    for name, cache in actor.state.caches.items():
        assert cache.ready, name
        assert cache.keys == sorted(cache.items), name
        for key, item in cache.items.items():
            meta = item.doc["metadata"]
            held = f"{meta['namespace']}/{meta['name']}" if cache.namespaced else meta["name"]
            assert (held, meta["resourceVersion"]) == (key, str(item.revision))
            assert meta["uid"] and meta["creationTimestamp"]
    assert not [job for job in actor.state.jobs.values() if not job.streaming]
    assert not actor.state.calls and all(seats >= 0 for seats in actor.state.seats.values())
    assert cluster.ask("GET", "/readyz") == (200, "ok")
    assert cluster.ask("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "after"}})[0] == 201
    cluster.world.checkpoint()


def test_a_mistake_of_the_program_costs_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("oops")

    cluster = Cluster()
    monkeypatch.setitem(dispatch.VERBS, "get", broken)
    code, said = cluster.ask("GET", "/api/v1/namespaces/default")
    assert (code, said) == (500, "This request caused apiserver to panic. Look in the logs for details.\n")
    panic = next(stage for stage in cluster.notes.stages if stage.name == "panic")
    assert panic.reason == "KeyError: 'oops'" and "test_fuzz" in panic.source
    monkeypatch.undo()
    assert cluster.ask("GET", "/api/v1/namespaces/default")[0] == 200
    sound(cluster)
