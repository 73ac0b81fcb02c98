"""Drills on Services: what their address is, who balances, what each mode writes, and where packets end."""
# fmt: off

from msgspec.structs import replace

from explainer.lessons import Act, Lesson, Predict, Step, say

NET = {"controlPlanes": 1, "etcdMembers": 1, "workers": 2, "legacyServiceAccountTokens": True}
MAKE = ("kubectl create deployment web --image=nginx --replicas=2", "kubectl expose deployment web --port=80")
READY = 'walks[0].verdict == "DNAT" && walks[0].endpoints.size() == 2'
ONE = {"src": "node-1", "dst": "default/web", "port": 80, "node": "node-1"}
TWO = {"src": "node-2", "dst": "default/web", "port": 80, "node": "node-2"}
OUT1 = {"src": "203.0.113.9", "dst": "node-1", "port": 30080, "node": "node-1"}
OUT2 = {"src": "203.0.113.9", "dst": "node-2", "port": 30080, "node": "node-2"}


def set_mode(old: str, new: str) -> str:
    return f"kubectl -n kube-system get configmap kube-proxy -o yaml | sed 's/    mode: .*/    mode: {new}/' | kubectl apply -f -" if old else ""


RESTART = "kubectl -n kube-system delete pods -l k8s-app=kube-proxy"
BEGIN = Step(say("Two web servers and a Service in front of them.", "웹 서버 두 개와 그 앞의 Service입니다."), page="network", type=MAKE,
             task=say("Make them.", "만드십시오."), walks=(ONE,), until=READY, done=say("The rules are on every node.", "규칙이 모든 노드에 있습니다."))

PROBE = "kubectl run probe --image=busybox --command -- sleep 36000"
PROBING = 'pods.exists(p, p.metadata.name == "probe" && p.status.phase == "Running") && pods.filter(p, p.metadata.name.startsWith("coredns-") && p.status.conditions.exists(c, c.type == "Ready" && c.status == "True")).size() >= 1'
WITH_PROBE = Step(say("Two web servers, a Service, and a Pod to call them from.", "웹 서버 둘, Service 하나, 그리고 호출해 볼 Pod 하나입니다."), page="network", type=(*MAKE, PROBE), task=say("Make them.", "만드십시오."), walks=(ONE,), until=f"{READY} && {PROBING}")
CALL = "kubectl exec probe -- wget -qO- -T 2 web"


def policy(name: str, ingress: str = "") -> str:
    doc = f'{{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{{"name":"{name}"}},"spec":{{"podSelector":{{"matchLabels":{{"app":"web"}}}},"policyTypes":["Ingress"]{ingress}}}}}'
    return f"echo '{doc}' | kubectl apply -f -"


def shown(lesson: Lesson) -> Lesson:
    """From the second step on the network page shows the Service that the first has made."""
    first, *rest = lesson.steps
    return replace(lesson, steps=(first, *(replace(step, query="service=default/web") for step in rest)))


_WRITTEN = (
    Lesson(
        "service-ip", "network", 1, say("What a Service IP is", "Service IP란"), say("There is no such host. Yet packets to it arrive.", "그런 호스트는 없습니다. 그런데도 패킷은 도착합니다."), 4,
        (
            BEGIN,
            Step(say("The Service has an address of its own, from 10.96.0.0/12.", "Service에는 10.96.0.0/12에서 나온 자기 주소가 있습니다."), page="network",
                 predict=Predict(say("On which interface of which host is that address configured?", "그 주소는 어느 호스트의 어느 인터페이스에 설정되어 있습니까?"), (say("On the apiserver's host", "apiserver의 호스트"), say("On the node of its first Pod", "첫 Pod의 노드"), say("On none: it only stands in rules", "어디에도 없음: 규칙에만 있음")), 2,
                                 say("Each node's kernel rewrites the destination before it looks for a route. (In IPVS mode a dummy interface carries it, so that the kernel takes it for its own.)", "각 노드의 커널이 경로를 찾기 전에 목적지를 고쳐 씁니다. (IPVS 모드에서는 더미 인터페이스가 이 주소를 가져 커널이 자기 것으로 여깁니다.)"))),
            Step(say("The rules follow the endpoints.", "규칙은 엔드포인트를 따릅니다."), page="network", type=("kubectl scale deployment web --replicas=3",), walks=(ONE,), task=say("Add a Pod and watch the rules.", "Pod를 더하고 규칙을 보십시오."), until='walks[0].endpoints.size() == 3'),
            Step(say("Without the Service nothing is left of the address.", "Service가 없으면 그 주소는 흔적도 없습니다."), page="network", type=("kubectl delete service web",), task=say("Delete the Service.", "Service를 지우십시오."), until='!services.exists(s, s.metadata.name == "web") && rules.all(r, !r.text.contains("default/web"))',
                 done=say("The rules are gone from every node; the Pods run on.", "모든 노드에서 규칙이 사라졌습니다. Pod는 계속 실행됩니다.")),
        ), NET,
    ),
    Lesson(
        "follow-packet", "network", 2, say("Follow a packet", "패킷 따라가기"), say("Rule by rule: which one sends the packet where, and with which chance.", "규칙을 하나하나 따라가며 어느 규칙이 어떤 확률로 패킷을 어디로 보내는지 봅니다."), 5,
        (
            BEGIN,
            Step(say("KUBE-SERVICES → KUBE-SVC-… → KUBE-SEP-…: the Service's chain has a line for each endpoint.", "KUBE-SERVICES → KUBE-SVC-… → KUBE-SEP-…: Service의 체인에는 엔드포인트마다 한 줄이 있습니다."), page="network",
                 predict=Predict(say("With three endpoints, which probability does the first of the three lines have?", "엔드포인트가 셋이면 세 줄 가운데 첫 줄의 확률은?"), (say("1/3", "1/3"), say("1/2", "1/2"), say("1", "1")), 0, say("The first takes a third, the second half of the rest, the last all that is left: equal shares.", "첫 줄이 1/3, 둘째 줄이 나머지의 절반, 마지막 줄이 남은 전부를 가져갑니다. 모두 같은 몫입니다."))),
            Step(say("See it in the rules.", "규칙에서 확인합니다."), page="network", type=("kubectl scale deployment web --replicas=3",), walks=(ONE,), task=say("Scale to three, and find the probability.", "셋으로 늘리고 확률을 찾으십시오."), until='walks[0].endpoints.size() == 3 && rules.exists(r, r.text.contains("--probability 0.3333"))',
                 done=say("Now send a packet on this page and step through its way.", "이제 이 페이지에서 패킷을 보내고 한 걸음씩 따라가 보십시오.")),
            Step(say("A real call of a Pod does the same.", "Pod의 실제 호출도 똑같이 합니다."), page="network", type=(PROBE, "kubectl wait --for=condition=Ready pod/probe --timeout=60s", "kubectl exec probe -- wget -qO- -T 2 $(kubectl get service web -o jsonpath='{.spec.clusterIP}')"), task=say("Call the Service's address from a Pod.", "Pod에서 Service의 주소를 호출하십시오."), until='flows.exists(f, f.protocol == "tcp" && f.dport == 80 && f.dnat && f.answered)', done=say("conntrack on that node remembers the connection: both its addresses, before and after.", "그 노드의 conntrack이 연결을 기억합니다. 바뀌기 전과 후의 두 주소 모두를.")),
            Step(say("The answer of the Pod carries the Pod's address as its source.", "Pod의 응답에는 출발지로 Pod의 주소가 적혀 있습니다."), page="network", predict=Predict(say("Which source does the client see?", "클라이언트는 어떤 출발지를 봅니까?"), (say("The Pod's", "Pod의 주소"), say("The Service's: conntrack puts it back", "Service의 주소: conntrack이 되돌립니다")), 1, say("The kernel remembers the translation of the connection's first packet and undoes it on the way back.", "커널은 연결의 첫 패킷을 어떻게 바꿨는지 기억하고 돌아오는 길에 되돌립니다."))),
        ), NET,
    ),
    Lesson(
        "who-balances", "network", 3, say("Who load-balances?", "누가 부하를 나눕니까?"), say("kube-proxy carries no traffic. Freeze it, and see what still happens and what no longer does.", "kube-proxy는 트래픽을 나르지 않습니다. 얼리고 무엇이 계속되고 무엇이 멈추는지 봅니다."), 4,
        (
            BEGIN,
            Step(say("kube-proxy writes rules, the kernel follows them.", "kube-proxy는 규칙을 쓰고 커널이 따릅니다."), page="network", predict=Predict(say("kube-proxy of node-1 stands still. A packet from node-1 to the Service:", "node-1의 kube-proxy가 멈춰 있습니다. node-1에서 Service로 가는 패킷은:"), (say("is lost", "사라집니다"), say("arrives as before", "전처럼 도착합니다")), 1, say("The rules stay in the kernel, as they were last written.", "규칙은 마지막으로 쓰인 그대로 커널에 남습니다."))),
            Step(say("But nobody changes them any more.", "하지만 더는 아무도 고치지 않습니다."), page="network", act=(Act(say("Freeze kube-proxy of node-1", "node-1의 kube-proxy 얼리기"), ({"type": "ProcessOp", "process": "kube-proxy-node-1", "op": "pause"},)),), type=("kubectl scale deployment web --replicas=4",), walks=(ONE, TWO),
                 task=say("Freeze it (SIGSTOP: were it dead, the kubelet would start it again), then scale to four.", "얼린 뒤(SIGSTOP입니다. 죽이면 kubelet이 다시 시작합니다) 넷으로 늘리십시오."), until='walks[0].endpoints.size() == 2 && walks[1].endpoints.size() > 2',
                 done=say("node-2 knows the new Pods, node-1 still sends to the old two only.", "node-2는 새 Pod를 알지만, node-1은 여전히 옛 둘에게만 보냅니다.")),
            Step(say("It catches up as soon as it runs.", "실행되면 곧 따라잡습니다."), page="network", act=(Act(say("Thaw it", "녹이기"), ({"type": "ProcessOp", "process": "kube-proxy-node-1", "op": "resume"},)),), walks=(ONE, TWO), task=say("Let it run again.", "다시 실행하게 하십시오."), until='walks[0].endpoints.size() > 2 && walks[0].endpoints.size() == walks[1].endpoints.size()', within=90),
        ), NET,
    ),
    Lesson(
        "switch-ipvs", "network", 4, say("Switch to IPVS, and back", "IPVS로 바꾸고 되돌리기"), say("As an operator does it: edit the ConfigMap, delete the Pods.", "운영자가 하듯이 ConfigMap을 고치고 Pod를 지웁니다."), 5,
        (
            BEGIN,
            Step(say("kube-proxy is a DaemonSet; its configuration is a ConfigMap.", "kube-proxy는 DaemonSet이고 설정은 ConfigMap입니다."), page="network", type=(set_mode("iptables", "ipvs"),), task=say("Set the mode in the ConfigMap.", "ConfigMap에서 모드를 바꾸십시오."),
                 until='configmaps.exists(c, c.metadata.name == "kube-proxy" && c.data["config.conf"].contains("mode: ipvs")) && rules.all(r, r.mode == "iptables")', done=say("Stored, and nothing has changed on any node.", "저장되었지만 어느 노드에서도 바뀐 것이 없습니다.")),
            Step(say("Why not?", "왜일까요?"), page="network", predict=Predict(say("When does kube-proxy read its configuration?", "kube-proxy는 언제 설정을 읽습니까?"), (say("Whenever the ConfigMap changes", "ConfigMap이 바뀔 때마다"), say("When its process starts", "프로세스가 시작될 때")), 1, say("So its Pods must be replaced: delete them, the DaemonSet brings them back.", "그래서 Pod를 바꿔야 합니다. 지우면 DaemonSet이 다시 만듭니다."))),
            Step(say("Replace them.", "교체합니다."), page="network", type=(RESTART,), walks=(ONE,), task=say("Delete the kube-proxy Pods.", "kube-proxy Pod를 지우십시오."), until='rules.all(r, r.mode == "ipvs") && walks[0].verdict == "DNAT"', within=90, done=say("Virtual servers instead of chains: a packet meets the Service in one look, however many there are.", "체인 대신 가상 서버입니다. Service가 아무리 많아도 한 번에 찾습니다.")),
            Step(say("And back.", "되돌립니다."), page="network", type=(set_mode("ipvs", "iptables"), RESTART), walks=(ONE,), task=say("Set iptables again and replace the Pods.", "다시 iptables로 바꾸고 Pod를 교체하십시오."), until='rules.all(r, r.mode == "iptables") && walks[0].verdict == "DNAT"', within=90),
        ), NET,
    ),
    Lesson(
        "switch-nftables", "network", 5, say("nftables", "nftables"), say("The youngest mode: maps instead of chains of questions.", "가장 새로운 모드: 질문의 사슬 대신 맵입니다."), 4,
        (
            BEGIN,
            Step(say("In iptables mode the kernel asks one Service after the other.", "iptables 모드에서 커널은 Service를 하나씩 차례로 묻습니다."), page="network", predict=Predict(say("10,000 Services. How many questions does nftables mode ask for the Service?", "Service가 10,000개입니다. nftables 모드는 Service를 찾으려고 몇 번 묻습니까?"), (say("About 10,000", "약 10,000번"), say("One: it is a key of a map", "한 번: 맵의 키입니다")), 1, say("A verdict map from address, protocol and port to the Service's chain.", "주소, 프로토콜, 포트에서 Service의 체인으로 가는 verdict map입니다."))),
            Step(say("Switch.", "바꿉니다."), page="network", type=(set_mode("iptables", "nftables"), RESTART), walks=(ONE,), task=say("Set the mode and replace the Pods.", "모드를 바꾸고 Pod를 교체하십시오."), until='rules.all(r, r.mode == "nftables") && walks[0].verdict == "DNAT" && rules.exists(r, r.text.contains("map "))', within=90,
                 done=say("One table, kube-proxy, with sets and maps; compare on the page with the modes beside it.", "kube-proxy라는 테이블 하나에 집합과 맵이 있습니다. 페이지에서 다른 모드와 비교해 보십시오.")),
        ), NET,
    ),
    Lesson(
        "lost-address", "network", 6, say("externalTrafficPolicy and the lost client address", "externalTrafficPolicy와 사라진 클라이언트 주소"), say("A client outside calls a NodePort. Whom does the Pod see?", "바깥의 클라이언트가 NodePort를 부릅니다. Pod는 누구를 봅니까?"), 4,
        (
            Step(say("One web server, on port 30080 of every node.", "웹 서버 하나를 모든 노드의 30080 포트에 엽니다."), page="network", type=("kubectl create deployment web --image=nginx", "kubectl expose deployment web --port=80 --type=NodePort", "kubectl patch service web -p '{\"spec\":{\"ports\":[{\"port\":80,\"nodePort\":30080}]}}'"), walks=(OUT1, OUT2), task=say("Make it.", "만드십시오."), until='walks[0].verdict == "DNAT" && walks[1].verdict == "DNAT"'),
            Step(say("A client at 203.0.113.9 calls node-1; the Pod may be on node-2.", "203.0.113.9의 클라이언트가 node-1을 부릅니다. Pod는 node-2에 있을 수 있습니다."), page="network", predict=Predict(say("Which source address does the Pod see?", "Pod가 보는 출발지 주소는?"), (say("203.0.113.9", "203.0.113.9"), say("The node's: the packet is masqueraded", "노드의 주소: 패킷이 masquerade 됩니다")), 1, say("Or the answer would go straight to the client, who never called the Pod.", "그러지 않으면 응답이 Pod를 부른 적 없는 클라이언트에게 곧장 갑니다."))),
            Step(say("With `Local` a node only sends to Pods of its own, and need not hide the client.", "`Local`이면 노드는 자기 Pod에게만 보내며 클라이언트를 숨길 필요가 없습니다."), page="network", type=("kubectl patch service web -p '{\"spec\":{\"externalTrafficPolicy\":\"Local\"}}'",), walks=(OUT1, OUT2), task=say("Set the policy to Local.", "정책을 Local로 바꾸십시오."),
                 until='walks.exists_one(w, w.verdict == "DNAT" && !w.masquerade) && walks.exists_one(w, w.verdict == "DROP")', done=say("The address is kept, and one of the two nodes drops: the next drill.", "주소는 지켜지고, 두 노드 가운데 하나는 버립니다. 다음 훈련입니다.")),
        ), NET,
    ),
    Lesson(
        "one-node-port", "network", 7, say("The NodePort that works on one node only", "한 노드에서만 되는 NodePort"), say("“It works on node-1 and hangs on node-2.” Find out why, and mend it.", "“node-1에서는 되고 node-2에서는 멈춥니다.” 왜인지 알아내고 고칩니다."), 4,
        (
            Step(say("Somebody has set up a Service like this.", "누군가 이런 Service를 만들었습니다."), page="network", type=("kubectl create deployment web --image=nginx", "kubectl expose deployment web --port=80 --type=NodePort", "kubectl patch service web -p '{\"spec\":{\"ports\":[{\"port\":80,\"nodePort\":30080}]}}'", "kubectl patch service web -p '{\"spec\":{\"externalTrafficPolicy\":\"Local\"}}'"), walks=(OUT1, OUT2), task=say("Set it up.", "그대로 만드십시오."), until='walks.exists_one(w, w.verdict == "DNAT") && walks.exists_one(w, w.verdict == "DROP")'),
            Step(say("Send a packet from 203.0.113.9 to each node on port 30080, on this page.", "이 페이지에서 203.0.113.9에서 각 노드의 30080 포트로 패킷을 보내 보십시오."), page="network", predict=Predict(say("Which way to mend it keeps the client's address?", "클라이언트 주소를 지키면서 고치는 방법은?"), (say("externalTrafficPolicy: Cluster", "externalTrafficPolicy: Cluster"), say("A Pod on every node", "모든 노드에 Pod 하나씩")), 1, say("Cluster works everywhere, too, and masquerades. A load balancer would ask the health check node port and leave the empty node out.", "Cluster도 모든 곳에서 되지만 masquerade합니다. 로드 밸런서라면 상태 확인 포트를 물어 빈 노드를 제외합니다."))),
            Step(say("A Pod on every node: two replicas spread over two nodes.", "모든 노드에 Pod: 복제본 둘이 두 노드에 퍼집니다."), page="network", type=("kubectl scale deployment web --replicas=2",), walks=(OUT1, OUT2), task=say("Scale to two.", "둘로 늘리십시오."), until='walks.all(w, w.verdict == "DNAT" && !w.masquerade)'),
        ), NET,
    ),
    Lesson(
        "no-endpoints", "network", 8, say("No endpoints: REJECT", "엔드포인트 없음: REJECT"), say("“Connection refused” from a Service: who refuses?", "Service가 “connection refused”라고 합니다. 누가 거절합니까?"), 3,
        (
            Step(say("A Service whose selector matches nobody.", "셀렉터에 맞는 Pod가 하나도 없는 Service입니다."), page="network", type=("kubectl create service clusterip web --tcp=80",), walks=(ONE,), task=say("Make it.", "만드십시오."), until='walks[0].verdict == "REJECT"', done=say("A REJECT rule in the filter table: the node itself answers, at once.", "filter 테이블의 REJECT 규칙입니다. 노드 자신이 즉시 대답합니다.")),
            Step(say("That is a service to the client.", "클라이언트를 위한 배려입니다."), page="network", predict=Predict(say("Without that rule, what would a client see?", "이 규칙이 없다면 클라이언트는 무엇을 봅니까?"), (say("A timeout: the address is nobody's", "타임아웃: 그 주소는 누구의 것도 아닙니다"), say("The apiserver's answer", "apiserver의 응답")), 0, say("No host has the address, so the packet would be routed away and lost.", "그 주소를 가진 호스트가 없으므로 패킷은 밖으로 나가 사라집니다."))),
            Step(say("Give it somebody.", "누군가를 붙입니다."), page="network", type=("kubectl create deployment web --image=nginx",), walks=(ONE,), task=say("Make Pods with the label app=web.", "app=web 레이블의 Pod를 만드십시오."), until='walks[0].verdict == "DNAT"', done=say("The REJECT is gone as soon as the first Pod is ready.", "첫 Pod가 준비되자 REJECT가 사라졌습니다.")),
        ), NET,
    ),
    Lesson(
        "affinity", "network", 9, say("Affinity", "세션 고정"), say("The same client to the same Pod: how does a kernel remember?", "같은 클라이언트를 같은 Pod로. 커널은 어떻게 기억합니까?"), 3,
        (
            BEGIN,
            Step(say("Each new connection is drawn anew.", "새 연결마다 다시 뽑습니다."), page="network", predict=Predict(say("By what does sessionAffinity: ClientIP know a client?", "sessionAffinity: ClientIP는 클라이언트를 무엇으로 알아봅니까?"), (say("By a cookie", "쿠키"), say("By its source address", "출발지 주소")), 1, say("kube-proxy sees no HTTP. The kernel keeps a list of recent addresses for each endpoint.", "kube-proxy는 HTTP를 보지 않습니다. 커널이 엔드포인트마다 최근 주소의 목록을 가집니다."))),
            Step(say("Turn it on.", "켭니다."), page="network", type=("kubectl patch service web -p '{\"spec\":{\"sessionAffinity\":\"ClientIP\"}}'",), task=say("Set sessionAffinity.", "sessionAffinity를 설정하십시오."), until='rules.all(r, r.text.contains("-m recent"))',
                 done=say("`recent --rcheck --seconds 10800`: for three hours the same Pod, in the memory of that one node.", "`recent --rcheck --seconds 10800`: 세 시간 동안 같은 Pod입니다. 그 노드 하나의 기억 속에서만.")),
        ), NET,
    ),
    Lesson(
        "dead-pod", "network", 10, say("A dead Pod's last packets", "죽은 Pod의 마지막 패킷"), say("A host dies with a Pod on it. How long do packets still go there?", "호스트가 Pod와 함께 죽습니다. 패킷은 얼마 동안 그리로 갑니까?"), 4,
        (
            BEGIN,
            Step(say("Nobody tells the apiserver that a host has died: it falls silent.", "호스트가 죽었다고 apiserver에 알려 주는 이는 없습니다. 그저 조용해집니다."), page="network", predict=Predict(say("After which time are its endpoints taken out?", "엔드포인트는 얼마 뒤에 빠집니까?"), (say("At once", "즉시"), say("After about 50 s without a heartbeat", "하트비트가 없는 채로 약 50초 뒤"), say("After 5 minutes", "5분 뒤")), 1, say("Then the node is marked NotReady and with it its Pods; evicting them takes 5 minutes more.", "그때 노드가 NotReady로, 그 Pod들도 함께 표시됩니다. 축출은 5분이 더 걸립니다."))),
            Step(say("Switch node-2 off and send packets meanwhile.", "node-2를 끄고 그동안 패킷을 보내 보십시오."), page="network", act=(Act(say("Switch node-2 off", "node-2 끄기"), ({"type": "HostOp", "host": "node-2", "op": "stop"},)),), walks=(ONE,), task=say("Switch it off.", "끄십시오."), until='hosts.exists(h, h.name == "node-2" && !h.up) && walks[0].endpoints.size() == 2',
                 done=say("Half of the new connections now go to a host that is off.", "이제 새 연결의 절반이 꺼진 호스트로 갑니다.")),
            Step(say("Wait, faster if you like: the speed is at the bottom.", "기다립니다. 원하면 더 빠르게: 속도는 아래에 있습니다."), page="network", walks=(ONE,), task=say("Wait until the rules of node-1 have forgotten it.", "node-1의 규칙이 잊을 때까지 기다리십시오."), until='walks[0].endpoints.size() == 1', within=120, done=say("The tape shows the window: from the death to the rules' change.", "테이프에 그 시간이 보입니다. 죽음에서 규칙의 변경까지입니다.")),
        ), NET,
    ),
    Lesson(
        "dns-to-packet", "network", 11, say("DNS to packet", "DNS에서 패킷까지"), say("A program asks for “web”. Which names are tried, who answers, and where does the question itself go?", "프로그램이 “web”을 찾습니다. 어떤 이름들을 시도하고, 누가 대답하며, 질문 자체는 어디로 갑니까?"), 5,
        (
            WITH_PROBE,
            Step(say("A Pod's resolv.conf is written by its kubelet: `search default.svc.cluster.local svc.cluster.local cluster.local`, `ndots:5`.", "Pod의 resolv.conf는 kubelet이 씁니다: `search default.svc.cluster.local svc.cluster.local cluster.local`, `ndots:5`."), page="network",
                 predict=Predict(say("Which name is asked for first when a program looks up `web`?", "프로그램이 `web`을 찾을 때 가장 먼저 묻는 이름은?"), (say("web", "web"), say("web.default.svc.cluster.local", "web.default.svc.cluster.local"), say("web.cluster.local", "web.cluster.local")), 1, say("Fewer than five dots: the search list comes first. A name such as example.com is asked for four times for that reason.", "점이 다섯 개보다 적으면 검색 목록이 먼저입니다. 그래서 example.com 같은 이름은 네 번 묻게 됩니다."))),
            Step(say("The name server is 10.96.0.10: a Service like any other.", "네임 서버는 10.96.0.10, 여느 것과 같은 Service입니다."), page="network", type=("kubectl exec probe -- nslookup web.default.svc.cluster.local",), task=say("Look the name up from the Pod.", "Pod에서 이름을 찾으십시오."), until='passed.exists(p, p.dst == "10.96.0.10" && p.dport == 53)',
                 done=say("The question was translated by kube-proxy's rules on its way to CoreDNS: conntrack has the entry.", "질문은 CoreDNS로 가는 길에 kube-proxy의 규칙으로 번역되었습니다. conntrack에 항목이 있습니다.")),
            Step(say("Now the whole way: name, address, rule, Pod.", "이제 전체 길입니다: 이름, 주소, 규칙, Pod."), page="network", type=(CALL,), task=say("Fetch the page by its name.", "이름으로 페이지를 가져오십시오."), until='passed.exists(p, p.protocol == "tcp" && p.dport == 80) && flows.exists(f, f.protocol == "tcp" && f.dport == 80 && f.dnat && f.answered)',
                 done=say("Two translations: one for the question, one for the page.", "번역은 두 번입니다. 질문에 한 번, 페이지에 한 번.")),
        ), NET,
    ),
    Lesson(
        "policy-says-no", "network", 12, say("NetworkPolicy says no", "NetworkPolicy가 안 된다고 합니다"), say("Everything may talk to everything, until the first policy selects a Pod.", "첫 정책이 Pod를 고르기 전까지는 모두가 모두와 말할 수 있습니다."), 5,
        (
            WITH_PROBE,
            Step(say("Without any policy the call gets through.", "정책이 하나도 없으면 호출이 통과합니다."), page="network", type=(CALL,), task=say("Call the web server.", "웹 서버를 호출하십시오."), until='passed.exists(p, p.protocol == "tcp" && p.dport == 80 && p.allowed) && flows.exists(f, f.protocol == "tcp" && f.dport == 80 && f.answered)'),
            Step(say("A policy that selects the web servers for ingress, and has no rule.", "웹 서버의 ingress를 고르지만 규칙이 없는 정책입니다."), page="network", predict=Predict(say("Who may call them then?", "그러면 누가 호출할 수 있습니까?"), (say("Everybody: it forbids nothing", "모두: 금지한 것이 없으니까"), say("Nobody: it allows nothing", "아무도: 허용한 것이 없으니까")), 1, say("Being selected isolates; rules only ever add.", "선택되면 격리되고, 규칙은 더하기만 합니다."))),
            Step(say("Apply it and call again.", "적용하고 다시 호출합니다."), page="network", type=(policy("closed"), CALL), task=say("Close the web servers.", "웹 서버를 닫으십시오."), until='networkpolicies.size() == 1 && passed.exists(p, p.dport == 80 && !p.allowed)', done=say("No refusal comes back: the packet is dropped, the client waits for its timeout.", "거절은 돌아오지 않습니다. 패킷이 버려지고 클라이언트는 타임아웃을 기다립니다.")),
            Step(say("A second policy lets friends in.", "두 번째 정책이 친구를 들입니다."), page="network", type=(policy("friends", ',"ingress":[{"from":[{"podSelector":{"matchLabels":{"role":"friend"}}}]}]'), "kubectl label pod probe role=friend", "sleep 1; " + CALL), task=say("Allow Pods with role=friend, make the caller one, and call.", "role=friend인 Pod를 허용하고, 호출하는 쪽을 친구로 만든 뒤 호출하십시오."), until='networkpolicies.size() == 2 && passed.exists(p, p.protocol == "tcp" && p.dport == 80 && p.allowed && p.verdict != "drop")',
                 done=say("Labels decide, not addresses: the Pod may move, the rule stays true.", "주소가 아니라 레이블이 정합니다. Pod가 옮겨 가도 규칙은 맞습니다.")),
        ), NET,
    ),
)

LESSONS = tuple(shown(lesson) for lesson in _WRITTEN)
