"""Failure drills for operators: what keeps running, draining, and one Deployment followed to its first packet."""
# fmt: off

from explainer.lessons import Act, Lesson, Predict, Step, say

ONE = {"controlPlanes": 1, "etcdMembers": 1, "workers": 2, "legacyServiceAccountTokens": True}
WALK = {"src": "node-1", "dst": "default/web", "port": 80, "node": "node-1"}
RUNS = 'pods.filter(p, p.metadata.name.startsWith("web-") && p.status.phase == "Running").size()'

LESSONS = (
    Lesson(
        "keeps-running", "drills", 1, say("What keeps running without a control plane", "컨트롤 플레인 없이 계속되는 것"), say("The only control-plane host is off. Customers still get their pages. For how long?", "하나뿐인 컨트롤 플레인 호스트가 꺼졌습니다. 손님은 여전히 페이지를 받습니다. 언제까지?"), 4,
        (
            Step(say("A small shop: two web servers and a Service.", "작은 가게: 웹 서버 둘과 Service 하나입니다."), page="network", type=("kubectl create deployment web --image=nginx --replicas=2", "kubectl expose deployment web --port=80"), walks=(WALK,), task=say("Open the shop.", "가게를 여십시오."), until='walks[0].endpoints.size() == 2'),
            Step(say("Lights out in the control plane.", "컨트롤 플레인의 불을 끕니다."), page="ha", mark="[data-works]", act=(Act(say("Switch cp-1 off", "cp-1 끄기"), ({"type": "HostOp", "host": "cp-1", "op": "stop"},)),), walks=(WALK,), task=say("Switch cp-1 off; a packet must still reach both Pods.", "cp-1을 끄십시오. 패킷은 여전히 두 Pod에 닿아야 합니다."), until='hosts.exists(h, h.name == "cp-1" && !h.up) && walks[0].verdict == "DNAT" && walks[0].endpoints.size() == 2', done=say("Running Pods and rules need nobody.", "실행 중인 Pod와 규칙은 아무도 필요로 하지 않습니다.")),
            Step(say("Now a worker fails as well.", "이제 워커 하나도 죽습니다."), page="ha", predict=Predict(say("node-2 dies now. Who starts its Pod elsewhere?", "이제 node-2가 죽습니다. 누가 그 Pod를 다른 곳에서 시작합니까?"), (say("node-1's kubelet", "node-1의 kubelet"), say("Nobody", "아무도")), 1, say("Noticing, evicting, creating, placing: all four are work of the control plane.", "알아채기, 축출, 만들기, 배치, 넷 모두 컨트롤 플레인의 일입니다."))),
            Step(say("See that nothing is done about it, not even after a minute.", "1분이 지나도 아무도 손쓰지 않는 것을 보십시오."), page="network", act=(Act(say("Switch node-2 off", "node-2 끄기"), ({"type": "HostOp", "host": "node-2", "op": "stop"},)),), walks=(WALK,), task=say("Switch node-2 off and let a minute pass.", "node-2를 끄고 1분을 보내십시오."), until='hosts.exists(h, h.name == "node-2" && !h.up) && clock[0].seconds > 60.0 && walks[0].endpoints.size() == 2', within=80, done=say("Half of the packets go to a dead host, until the control plane is back.", "컨트롤 플레인이 돌아올 때까지 패킷의 절반이 죽은 호스트로 갑니다.")),
            Step(say("Light again.", "다시 불을 켭니다."), page="network", act=(Act(say("Switch cp-1 on", "cp-1 켜기"), ({"type": "HostOp", "host": "cp-1", "op": "start"},)),), walks=(WALK,), task=say("Switch cp-1 on; wait until the dead endpoint is gone.", "cp-1을 켜고 죽은 엔드포인트가 사라질 때까지 기다리십시오."), until='walks[0].endpoints.size() == 1', within=180),
        ), ONE,
    ),
    Lesson(
        "drain", "drills", 2, say("Drain a node", "노드 비우기"), say("Maintenance: move everything off a node without losing a customer.", "유지 보수: 손님을 잃지 않고 노드의 모든 것을 옮깁니다."), 4,
        (
            Step(say("Three web servers on two nodes.", "두 노드에 웹 서버 셋입니다."), type=("kubectl create deployment web --image=nginx --replicas=3",), task=say("Make them.", "만드십시오."), until=f"{RUNS} == 3"),
            Step(say("A budget says how many must stay.", "예산은 몇 개가 남아야 하는지 말합니다."), type=('echo \'{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"web"},"spec":{"minAvailable":2,"selector":{"matchLabels":{"app":"web"}}}}\' | kubectl apply -f -',), task=say("Set a PodDisruptionBudget.", "PodDisruptionBudget을 만드십시오."), until='poddisruptionbudgets.exists(b, b.metadata.name == "web")'),
            Step(say("Drain = cordon, then evict each Pod.", "비우기 = cordon한 뒤 Pod를 하나씩 축출합니다."), predict=Predict(say("Two web servers stand on that node. How does drain proceed?", "그 노드에 웹 서버가 둘 있습니다. drain은 어떻게 진행됩니까?"), (say("Both at once", "둘을 한꺼번에"), say("One, then it waits until its successor is ready", "하나를 옮기고, 후임이 준비될 때까지 기다립니다")), 1, say("The eviction that would break the budget is answered 429; kubectl asks again every 5 s.", "예산을 깨뜨릴 축출에는 429로 응답합니다. kubectl은 5초마다 다시 묻습니다."))),
            Step(say("Do it.", "하십시오."), type=("kubectl drain node-1 --ignore-daemonsets",), task=say("Drain node-1.", "node-1을 비우십시오."), until=f'nodes.exists(n, n.metadata.name == "node-1" && has(n.spec.unschedulable) && n.spec.unschedulable) && !pods.exists(p, p.metadata.name.startsWith("web-") && has(p.spec.nodeName) && p.spec.nodeName == "node-1") && {RUNS} == 3', within=120, done=say("Empty, and never fewer than two served.", "비었습니다. 그동안 둘 아래로 내려간 적이 없습니다.")),
            Step(say("The node may take Pods again; those that moved stay where they are.", "노드는 다시 Pod를 받습니다. 옮겨 간 Pod는 그대로 있습니다."), type=("kubectl uncordon node-1",), task=say("Uncordon it.", "uncordon 하십시오."), until='nodes.all(n, !has(n.spec.unschedulable))'),
        ), ONE,
    ),
    Lesson(
        "request-to-packet", "drills", 3, say("From request to packet", "요청에서 패킷까지"), say("One Deployment, one Service: from your keystroke to the first packet, each station once.", "Deployment 하나, Service 하나: 키를 누른 순간부터 첫 패킷까지 모든 역을 한 번씩 들릅니다."), 5,
        (
            Step(say("Your request passes TLS, authentication, authorization, admission and validation, then etcd.", "요청은 TLS, 인증, 인가, 승인, 검증을 지나 etcd로 갑니다."), page="requests", type=("kubectl create deployment web --image=nginx",), task=say("Create the Deployment and open its trace.", "Deployment를 만들고 그 트레이스를 여십시오."), until='requests.exists(r, r.method == "POST" && r.resource == "deployments" && r.code == 201)'),
            Step(say("What it caused: a ReplicaSet, a Pod, a binding, a container.", "그 요청이 일으킨 것: ReplicaSet, Pod, 바인딩, 컨테이너."), page="map", predict=Predict(say("Who made the Pod object?", "Pod 오브젝트는 누가 만들었습니까?"), (say("The scheduler", "스케줄러"), say("The kubelet", "노드의 kubelet"), say("The ReplicaSet controller", "ReplicaSet 컨트롤러")), 2, say("Deployment controller → ReplicaSet; ReplicaSet controller → Pod; scheduler → its node; kubelet → its containers.", "Deployment 컨트롤러 → ReplicaSet, ReplicaSet 컨트롤러 → Pod, 스케줄러 → 노드, kubelet → 컨테이너입니다."))),
            Step(say("Now an address for it.", "이제 주소를 줍니다."), page="requests", type=("kubectl expose deployment web --port=80",), task=say("Create the Service.", "Service를 만드십시오."), until='services.exists(s, s.metadata.name == "web") && endpointslices.exists(e, e.metadata.name.startsWith("web-") && e.endpoints.size() == 1)'),
            Step(say("The EndpointSlice reaches kube-proxy on every node by a watch; each writes its rules.", "EndpointSlice는 watch를 통해 모든 노드의 kube-proxy에 닿고, 저마다 규칙을 씁니다."), page="network", type=("kubectl scale deployment web --replicas=2",), walks=(WALK,), task=say("Scale to two, and send a packet on this page.", "둘로 늘리고 이 페이지에서 패킷을 보내십시오."), until='walks[0].verdict == "DNAT" && walks[0].endpoints.size() == 2 && rules.all(r, r.text.contains("default/web"))', done=say("From a wish to a packet: nobody commanded anybody; each watched and did its part.", "소원에서 패킷까지. 아무도 명령하지 않았고, 저마다 지켜보며 자기 몫을 했습니다.")),
        ), ONE,
    ),
)
