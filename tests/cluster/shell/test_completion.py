"""Tab in the console: what may stand at the cursor."""

import pytest

from cluster.shell.completion import MOST, Kind, Known, complete

OBJECTS = {
    "namespaces": {"": ["default", "kube-system"]},
    "pods": {"default": ["web-1", "web-2", "db-0"], "kube-system": ["coredns-x"]},
    "nodes": {"": ["cp-1", "node-1", "node-2"]},
    "deployments": {"default": ["web"], "kube-system": ["coredns"]},
}


def names(plural: str, namespace: str) -> list[str]:
    rows = OBJECTS.get(plural, {})
    return rows.get(namespace, []) if namespace else [name for row in rows.values() for name in row]


KNOWN = Known(
    (
        Kind("pods", "Pod", ("po",), "pod"),
        Kind("podtemplates", "PodTemplate", (), "podtemplate"),
        Kind("nodes", "Node", ("no",), "node", namespaced=False),
        Kind("namespaces", "Namespace", ("ns",), "namespace", namespaced=False),
        Kind("deployments", "Deployment", ("deploy",), "deployment"),
    ),
    names,
    files=("pod.yaml", ".kube/config"),
    variables=("HOME", "TOKEN"),
    contexts=("demo",),
)


def at(line: str) -> list[str]:
    return [line[: found.start] + each.word for found in [complete(line, KNOWN)] for each in found.words]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("kub", ["kubectl"]),
        ("kubectl ge", ["kubectl get"]),
        ("kubectl get po", ["kubectl get po", "kubectl get pods", "kubectl get podtemplates"]),
        ("kubectl get pods web", ["kubectl get pods web-1", "kubectl get pods web-2"]),
        ("kubectl get pods web-1 web", ["kubectl get pods web-1 web-2"]),
        ("kubectl get po/d", ["kubectl get po/db-0"]),
        ("kubectl -n kube-system get pods c", ["kubectl -n kube-system get pods coredns-x"]),
        ("kubectl get pods --namespace=kube-system c", ["kubectl get pods --namespace=kube-system coredns-x"]),
        ("kubectl get pods -A coredns", ["kubectl get pods -A coredns-x"]),
        ("kubectl get -n ku", ["kubectl get -n kube-system"]),
        ("kubectl get --namespace=ku", ["kubectl get --namespace=kube-system"]),
        ("kubectl get pods -o js", ["kubectl get pods -o json", "kubectl get pods -o jsonpath="]),
        ("kubectl get pods --all-n", ["kubectl get pods --all-namespaces"]),
        ("kubectl create dep", ["kubectl create deploy", "kubectl create deployment"]),
        ("kubectl create deployment web --im", ["kubectl create deployment web --image"]),
        ("kubectl drain node", ["kubectl drain node-1", "kubectl drain node-2"]),
        ("kubectl logs db", ["kubectl logs db-0"]),
        ("kubectl rollout status d", ["kubectl rollout status deployments"]),
        ("kubectl rollout status deployment w", ["kubectl rollout status deployment web"]),
        ("kubectl apply -f p", ["kubectl apply -f pod.yaml"]),
        ("kubectl config use-context d", ["kubectl config use-context demo"]),
        ("kubectl auth can-i cre", ["kubectl auth can-i create"]),
        ("cat pod", ["cat pod.yaml"]),
        ("echo a | gre", ["echo a | grep"]),
        ("TOKEN=$(kubectl get no", ["TOKEN=$(kubectl get no", "TOKEN=$(kubectl get nodes"]),
        ("echo $TO", ["echo $TOKEN"]),
        ("echo ${HO", ["echo ${HOME"]),
        ('kubectl get pods "we', ['kubectl get pods "web-1', 'kubectl get pods "web-2']),
        ("kubectl get unicorns x", []),
        ("kubectl nonsense x", []),
        ("kubectl get pods $(echo", ["kubectl get pods $(echo"]),
    ],
)
def test_what_may_stand_at_the_cursor(line, found):
    assert at(line) == found


def test_all_of_it_when_nothing_is_typed():
    assert len(at("")) > 15 and {"kubectl", "curl", "etcdctl"} <= set(at(""))
    assert {"kubectl get", "kubectl apply"} <= set(at("kubectl "))
    assert at("kubectl get nodes ") == [f"kubectl get nodes {name}" for name in OBJECTS["nodes"][""]]


def test_a_flag_that_takes_a_value_stays_open():
    (found,) = complete("kubectl scale deployment web --repli", KNOWN).words
    assert found.open and not complete("kubectl get -A --watch", KNOWN).words[0].open


def test_many_are_counted():
    many = Known(KNOWN.kinds, lambda plural, namespace: [f"p-{n:04}" for n in range(1000)])
    found = complete("kubectl get pods p", many)
    assert len(found.words) == MOST and found.more == 1000 - MOST


def test_any_text_is_no_trouble():
    for line in (
        "'",
        '"',
        "\\",
        "$(",
        "``",
        "kubectl --",
        "kubectl -",
        "a=b ",
        "| |",
        "kubectl get pods/",
        "한국어 ",
        "k get " + "x" * 3000,
    ):
        complete(line, KNOWN)
