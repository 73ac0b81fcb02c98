"""Programs in pods make packets: names, Services, kube-proxy's rules, NetworkPolicy, conntrack; in every mode."""

import pytest

from cluster.lab import HttpDataIn, HttpDataOut
from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import Desk

POLICY = """kubectl apply -f - <<'EOF'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: %s}
spec: %s
EOF"""


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk.with_pods(
        "kubectl create deployment web --image=nginx --replicas=3",
        "kubectl expose deployment web --port=80",
        "kubectl run who --image=traefik/whoami",
        "kubectl expose pod who --port=8080 --target-port=80 --type=NodePort",
        "kubectl create service clusterip empty --tcp=80",
        "kubectl run box --image=busybox -- sleep 3600",
        "kubectl run tool --image=nicolaka/netshoot -- sleep 3600",
    )


def ip_of(desk: Desk, pod: str) -> str:
    return desk.get(f"/api/v1/namespaces/default/pods/{pod}")["status"]["podIP"]


def run(desk: Desk, pod: str, line: str) -> tuple[str, str, int]:
    return desk.type(f"kubectl exec {pod} -- {line}")


def test_a_name_becomes_a_page(desk: Desk) -> None:
    out, _, code = run(desk, "tool", "curl -s http://web")
    assert code == 0 and "Welcome to nginx!" in out
    out, err, code = run(desk, "box", "wget -O- web")
    assert code == 0 and err.startswith("Connecting to web (10.") and "written to stdout" in err


def test_the_pod_sees_the_clients_own_address(desk: Desk) -> None:
    out, _, _ = run(desk, "tool", "curl -s who:8080")
    assert f"RemoteAddr: {ip_of(desk, 'tool')}:" in out
    flows = [
        f for view in views(desk) for f in view["conntrack"] if f["dnat"] and f["reply"]["src"] == ip_of(desk, "who")
    ]
    assert flows and flows[-1]["original"]["dport"] == 8080 and flows[-1]["reply"]["sport"] == 80
    assert flows[-1]["state"] == "TIME_WAIT"


def test_hairpin_a_pod_reaches_itself_as_its_bridge(desk: Desk) -> None:
    own = ip_of(desk, "who")
    out = run(desk, "who", "curl -s who.default:8080")[0]
    assert f"RemoteAddr: {own.rpartition('.')[0]}.1:" in out, "masqueraded, or the answer would bypass the translation"


def views(desk: Desk) -> list[dict]:
    return [desk.lab.query("node_network", node=node) for node in ("node-1", "node-2")]


ERRORS = [
    ("tool", "curl nope", "curl: (6) Could not resolve host: nope", 6),
    ("tool", "curl -m 2 http://10.96.77.77", "curl: (28) Connection timed out after 2000 milliseconds", 28),
    ("tool", "curl https://kubernetes", "curl: (60) SSL certificate problem", 60),
    ("tool", "curl http://empty", "curl: (7) Failed to connect to empty port 80 after", 7),
    ("box", "wget -qO- nope", "wget: bad address 'nope'", 1),
    ("box", "wget -qO- empty", "wget: can't connect to remote host", 1),
    ("box", "nc -zv -w 1 who 8080", "open", 0),
    ("box", "curl web", 'exec: "curl": executable file not found in $PATH', 126),
]  # fmt: skip


@pytest.mark.parametrize(("pod", "line", "said", "code"), ERRORS, ids=[row[1] for row in ERRORS])
def test_words(desk: Desk, pod: str, line: str, said: str, code: int) -> None:
    _, err, status = run(desk, pod, line)
    assert said in err and status == code


RUN = "kubectl run tmp --rm -i --restart=Never --image=busybox -- "
TYPED = [
    ("echo 'hostname; exit 3' | kubectl exec -i box -- sh", "box\n", "exit code 3", 3),
    ("echo b a | kubectl exec -i box -- tr ab AB", "B A\n", "", 0),
    ("kubectl exec deploy/web -- curl -s -o /dev/null -w '%{http_code}' web", "200", "", 0),
    (
        "kubectl exec -it box -- sh",
        "",
        "this console has no terminal: give it a command (kubectl exec box -- hostname)",
        1,
    ),
    ("kubectl exec tool -- sh -c 'echo \"GET / HTTP/1.0\" | nc web 80 | head -1'", "HTTP/1.1 200 OK\n", "", 0),
    ("kubectl exec tool -- sh -c 'echo x | curl web'", "", "a pipe into 'curl' is not simulated in a pod", 2),
    (RUN + "wget -qO- web", "Welcome to nginx", "", 0),
    (RUN + "wget -qO- nowhere", 'pod "tmp" deleted', "bad address 'nowhere'", 1),
    (f"echo 'wget -qO- web; exit 5' | {RUN}sh", "Welcome to nginx", "pod default/tmp terminated (Error)", 5),
    (RUN + "sh", "", "would wait for what you type", 1),
    ("kubectl run tmp --rm --image=busybox", "", "--rm should only be used for attached containers", 1),
    ("kubectl exec box -- tar cf - /etc", "", "no files are kept in a simulated container", 2),
]


@pytest.mark.parametrize(("line", "said", "warned", "code"), TYPED, ids=[row[0] for row in TYPED])
def test_what_is_piped_in_and_pods_that_are_watched(desk: Desk, line: str, said: str, warned: str, code: int) -> None:
    out, err, status = desk.type(line)
    assert said in out and (warned in err or warned in out) and status == code, (out, err, status)


def forward(desk: Desk, pod: str, *pieces: tuple[int, bytes]) -> dict[int, bytes]:
    """What port-forward's numbered streams answer to these pieces."""
    upgrade = (("connection", "Upgrade"), ("upgrade", "websocket"))
    conn = desk.send("GET", f"/api/v1/namespaces/default/pods/{pod}/portforward", headers=upgrade)
    desk.lab.run_until(desk.lab.now + SECOND)
    for channel, data in pieces:
        desk.lab.submit(HttpDataIn(conn, 1, data, channel))
    desk.lab.run_until(desk.lab.now + SECOND)
    said: dict[int, bytes] = {}
    for output in desk.drain():
        if isinstance(output, HttpDataOut) and output.conn == conn:
            said[output.channel] = said.get(output.channel, b"") + output.data
    return said


GET = b"GET /%s HTTP/1.1\r\nHost: localhost:18080\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
FORWARDED = [
    ([b"P\0", GET % b""], b"Connection: close\r\n\r\nHostname: who\n", b""),
    ([b"P\0", POST, b"a=b"], b"POST / HTTP/1.1\nHost: x\n", b""),
    ([b"P\0", b"HEAD / HTTP/1.1\r\n", b"\r\n"], b"HTTP/1.1 200 OK\r\n", b""),
    ([b"Q\0", GET % b""], b"", b"dial tcp4 127.0.0.1:81: connect: connection refused"),
    ([b"P\0", b"PING\r\n"], b"", b"answer plain HTTP through a forwarded port, and this was none"),
    ([b"P\0", b""], b"", b""),
]


@pytest.mark.parametrize(("pieces", "said", "wrong"), FORWARDED)
def test_a_forwarded_port(desk: Desk, pieces: list[bytes], said: bytes, wrong: bytes) -> None:
    """Two connections side by side; both streams of each are ended."""
    found = forward(desk, "who", *((0, piece) for piece in pieces), *((6, piece) for piece in pieces))
    assert set(found) == {0, 1, 6, 7}
    for number in (0, 6):
        assert said in found[number] and wrong in found[number + 1]
        assert bool(said) == bool(found[number]) and bool(wrong) == bool(found[number + 1])


def test_a_pods_loopback_is_its_own(desk: Desk) -> None:
    assert "Hostname: who" in run(desk, "who", "curl -s localhost")[0]
    assert "Hostname: who" in run(desk, "who", f"curl -s {ip_of(desk, 'who')}")[0]
    assert run(desk, "tool", "curl -s localhost:10248/healthz")[2] == 7, "the kubelet's is the node's"


def test_names(desk: Desk) -> None:
    out, _, code = run(desk, "box", "nslookup web")
    assert code == 1, "the other suffixes of the search path don't exist"
    assert "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nName:\tweb.default.svc.cluster.local\n" in out
    assert "** server can't find web.svc.cluster.local: NXDOMAIN" in out
    assert run(desk, "tool", "dig +short _https._tcp.kubernetes.default.svc.cluster.local SRV")[0] == "0 100 443 kubernetes.default.svc.cluster.local.\n"  # fmt: skip
    assert "nameserver 10.96.0.10\noptions ndots:5\n" in run(desk, "box", "cat /etc/resolv.conf")[0]


def test_a_shell_line_around_network_programs(desk: Desk) -> None:
    line = "sh -c 'for i in $(seq 1 30); do curl -s who:8080 | grep Hostname; done | sort | uniq -c'"
    assert run(desk, "tool", line)[0].split() == ["30", "Hostname:", "who"]
    assert run(desk, "tool", "sh -c 'curl -s -f http://web/nope || echo failed with $?'")[0] == "failed with 22\n"


def test_connections_are_spread_over_the_endpoints(desk: Desk) -> None:
    run(desk, "tool", "sh -c 'for i in $(seq 1 40); do curl -s web >/dev/null; done'")
    chosen = {
        f["reply"]["src"]
        for view in views(desk)
        for f in view["conntrack"]
        if f["dnat"] and f["original"]["dport"] == 80
    }
    assert len(chosen) == 3


def test_the_api_server_answers_a_pod(desk: Desk) -> None:
    assert '"gitVersion": "v1.32' in run(desk, "tool", "curl -sk https://kubernetes/version")[0]
    assert '"reason": "Forbidden"' in run(desk, "tool", "curl -sk https://kubernetes/api/v1/pods")[0]


def test_a_policy_says_no_and_the_walk_names_it(desk: Desk) -> None:
    box = ip_of(desk, "box")
    desk.type(
        POLICY
        % (
            "only-box",
            "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {run: box}}}]}]}",
        )
    )
    assert run(desk, "tool", "curl -s -m 2 web")[2] == 28
    assert run(desk, "box", "wget -qO /dev/null -T 2 web")[2] == 0
    dropped = [p for view in views(desk) for p in view["passed"] if p["verdict"] == "drop"]
    assert "NetworkPolicy default/only-box has no rule that allows it" in dropped[-1]["why"]
    passed = [p for view in views(desk) for p in view["passed"] if p["before"]["src"] == box]
    allowed = [one for p in passed for one in p["policies"] if one["policy"]]
    assert allowed[-1]["text"].endswith("ingress rule 1 allows from pods run=box")
    assert desk.type("kubectl delete networkpolicy only-box")[2] == 0
    assert run(desk, "tool", "curl -s -m 2 -o /dev/null web")[2] == 0


@pytest.mark.parametrize("mode", ["ipvs", "nftables"])
def test_the_same_in_another_mode(desk: Desk, mode: str) -> None:
    doc = desk.get("/api/v1/namespaces/kube-system/configmaps/kube-proxy")
    lines = [f"mode: {mode}" if x.startswith("mode:") else x for x in doc["data"]["config.conf"].splitlines()]
    desk.ask(
        "PUT",
        "/api/v1/namespaces/kube-system/configmaps/kube-proxy",
        {**doc, "data": {**doc["data"], "config.conf": "\n".join(lines)}},
    )
    assert desk.type("kubectl -n kube-system delete pods -l k8s-app=kube-proxy")[2] == 0
    desk.until(lambda: all(view["mode"] == mode for view in views(desk)))
    desk.lab.run_until(desk.lab.now + SECOND)
    out, _, code = run(desk, "tool", "curl -s who:8080")
    assert code == 0 and "Hostname: who" in out
    assert run(desk, "tool", "curl -s -m 2 empty")[2] == 7
    assert run(desk, "box", "nslookup web.default.svc.cluster.local")[2] == 0
