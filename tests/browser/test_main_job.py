"""The main job in a real browser against the real product: what a real kubectl does appears, can be stepped, stopped, walked and typed.

Each test makes its own objects, so the tests don't depend on each other. They wait for what they expect and never for a time.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from explainer.fragments import sentences
from tests.browser.conftest import Windows
from tests.product import Product, wait_for

PATIENCE = 20_000
"""Milliseconds: two busy cores, a real kubectl, an election."""
Look = Callable[..., Page]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with the demo cluster."""
    running = Product(tmp_path_factory.mktemp("live"), DJANGO_SETTINGS_MODULE="explainer.settings", TZ="UTC")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def panes(windows_on: Callable[..., Windows], live: Product) -> Windows:
    """The windows on the product."""
    return windows_on(live.port, PATIENCE)


@pytest.fixture
def look(panes: Windows) -> Iterator[Look]:
    """Open an address of the product and wait until its feed is there."""

    def opened(
        path: str, theme: str = "light", language: str = "en", width: int = 1440, height: int = 900, quiet: bool = True
    ) -> Page:
        page = panes.page(theme, language, width, height, quiet)
        page.goto(panes.url + path)
        page.locator("html[data-ready][data-live]").wait_for()
        return page

    yield opened
    assert panes.give_back() == []


def start(live: Product, line: str) -> subprocess.Popen[str]:
    """A shell line as somebody types it in a terminal, with KUBECONFIG set."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(live.data),
        "KUBECONFIG": str(live.data / "kubeconfig"),
        "KUBECACHEDIR": str(live.data / "cache"),
    }
    return subprocess.Popen(
        ["bash", "-c", line],
        env=environment,
        cwd=live.data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(live: Product, line: str) -> str:
    """What a line says; it must succeed."""
    child = start(live, line)
    said, _nothing = child.communicate(timeout=60)
    assert child.returncode == 0, said
    return said


def soon(locator: Locator) -> None:
    expect(locator).to_be_visible(timeout=PATIENCE)


def test_a_deployment_from_kubectl_is_followed_to_its_containers(live: Product, look: Look) -> None:
    picture, page = look("/clusters/demo/"), look("/clusters/demo/requests/?verb=create&resource=deployments")
    page.evaluate("window.same = true")
    run(live, "kubectl create deployment shop --image=nginx --replicas=3")
    row = page.locator("[data-rows] tr", has_text="kubectl-create").filter(has_text="deployments")
    soon(row)
    expect(row.first).to_contain_text("201")
    assert page.evaluate("window.same"), "the row came without reload"

    # The map: three new pods, each in a slot on a node, ready.
    expect(picture.locator("a.pod.Ready[data-name^='shop-']")).to_have_count(3, timeout=PATIENCE)
    expect(picture.locator("[data-feed]")).to_contain_text("kubernetes-admin asked to create deployments")

    row.first.get_by_role("link").first.click()
    soon(page.locator("[data-stages] .label").last)
    labels = page.locator("[data-stages] .label").all_text_contents()
    heads = [label.partition(" · ")[0] for label in labels]
    for stage in (
        "TLS Authentication Authorization Decoding Defaulting Strategy Validation etcd Propose Commit Apply Response Watch"
    ).split():
        assert stage in heads, f"{stage} of {heads}"
    assert {"Mutating admission", "Validating admission"} <= set(heads)
    assert [heads.count(name) for name in ("Propose", "Append", "Commit", "Apply")] == [1, 3, 1, 3]

    last, where, title = len(labels), page.locator("[data-where]"), page.locator("[data-panel]:visible h2")
    expect(where).to_have_text(f"1 of {last}")
    page.locator("html[data-live]").wait_for()  # whatever the page missed while it was loaded has been read again
    page.get_by_role("link", name="Next").click()
    expect(title).to_have_text("Authentication")
    page.keyboard.press("ArrowRight")
    expect(where).to_have_text(f"3 of {last}")
    page.keyboard.press("PageDown")
    expect(where).to_have_text(f"4 of {last}")
    page.keyboard.press("PageUp")
    expect(where).to_have_text(f"3 of {last}")
    page.keyboard.press("End")
    expect(where).to_have_text(f"{last} of {last}")
    page.keyboard.press("Home")
    expect(title).to_have_text("TLS")
    for number in range(2, last + 1):
        page.keyboard.press("ArrowRight")
        expect(page.locator(f"#step-{number} .verdict strong")).to_be_visible()

    # The causal tree grows while one looks at it.
    tree = page.locator(".caused .tree.root")
    soon(tree.get_by_text("POST /apis/apps/v1/namespaces/default/replicasets"))
    expect(tree.get_by_text(re.compile(r"^POST /api/v1/namespaces/default/pods$"))).to_have_count(3, timeout=PATIENCE)
    expect(tree.get_by_text(re.compile(r"^POST .*/pods/shop-[^/]+/binding$"))).to_have_count(3, timeout=PATIENCE)
    expect(tree.get_by_text(re.compile(r"started container nginx of default/shop-"))).to_have_count(3, timeout=PATIENCE)


def test_the_leader_is_stopped_by_a_click_and_the_cluster_goes_on(live: Product, look: Look) -> None:
    page = look("/clusters/demo/etcd/")
    rows = page.locator(".member-table tbody tr")
    expect(rows).to_have_count(3)
    leader = rows.filter(has=page.locator("td:nth-child(2)", has_text="leader"))
    old = (leader.locator("th").text_content() or "").split()[0]
    term = int(page.locator(f"[data-member={old}] .term").text_content() or 0)
    assert page.locator(".log-grid .cell.committed").count() >= 30, "the strips are drawn"
    page.get_by_role("button", name=f"Stop {old}").click()
    soon(page.get_by_role("button", name=f"Start {old}"))
    expect(page.locator(f".member.leader:not([data-member={old}])")).to_have_count(1, timeout=PATIENCE)
    expect(page.locator(".member.leader .term")).not_to_have_text(str(term))
    expect(page.locator("[data-part=quorum]")).to_contain_text("No further member may be lost.")
    assert "created" in run(live, "kubectl create configmap after-the-election --from-literal=a=b")
    page.get_by_role("button", name=f"Start {old}").click()
    soon(page.get_by_role("button", name=f"Stop {old}"))
    expect(page.locator(f".member.follower[data-member={old}]")).to_have_count(1, timeout=PATIENCE)
    expect(page.locator("[data-part=quorum]")).to_contain_text("1 more may be lost.", timeout=PATIENCE)


def test_a_packet_walks_the_rules_to_a_pod(live: Product, look: Look) -> None:
    run(live, "kubectl create deployment door --image=nginx --replicas=2")
    run(live, "kubectl expose deployment door --port=80")
    ready = "kubectl get endpoints door -o jsonpath='{.subsets[*].addresses[*].ip}'"
    pods = wait_for(lambda: (found := run(live, ready).split()) and len(found) == 2 and found, "two endpoints")
    address = run(live, "kubectl get service door -o jsonpath='{.spec.clusterIP}'").strip()
    rules = "/api/clusters/demo/nodes/node-1/rules"
    wait_for(lambda: all(f"--to-destination {pod}:80" in live.call("GET", rules)[1] for pod in pods), "the rules")
    page = look("/clusters/demo/network/?tab=rules")
    page.locator("select[name=service]").select_option("default/door")
    expect(page).to_have_url(re.compile("service=default%2Fdoor"))
    page.locator("html[data-ready]").wait_for()
    expect(page.locator(".tree-svg .card.endpoint")).to_have_count(2)
    lines = page.locator("[data-rules] li code").all_text_contents()
    assert any(line.startswith(f"-A KUBE-SERVICES -d {address}/32 -p tcp") for line in lines)
    page.get_by_role("link", name="The packet").click()
    expect(page.locator("#n-to option:checked")).to_contain_text(address)
    expect(page.locator("[data-walk-verdict]")).to_contain_text("DNAT to one of 2 endpoints.")
    count = page.locator("[data-step]").count()
    page.locator("html[data-ready]").wait_for(state="attached")
    page.keyboard.press("Home")
    seen = []
    for step in range(count):
        expect(page.locator("[data-walk-where]")).to_have_text(f"{step + 1} of {count}")
        seen += page.locator(".net-rule code").all_text_contents()
        page.locator("[data-walk-go=next]").click()
    lit = "\n".join(seen)
    assert "-j KUBE-SERVICES" in lit and f"-d {address}/32" in lit and "-A KUBE-SVC-" in lit
    assert any(f"--to-destination {pod}:80" in lit for pod in pods), lit
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-walk-where]")).to_have_text(f"{count - 1} of {count}")


def test_lesson_four_in_the_console_as_typed(look: Look) -> None:
    page = look("/clusters/demo/")
    page.locator(".dock > summary").click()
    blocks = page.locator(".console .block")

    def typed(line: str, code: int = 0) -> str:
        number = blocks.count()
        page.locator("#line").fill(line)
        page.keyboard.press("Enter")
        expect(blocks.nth(number).locator(".after")).to_contain_text(f"exit code {code}", timeout=PATIENCE)
        return "\n".join(blocks.nth(number).locator("pre:not(.typed)").all_text_contents())

    said = typed("kubectl cluster-info")
    found = re.search(r"https://[\w.:\[\]-]+:\d+", said)
    assert found, said
    server = found.group()
    assert "curl: (60)" in typed(f"curl {server}", 60)
    typed(
        "kubectl config view --minify --raw --output 'jsonpath={..cluster.certificate-authority-data}'"
        " | base64 -d > k8s-ca.cert"
    )
    assert 'User \\"system:anonymous\\" cannot get path \\"/\\"' in typed(f"curl --cacert k8s-ca.cert {server}")
    typed(
        'TOKEN=$(kubectl get secret $(kubectl get sa default -ojsonpath="{.secrets[0].name}")'
        ' -ojsonpath="{.data.token}" | base64 -d)'
    )
    typed(
        "kubectl create clusterrolebinding default-cluster-admin --clusterrole cluster-admin"
        " --serviceaccount default:default"
    )
    curl = 'curl -k -H "Authorization: Bearer $TOKEN"'
    assert '"/api/v1"' in typed(f"{curl} {server}")
    assert '"kind": "NodeList"' in typed(f"{curl} -X GET {server}/api/v1/nodes")
    assert "pod/mynginx created" in typed("kubectl run mynginx --image=nginx")
    assert '"mynginx"' in typed(f"{curl} -X GET {server}/api/v1/namespaces/default/pods")
    assert '"mynginx"' in typed(f"{curl} -X DELETE {server}/api/v1/namespaces/default/pods/mynginx")
    typed("kubectl wait --for=delete pod/mynginx --timeout=50s")
    assert "command not found" in typed("nonsense", 127)
    # What was typed is linked to what it asked, and the trace names the service account.
    block = blocks.filter(has_text="-X DELETE")
    block.get_by_role("link").first.click()
    # Its trace opens beside the picture.
    expect(page.get_by_role("heading", name="DELETE /api/v1/namespaces/default/pods/mynginx").first).to_be_visible()
    expect(page.locator(".trace-head")).to_contain_text("system:serviceaccount:default:default")


def test_a_paused_cluster_lets_kubectl_wait_and_says_so(live: Product, look: Look) -> None:
    page = look("/clusters/demo/")
    page.locator("[data-do=toggle]").click()
    expect(page.locator("[data-do=toggle]")).to_have_text("Resume")
    child = start(live, "kubectl create configmap made-while-paused --from-literal=a=b")
    try:
        expect(page.locator("[data-waiting]")).to_contain_text("waiting at the door", timeout=PATIENCE)
        assert child.poll() is None
        before = live.api("GET", "/clock")["nowMicros"]
        page.locator("[data-do=step]").click()
        after = wait_for(lambda: (now := live.api("GET", "/clock")["nowMicros"]) > before and now, "a step")
        minutes, millis = divmod(after // 1000, 60_000)  # a step may be shorter than the page's clock shows
        shown = f"0:{minutes:02}:{millis // 1000:02}.{millis % 1000:03}"
        expect(page.locator(".clock [data-now]")).to_have_text(shown)
        expect(page.locator("[data-do=toggle]")).to_have_text("Resume")
        assert child.poll() is None
    finally:
        page.locator("[data-do=toggle]").click()
    expect(page.locator("[data-do=toggle]")).to_have_text("Pause")
    said, _nothing = child.communicate(timeout=30)
    assert "created" in said
    expect(page.locator("[data-waiting]")).to_be_hidden()


def test_a_lost_connection_is_said_and_comes_back_by_itself(live: Product, look: Look) -> None:
    page = look("/clusters/demo/", quiet=False)
    page.evaluate("window.same = true")
    page.locator("html[data-live]").wait_for()
    web = live.child("web").pid
    assert live.process is not None
    live.process.send_signal(signal.SIGSTOP)  # or it starts another before anybody misses the first
    try:
        os.kill(web, signal.SIGKILL)
        soon(page.locator("[data-lost]"))
    finally:
        live.process.send_signal(signal.SIGCONT)
    expect(page.locator("[data-lost]")).to_contain_text("The connection to the cluster is lost.")
    expect(page.locator("[data-lost]")).to_be_hidden(timeout=PATIENCE)
    run(live, "kubectl create configmap after-the-loss --from-literal=a=b")
    expect(page.locator("[data-feed]")).to_contain_text("asked to create configmaps", timeout=PATIENCE)
    assert page.evaluate("window.same"), "without reload"


def test_what_the_world_says_is_known_to_the_catalogues(live: Product) -> None:
    """At least 95 in 100 of the kinds of sentences of a run; the API's own messages stay in its own words."""
    run(live, "kubectl create deployment said --image=nginx --replicas=2")
    run(live, "kubectl expose deployment said --port=80")
    run(live, "kubectl rollout status deployment said --timeout=50s")
    run(live, "kubectl scale deployment said --replicas=1; kubectl delete deployment said")
    run(live, "kubectl create namespace short; kubectl delete namespace short")
    said: dict[str, str] = {}

    def add(text: str) -> None:
        said[re.sub(r"\S*[\d/-]\S*", "*", text)] = text

    def walk(nodes: list[dict[str, Any]]) -> None:
        for node in nodes:
            if node["kind"] == "effect":
                add(node["text"])
            walk(node.get("children") or [])

    for row in live.api("GET", "/requests?limit=250"):
        status, trace = live.call("GET", f"/api/clusters/demo/requests/{row['id']}")
        if status != 200:
            continue  # forgotten meanwhile
        for stage in trace["stages"]:
            if stage["outcome"] not in ("deny", "error") and row["code"] < 400:
                add(stage["reason"])
        walk(trace["tree"])
    assert len(said) > 40
    unknown = [text for text in said.values() if sentences.recognise(text) is None]
    assert len(unknown) <= len(said) / 20, unknown
