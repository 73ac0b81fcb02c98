"""kubectl against recordings of the real one: the same documents in, the same text out."""

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from cluster.api.scheme import builtin
from cluster.apiserver import table
from cluster.apiserver.printers.text import unix
from cluster.wire.http import HttpChunk, HttpEnd, HttpResponse
from tests.cluster.shell.fake import Fake
from tests.cluster.shell.harness import EPOCH, KUBECONFIG, Shell

DATA = Path(__file__).parent / "data"


class Loader(yaml.SafeLoader):
    """Times stay texts."""


Loader.yaml_implicit_resolvers = {
    key: [each for each in found if each[0] != "tag:yaml.org,2002:timestamp"]
    for key, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def recorded(name: str) -> str:
    return (DATA / f"{name}.txt").read_text()


def document(name: str) -> dict[str, Any]:
    return yaml.load(recorded(name), Loader=Loader)


PODS = builtin().resource("", "v1", "pods")
POD = document("f23-get-pod-yaml")
DEPLOYMENT = document("f42-get-deploy-yaml")
SERVICE = document("f08-get-svc-yaml")
BORN = unix(POD["metadata"]["creationTimestamp"])


def event(reason: str, source: str, message: str) -> dict[str, Any]:
    metadata = {"name": f"kubia.{reason}", "namespace": "default"}
    times = {"firstTimestamp": "2026-11-23T03:56:06Z", "lastTimestamp": "2026-11-23T03:56:06Z", "count": 1}
    about = {"kind": "Pod", "name": "kubia", "namespace": "default"}
    return {
        "apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": about, "reason": reason, "message": message,
        "source": {"component": source}, "type": "Normal", **times,
    }  # fmt: skip


EVENTS = [
    event("Scheduled", "default-scheduler", "Successfully assigned default/kubia to node-2"),
    event("Pulling", "kubelet", 'Pulling image "nginx:1.25"'),
    event(
        "Pulled",
        "kubelet",
        'Successfully pulled image "nginx:1.25" in 0s (0s including waiting). Image size: 0 bytes.',
    ),
    event("Created", "kubelet", "Created container: main"),
    event("Started", "kubelet", "Started container main"),
]


def shell(*docs: dict[str, Any]) -> Shell:
    made = Shell(Fake(list(docs), BORN + 1))
    made.now = int(BORN + 1 - EPOCH) * 1_000_000_000
    return made


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("f21-get-pod", "kubectl get po"),
        ("f22-get-pod-wide", "kubectl get po kubia -o wide"),
        ("f23-get-pod-yaml", "kubectl get po kubia -o yaml"),
        ("f25-describe-pod", "kubectl describe po kubia"),
        (
            "f26-jsonpath",
            "kubectl get po kubia -o jsonpath='{.metadata.name} {.spec.containers[*].image} {.status.phase} "
            '{.status.qosClass}{"\\n"}\'',
        ),
        (
            "f27-custom-columns",
            "kubectl get po -o custom-columns=NAME:.metadata.name,IMG:.spec.containers[0].image,NODE:.spec.nodeName,"
            "NOPE:.spec.nope",
        ),
        ("f11-api-resources", "kubectl api-resources"),
        ("f12-api-resources-verbs", "kubectl api-resources --namespaced=true --verbs=list,create -o name"),
        ("f13-api-versions", "kubectl api-versions"),
        ("f14-explain-pod", "kubectl explain pod"),
        ("f15-explain-field", "kubectl explain deployment.spec.strategy"),
        ("f16-explain-recursive", "kubectl explain service.spec --recursive"),
    ],
)
def test_output_is_as_recorded(name: str, line: str) -> None:
    result = shell(POD, *EVENTS).run(line)
    assert result.stdout == recorded(name), result.stderr


def test_json_is_indented_by_four_and_sorted() -> None:
    text = shell(POD).run("kubectl get po kubia -o json").stdout
    assert orjson.loads(text) == POD
    assert text.startswith(
        '{\n    "apiVersion": "v1",\n    "kind": "Pod",\n    "metadata": {\n        "creationTimestamp"'
    )


def test_describe_service_is_as_recorded() -> None:
    slices = {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "kubernetes", "namespace": "default"},
        "endpoints": [{"addresses": ["192.168.49.2"]}], "ports": [{"name": "https", "port": 16443}],
    }  # fmt: skip
    assert shell(SERVICE, slices).run("kubectl describe svc kubernetes").stdout == recorded("f09-describe-svc")


def test_describe_deployment_is_as_recorded() -> None:
    uid = DEPLOYMENT["metadata"]["uid"]
    template = {
        **DEPLOYMENT["spec"]["template"],
        "metadata": {"labels": {"app": "web", "pod-template-hash": "7b78b59b6"}},
    }
    replica_set = {
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "status": {"replicas": 3}, "spec": {"replicas": 3, "template": template},
        "metadata": {"name": "web-7b78b59b6", "namespace": "default", "ownerReferences": [{"uid": uid}]},
    }  # fmt: skip
    scaled = {
        **event("ScalingReplicaSet", "deployment-controller", "Scaled up replica set web-7b78b59b6 from 0 to 3"),
        "firstTimestamp": "2026-11-23T03:56:12Z", "lastTimestamp": "2026-11-23T03:56:12Z",
    }  # fmt: skip
    made = shell(DEPLOYMENT, replica_set, scaled)
    made.now += 9_000_000_000
    assert made.run("kubectl describe deploy web").stdout == recorded("f44-describe-deploy")


def test_several_kinds_are_told_apart() -> None:
    text = shell(POD, SERVICE).run("kubectl get svc,pods").stdout
    assert text.splitlines()[0].startswith("NAME                 TYPE ")
    assert "\n\nNAME        READY   STATUS    RESTARTS   AGE\npod/kubia   1/1     Running   0          1s\n" in text


@pytest.mark.parametrize(
    ("line", "stderr", "code"),
    [
        ("kubectl get po nothing", 'Error from server (NotFound): pods "nothing" not found\n', 1),
        ("kubectl get gizmos", 'error: the server doesn\'t have a resource type "gizmos"\n', 1),
        ("kubectl get --foo", "error: unknown flag: --foo\nSee 'kubectl get --help' for usage.\n", 1),
        ("kubectl get -z", "error: unknown shorthand flag: 'z' in -z\nSee 'kubectl get --help' for usage.\n", 1),
        ("kubectl get po -n", "error: flag needs an argument: 'n' in -n\nSee 'kubectl get --help' for usage.\n", 1),
        (
            "kubectl scale deploy web --replicas=x",
            'error: invalid argument "x" for "--replicas" flag: strconv.ParseInt: parsing "x": invalid syntax\n'
            "See 'kubectl scale --help' for usage.\n",
            1,
        ),
        ("kubectl frobnicate", 'error: unknown command "frobnicate" for "kubectl"\n', 1),
        ("kubectl get cm", "No resources found in default namespace.\n", 0),
        ("kubectl get cm -A", "No resources found\n", 0),
        ("kubectl top pods", "error: Metrics API not available\n", 1),
        ("kubectl apply -f none.yaml", 'error: the path "none.yaml" does not exist\n', 1),
        ("kubectl --context=x get po", 'error: context "x" does not exist\n', 1),
        ("kubectl explain gizmo", 'the server doesn\'t have a resource type "gizmo"\n', 1),
        ("kubectl wait po/kubia --for=sunshine", 'error: unrecognized condition: "sunshine"\n', 1),
        ("kubectl taint node n a=b:Never", "error: invalid taint effect: Never, unsupported taint effect\nSee 'kubectl taint -h' for help and examples\n", 1),
    ],
)  # fmt: skip
def test_trouble_is_said_in_kubectls_words(line: str, stderr: str, code: int) -> None:
    result = shell(POD).run(line)
    assert (result.stderr, result.code) == (stderr, code)


def test_config_view_hides_secrets_unless_raw() -> None:
    made = shell()
    assert made.run("kubectl config view").stdout == recorded("f03-config-view").replace("16443", "6443")
    line = "kubectl config view --minify --raw --output 'jsonpath={..cluster.certificate-authority-data}' | base64 -d"
    assert made.run(line).stdout == "CA"
    assert made.run("kubectl config view --raw").stdout == KUBECONFIG


def test_contexts_can_be_changed() -> None:
    made = shell(POD)
    assert made.run("kubectl config current-context").stdout == "kubernetes-admin@kubernetes\n"
    assert made.run("kubectl config set-context --current --namespace=other").code == 0
    assert made.run("kubectl get po").stderr == "No resources found in other namespace.\n"


def test_dry_run_documents_are_as_recorded() -> None:
    made = shell()
    pod = made.run("kubectl run x --image=nginx --dry-run=client -o yaml").stdout
    deployment = made.run("kubectl create deploy y --image=nginx --dry-run=client -o yaml").stdout
    assert recorded("f92-run-dry").startswith(pod)
    assert recorded("f92-run-dry").endswith(deployment)
    assert made.requests == []


@pytest.mark.parametrize(
    ("line", "stdout"),
    [
        ("kubectl create deployment web --image=nginx --replicas=3", "deployment.apps/web created\n"),
        ("kubectl create ns x", "namespace/x created\n"),
        ("kubectl run p --image=nginx --dry-run=client", "pod/p created (dry run)\n"),
        ("kubectl create sa robot --dry-run=server", "serviceaccount/robot created (server dry run)\n"),
        ("kubectl expose po kubia --port=80", "service/kubia exposed\n"),
        ("kubectl delete po kubia", 'pod "kubia" deleted\n'),
        ("kubectl label po kubia a=b", "pod/kubia labeled\n"),
        ("kubectl label po kubia app-", "pod/kubia unlabeled\n"),
        ("kubectl annotate po kubia a=b", "pod/kubia annotated\n"),
        ('kubectl patch po kubia -p \'{"metadata":{"labels":{"x":"y"}}}\'', "pod/kubia patched\n"),
    ],
)
def test_writes_say_what_was_done(line: str, stdout: str) -> None:
    result = shell(POD).run(line)
    assert result.stdout == stdout, result.stderr


def test_apply_creates_then_leaves_alone_then_patches_what_differs() -> None:
    made = shell(DEPLOYMENT)
    text = DEPLOYMENT["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    made.run(f"cat > d.json <<'EOF'\n{text}EOF")
    assert made.run("kubectl apply -f d.json").stdout == "deployment.apps/web unchanged\n"
    assert made.run("sed 's/1.25/1.26/' d.json | kubectl apply -f -").stdout == "deployment.apps/web configured\n"
    patch = made.requests[-1]
    assert dict(patch.headers)["content-type"] == "application/strategic-merge-patch+json"
    containers = patch.doc["spec"]["template"]["spec"]["containers"]
    assert containers == [{"image": "nginx:1.26", "name": "nginx"}]
    assert made.run("sed 's/web/new/g' d.json | kubectl apply -f -").stdout == "deployment.apps/new created\n"
    created = made.requests[-1].doc["metadata"]["annotations"]
    assert list(created) == ["kubectl.kubernetes.io/last-applied-configuration"]


def test_discovery_is_asked_once_and_again_for_what_it_lacks() -> None:
    made = shell(POD)
    made.run("kubectl get po; kubectl get po")
    assert [each.path for each in made.requests] == ["/api", "/apis", *["/api/v1/namespaces/default/pods"] * 2]
    made.run("kubectl get gizmos")
    assert [each.path for each in made.requests[4:]] == ["/api", "/apis"]


def test_requests_are_the_admins_and_impersonation_is_a_header() -> None:
    made = shell(POD)
    made.run("kubectl get po --as=jane --as-group=dev --as-group=ops")
    sent = made.requests[-1]
    assert sent.peer.common_name == "kubernetes-admin"
    assert [value for name, value in sent.headers if name == "impersonate-group"] == ["dev", "ops"]
    assert dict(sent.headers)["impersonate-user"] == "jane"
    made.run("kubectl get po --token=abc")
    assert made.requests[-1].peer.common_name == ""
    assert dict(made.requests[-1].headers)["authorization"] == "Bearer abc"


def test_verbosity_prints_the_calls() -> None:
    result = shell(SERVICE).run("kubectl get service kubernetes -v 9")
    lines = [line.partition("] ")[2] for line in result.stderr.splitlines()]
    url = "https://127.0.0.1:6443/api/v1/namespaces/default/services/kubernetes"
    assert "Config loaded from file:  /root/.kube/config" in lines
    assert any(
        line.startswith('curl -v -XGET  -H "Accept: application/json;as=Table') and line.endswith(f"'{url}'")
        for line in lines
    )
    assert any(line.startswith(f"GET {url} 200 OK in ") for line in lines)
    assert "Response Headers:" in lines
    assert '"Response Body" body=<' in lines


@pytest.mark.parametrize("amnesia", [False, True])
def test_a_rebuilt_command_goes_the_same_way(amnesia: bool) -> None:
    made = shell(POD, SERVICE, *EVENTS)
    made.amnesia = amnesia
    result = made.run("kubectl describe po $(kubectl get po -o jsonpath='{.items[0].metadata.name}'); kubectl get svc")
    assert result.stdout.startswith(recorded("f25-describe-pod"))
    assert len(made.requests) == 6


def test_a_watch_shows_its_header_with_the_first_row() -> None:
    fake = Fake([], BORN + 1)
    made = Shell(
        lambda request: HttpResponse(request.id, 200, stream=True) if "watch=true" in request.query else fake(request)
    )
    result = made.run("kubectl get pods -w --output-watch-events")
    assert (result.stdout, result.stderr, result.code) == ("", "", None)
    number = made.requests[-1].id
    for kind, phase in (("ADDED", "Pending"), ("MODIFIED", "Running"), ("BOOKMARK", "")):
        doc = {"metadata": POD["metadata"], "spec": POD["spec"], "status": {"phase": phase}}
        shown = table.render(PODS, [doc], BORN + 1, headers=False)
        made.message(HttpChunk(number, doc={"type": kind, "object": shown}))
    made.message(HttpEnd(number))
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["EVENT", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert lines[1].split() == ["ADDED", "kubia", "0/1", "Pending", "0", "1s"]
    assert lines[2] == "MODIFIED   kubia   0/1     Running   0          1s"
    assert len(lines) == 3
    assert result.code == 0
