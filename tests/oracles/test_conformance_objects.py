"""What the conformance suite checks of the other kinds: networking, events, accounts, nodes, storage, in our own words."""

import base64
from typing import Any

import pytest

from tests.oracles.api_client import Api, eventually

POD_SPEC = {"containers": [{"name": "c", "image": "nginx:1.25"}]}
RULES = [{"host": "a", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "ingresses": ("/apis/networking.k8s.io/v1", {"spec": {"rules": RULES}}),
    "ingressclasses": ("/apis/networking.k8s.io/v1", {"spec": {"controller": "example.com/c"}}),
    "networkpolicies": ("/apis/networking.k8s.io/v1", {"spec": {"podSelector": {}}}),
    "endpointslices": ("/apis/discovery.k8s.io/v1", {"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.2.3"]}]}),
    "flowschemas": ("/apis/flowcontrol.apiserver.k8s.io/v1", {"spec": {"priorityLevelConfiguration": {"name": "global-default"}, "matchingPrecedence": 10000}}),
    "prioritylevelconfigurations": ("/apis/flowcontrol.apiserver.k8s.io/v1", {"spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 2, "limitResponse": {"type": "Reject"}}}}),
    "priorityclasses": ("/apis/scheduling.k8s.io/v1", {"value": 100}),
    "runtimeclasses": ("/apis/node.k8s.io/v1", {"handler": "h"}),
    "storageclasses": ("/apis/storage.k8s.io/v1", {"provisioner": "example.com/p"}),
    "csinodes": ("/apis/storage.k8s.io/v1", {"spec": {"drivers": [{"name": "d", "nodeID": "n"}]}}),
    "csidrivers": ("/apis/storage.k8s.io/v1", {"spec": {}}),
    "csistoragecapacities": ("/apis/storage.k8s.io/v1", {"storageClassName": "x"}),
    "volumeattachments": ("/apis/storage.k8s.io/v1", {"spec": {"attacher": "a", "nodeName": "node-1", "source": {"persistentVolumeName": "pv"}}}),
    "controllerrevisions": ("/apis/apps/v1", {"data": {"a": 1}, "revision": 1}),
    "podtemplates": ("/api/v1", {"template": {"spec": POD_SPEC}}),
    "limitranges": ("/api/v1", {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "2"}}]}}),
    "leases": ("/apis/coordination.k8s.io/v1", {"spec": {"holderIdentity": "h", "leaseDurationSeconds": 30}}),
    "serviceaccounts": ("/api/v1", {}),
    "secrets": ("/api/v1", {"data": {"k": base64.b64encode(b"v").decode()}}),
    "configmaps": ("/api/v1", {"data": {"k": "v"}}),
    "roles": ("/apis/rbac.authorization.k8s.io/v1", {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    "clusterroles": ("/apis/rbac.authorization.k8s.io/v1", {"rules": []}),
    "certificatesigningrequests": ("/apis/certificates.k8s.io/v1", {}),
    "poddisruptionbudgets": ("/apis/policy/v1", {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}),
    "validatingadmissionpolicies": ("/apis/admissionregistration.k8s.io/v1", {"spec": {"matchConstraints": {"resourceRules": [{"apiGroups": ["x.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}]}, "validations": [{"expression": "true"}]}}),
    "validatingadmissionpolicybindings": ("/apis/admissionregistration.k8s.io/v1", {"spec": {"policyName": "p", "validationActions": ["Deny"]}}),
    "horizontalpodautoscalers": ("/apis/autoscaling/v2", {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"}}}),
}  # fmt: skip
CLUSTER_WIDE = {
    "ingressclasses", "flowschemas", "prioritylevelconfigurations", "priorityclasses", "runtimeclasses", "storageclasses",
    "csinodes", "csidrivers", "volumeattachments", "clusterroles", "certificatesigningrequests",
    "validatingadmissionpolicies", "validatingadmissionpolicybindings",
}  # fmt: skip


def signing_request() -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "e2e")])
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


@pytest.mark.parametrize("plural", sorted(KINDS))
def test_every_operation_of_a_kind(api: Api, space: str, plural: str) -> None:
    root, body = KINDS[plural]
    if plural == "certificatesigningrequests":
        body = {"spec": {"request": signing_request(), "signerName": "example.com/x", "usages": ["digital signature"]}}
    where = f"{root}/{plural}" if plural in CLUSTER_WIDE else f"{root}{space.removeprefix('/api/v1')}/{plural}"
    chosen = f"{where}?labelSelector=special%3De2e"
    watch = api.watch(chosen)
    meta = {"labels": {"special": "e2e"}}
    for name in ("e2e-a", "e2e-b"):
        made = api.post(where, {"metadata": {"name": name, **meta}, **body})
        assert made["metadata"]["uid"] and made["metadata"]["resourceVersion"]
    assert [item["metadata"]["name"] for item in api.get(chosen)["items"]] == ["e2e-a", "e2e-b"]
    patched = api.patch(f"{where}/e2e-a", {"metadata": {"annotations": {"patched": "true"}}})
    assert patched["metadata"]["annotations"]["patched"] == "true"

    def replaced() -> bool:
        doc = api.get(f"{where}/e2e-a")
        doc["metadata"]["annotations"]["updated"] = "true"
        code, said = api.call("PUT", f"{where}/e2e-a", doc)
        assert code in (200, 409), said
        return code == 200

    eventually(replaced, "an update without a conflict")
    assert (
        api.get(f"{where}/e2e-a")["metadata"]["annotations"].items() >= {"patched": "true", "updated": "true"}.items()
    )
    api.delete(f"{where}/e2e-a")
    eventually(lambda: api.gone(f"{where}/e2e-a"), "one is gone")
    api.delete(chosen)
    eventually(lambda: not api.get(chosen)["items"], "the collection is gone")
    eventually(lambda: ("DELETED", "e2e-b") in set(watch.seen()), "the last event")
    kinds = {name: [kind for kind, n in watch.seen() if n == name] for name in ("e2e-a", "e2e-b")}
    assert kinds["e2e-a"][0] == "ADDED" and "MODIFIED" in kinds["e2e-a"]
    watch.close()


@pytest.mark.parametrize("group", ["/api/v1", "/apis/events.k8s.io/v1"])
def test_events(api: Api, space: str, group: str) -> None:
    where = f"{group}{space.removeprefix('/api/v1')}/events"
    namespace = space.rpartition("/")[2]
    if group == "/api/v1":
        body: dict[str, Any] = {
            "involvedObject": {"namespace": namespace},
            "reason": "Test",
            "message": "m",
            "type": "Normal",
        }
    else:
        body = {"regarding": {"namespace": namespace}, "reason": "Test", "note": "n", "type": "Normal", "action": "Do",
                "reportingController": "c", "reportingInstance": "i", "eventTime": "2026-01-01T00:00:00.000000Z"}  # fmt: skip
    api.post(where, {"metadata": {"name": "e", "labels": {"l": "e"}}, **body})
    text = "message" if group == "/api/v1" else "note"
    assert api.patch(f"{where}/e", {text: "patched"}, "strategic")[text] == "patched"
    assert len(api.get(f"{where}?labelSelector=l%3De")["items"]) == 1
    other = "/apis/events.k8s.io/v1" if group == "/api/v1" else "/api/v1"
    assert api.get(f"{other}{space.removeprefix('/api/v1')}/events/e")["reason"] == "Test"
    api.delete(f"{where}?labelSelector=l%3De")
    assert not api.get(f"{where}?labelSelector=l%3De")["items"]


def test_services_endpoints_and_slices(api: Api, space: str) -> None:
    slices = space.replace("/api/v1", "/apis/discovery.k8s.io/v1") + "/endpointslices"
    port = {"name": "http", "port": 80, "targetPort": "web"}
    api.post(f"{space}/services", {"metadata": {"name": "s"}, "spec": {"selector": {"a": "b"}, "ports": [port], "sessionAffinity": "ClientIP"}})  # fmt: skip
    assert api.get(f"{space}/services/s")["spec"]["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    eventually(lambda: not api.gone(f"{space}/endpoints/s"), "Endpoints")
    container = {"name": "c", "image": "nginx", "ports": [{"name": "web", "containerPort": 8080}]}
    api.post(f"{space}/pods", {"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"containers": [container]}})

    def addresses() -> list[tuple[str, int]]:
        subsets = api.get(f"{space}/endpoints/s").get("subsets") or ()
        return [(a["ip"], s["ports"][0]["port"]) for s in subsets for a in s.get("addresses") or ()]

    eventually(lambda: len(addresses()) == 1, "an address")
    assert addresses() == [(api.get(f"{space}/pods/p")["status"]["podIP"], 8080)]
    (found,) = api.get(f"{slices}?labelSelector=kubernetes.io/service-name%3Ds")["items"]
    assert found["endpoints"][0]["targetRef"]["name"] == "p" and found["ports"][0]["port"] == 8080
    changed = api.patch(f"{space}/services/s", {"spec": {"type": "NodePort"}})
    assert 30000 <= changed["spec"]["ports"][0]["nodePort"] <= 32767
    changed = api.patch(f"{space}/services/s", {"spec": {"type": "ExternalName", "externalName": "example.com", "clusterIP": "", "clusterIPs": None, "ports": None, "selector": None}})  # fmt: skip
    assert "clusterIP" not in changed["spec"] or not changed["spec"]["clusterIP"]
    changed = api.patch(f"{space}/services/s", {"spec": {"type": "ClusterIP", "externalName": None, "ports": [port]}})
    assert changed["spec"]["clusterIP"].startswith("10.")
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}}
    api.patch(f"{space}/services/s", {"spec": {"type": "LoadBalancer"}})
    assert (
        api.patch(f"{space}/services/s/status", status)["status"]["loadBalancer"]["ingress"][0]["ip"] == "203.0.113.1"
    )
    api.delete(f"{space}/services/s")
    eventually(lambda: api.gone(f"{space}/endpoints/s") and not api.get(f"{slices}?labelSelector=kubernetes.io/service-name%3Ds")["items"], "both gone")  # fmt: skip


def test_endpoints_written_by_hand_are_mirrored(api: Api, space: str) -> None:
    slices = (
        space.replace("/api/v1", "/apis/discovery.k8s.io/v1")
        + "/endpointslices?labelSelector=kubernetes.io/service-name%3Dm"
    )
    api.post(f"{space}/services", {"metadata": {"name": "m"}, "spec": {"ports": [{"port": 80}]}})
    subset = {"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}
    api.post(f"{space}/endpoints", {"metadata": {"name": "m"}, "subsets": [subset]})

    def mirrored() -> list[str]:
        return [a for s in api.get(slices)["items"] for e in s["endpoints"] or () for a in e["addresses"]]

    eventually(lambda: mirrored() == ["10.1.2.3"], "mirrored")
    api.patch(f"{space}/endpoints/m", {"subsets": [{**subset, "addresses": [{"ip": "10.1.2.4"}]}]})
    eventually(lambda: mirrored() == ["10.1.2.4"], "the change")
    api.delete(f"{space}/endpoints/m")
    eventually(lambda: not api.get(slices)["items"], "gone")


def test_tokens_and_accounts(api: Api, space: str) -> None:
    made = api.post(f"{space}/serviceaccounts/default/token", {"spec": {"expirationSeconds": 3600}})
    review = api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": made["status"]["token"]}})
    namespace = space.rpartition("/")[2]
    assert review["status"]["authenticated"] and review["status"]["user"]["username"] == f"system:serviceaccount:{namespace}:default"  # fmt: skip
    assert "ca.crt" in api.get(f"{space}/configmaps/kube-root-ca.crt")["data"]
    api.delete(f"{space}/configmaps/kube-root-ca.crt")
    eventually(lambda: not api.gone(f"{space}/configmaps/kube-root-ca.crt"), "published again")
    api.patch(f"{space}/configmaps/kube-root-ca.crt", {"data": {"ca.crt": "spoiled"}})
    eventually(lambda: api.get(f"{space}/configmaps/kube-root-ca.crt")["data"]["ca.crt"] != "spoiled", "put right")


def test_immutable_data(api: Api, space: str) -> None:
    for plural, kind, value in (("configmaps", "ConfigMap", "v"), ("secrets", "Secret", "dg==")):
        api.post(
            f"{space}/{plural}", {"kind": kind, "apiVersion": "v1", "metadata": {"name": "x"}, "data": {"k": value}}
        )
        api.patch(f"{space}/{plural}/x", {"immutable": True})
        for change in ({"data": {"k": "dw=="}}, {"immutable": False}):
            code, said = api.call("PATCH", f"{space}/{plural}/x", change, "application/merge-patch+json")
            assert code == 422 and "field is immutable when `immutable` is set" in said["message"]
        code, said = api.call("POST", f"{space}/{plural}", {"kind": kind, "apiVersion": "v1", "metadata": {"name": "e"}, "data": {"": value}})  # fmt: skip
        assert code == 422 and 'data[]: Invalid value: ""' in said["message"]
        api.delete(f"{space}/{plural}/x")


def test_runtime_classes_and_sysctls(api: Api, space: str) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {**POD_SPEC, "runtimeClassName": "no-such"}}
    code, said = api.call("POST", f"{space}/pods", pod)
    assert code == 403 and 'pod rejected: RuntimeClass "no-such" not found' in said["message"], said
    body = {
        "metadata": {"name": "e2e-heavy"},
        "handler": "runc",
        "overhead": {"podFixed": {"cpu": "10m", "memory": "1Mi"}},
    }
    api.post("/apis/node.k8s.io/v1/runtimeclasses", body)
    pod["spec"]["runtimeClassName"] = "e2e-heavy"

    def made() -> bool:
        code, said = api.call("POST", f"{space}/pods", pod)
        return code == 201 and said["spec"]["overhead"] == {"cpu": "10m", "memory": "1Mi"}

    eventually(made, "the class is known")
    context = {"sysctls": [{"name": "foo-", "value": "bar"}, {"name": "kernel.shmmax", "value": "100000000"}, {"name": "bar..", "value": "42"}]}  # fmt: skip
    code, said = api.call(
        "POST", f"{space}/pods", {"metadata": {"name": "s"}, "spec": {**POD_SPEC, "securityContext": context}}
    )
    assert code == 422
    assert 'spec.securityContext.sysctls[0].name: Invalid value: "foo-"' in said["message"], said
    assert 'spec.securityContext.sysctls[2].name: Invalid value: "bar.."' in said["message"]
    api.delete("/apis/node.k8s.io/v1/runtimeclasses/e2e-heavy")


def test_pods_run_through_their_lives(api: Api, space: str) -> None:
    init = [{"name": f"i{n}", "image": "busybox", "command": ["true"]} for n in (1, 2)]
    api.post(f"{space}/pods", {"metadata": {"name": "init"}, "spec": {**POD_SPEC, "initContainers": init}})
    never = {"restartPolicy": "Never", "initContainers": [{**init[0], "command": ["false"]}], **POD_SPEC}
    api.post(f"{space}/pods", {"metadata": {"name": "failing"}, "spec": never})
    eventually(lambda: api.get(f"{space}/pods/init")["status"]["phase"] == "Running", "running")
    states = api.get(f"{space}/pods/init")["status"]["initContainerStatuses"]
    assert [s["state"]["terminated"]["reason"] for s in states] == ["Completed", "Completed"]
    eventually(lambda: api.get(f"{space}/pods/failing")["status"]["phase"] == "Failed", "failed")
    assert "waiting" in api.get(f"{space}/pods/failing")["status"]["containerStatuses"][0]["state"]
    assert api.get(f"{space}/pods/init")["status"]["hostIP"]
    debug = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox", "command": ["sleep", "600"]}]}}
    api.patch(f"{space}/pods/init/ephemeralcontainers", debug, "strategic")
    eventually(
        lambda: (
            "running"
            in (api.get(f"{space}/pods/init")["status"].get("ephemeralContainerStatuses") or [{"state": {}}])[0][
                "state"
            ]
        ),
        "the debugger runs",
    )
    api.patch(f"{space}/pods/init", {"spec": {"activeDeadlineSeconds": 5}}, "strategic")
    eventually(
        lambda: api.get(f"{space}/pods/init")["status"].get("reason") == "DeadlineExceeded", "its deadline passed"
    )
    condition = {"type": "Mine", "status": "True"}
    api.post(f"{space}/pods", {"metadata": {"name": "p", "labels": {"x": "y"}}, "spec": POD_SPEC})
    patched = api.patch(f"{space}/pods/p/status", {"status": {"conditions": [condition]}}, "strategic")
    assert any(c["type"] == "Mine" for c in patched["status"]["conditions"])
    watch = api.watch(f"{space}/pods?labelSelector=x%3Dy")
    api.delete(f"{space}/pods?labelSelector=x%3Dy")
    eventually(lambda: ("DELETED", "p") in set(watch.seen()), "deleted")
    assert ("MODIFIED", "p") in set(watch.seen())
    watch.close()
