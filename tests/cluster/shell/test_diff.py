"""``kubectl diff`` against a living cluster: what apply would do, shown and not done."""

import pytest

from tests.cluster.lab.desk import Desk

CHANGED = "sed 's/1.25/1.26/' web.yaml | kubectl diff -f -"


@pytest.fixture(scope="module")
def desk() -> Desk:
    desk = Desk.boot()
    desk.type("kubectl create deployment web --image=nginx:1.25 --dry-run=client -o yaml > web.yaml")
    return desk


def test_an_object_that_is_not_there_yet(desk: Desk) -> None:
    out, err, code = desk.type("kubectl diff -f web.yaml")
    lines = out.splitlines()
    assert (err, code) == ("", 1)
    assert lines[0].startswith("diff -u -N /tmp/LIVE-") and lines[0].endswith("/apps.v1.Deployment.default.web")
    assert lines[3].startswith("@@ -0,0 +1,") and "+kind: Deployment" in lines
    assert desk.type("kubectl get deploy web")[2] == 1


def test_what_would_change_and_nothing_else(desk: Desk) -> None:
    assert desk.type("kubectl apply -f web.yaml")[2] == 0
    assert desk.type("kubectl rollout status deploy/web --timeout=60s")[2] == 0
    assert desk.type("kubectl diff -f web.yaml") == ("", "", 0)
    out, err, code = desk.type(CHANGED)
    assert (err, code) == ("", 1)
    changed = [line for line in out.splitlines() if line[:2] in ("- ", "+ ")]
    assert changed == [
        "-  generation: 1",
        "+  generation: 2",
        "-      - image: nginx:1.25",
        "+      - image: nginx:1.26",
    ]
    assert desk.type("kubectl get deploy web -o jsonpath='{..image}'")[0] == "nginx:1.25"


def test_values_of_secrets_are_not_shown(desk: Desk) -> None:
    assert desk.type("kubectl create secret generic s --from-literal=a=hush --from-literal=b=same")[2] == 0
    patch = "kubectl get secret s -o yaml | sed 's/a: .*/a: bG91ZA==/' | kubectl diff -f -"
    out, _, code = desk.type(patch)
    assert code == 1 and "aHVzaA" not in out and "bG91ZA" not in out
    assert "-  a: '*** (before)'" in out and "+  a: '*** (after)'" in out and "   b: '***'" in out


def test_trouble(desk: Desk) -> None:
    assert desk.type("kubectl diff") == ("", "error: must specify one of -f and -k\n", 1)
    bad = "kubectl diff -f - <<EOF\napiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 0}]}\nEOF"
    out, err, code = desk.type(bad)
    assert out == "" and code == 2 and "spec.ports[0].port" in err
