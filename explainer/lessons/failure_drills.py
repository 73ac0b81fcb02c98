"""Failure drills for operators: what keeps running, draining, a webhook that blocks everything, a rule of one's own, and one Deployment followed
to its first packet."""
# fmt: off

from explainer.lessons import Act, Lesson, Predict, Step, say

ONE = {"controlPlanes": 1, "etcdMembers": 1, "workers": 2, "legacyServiceAccountTokens": True}
WALK = {"src": "node-1", "dst": "default/web", "port": 80, "node": "node-1"}
RUNS = 'pods.filter(p, p.metadata.name.startsWith("web-") && p.status.phase == "Running").size()'

HOOK = (
    '{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"guard"},"webhooks":[{"name":"guard.example.com",'
    '"rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}],"clientConfig":{"service":{"namespace":"default","name":"guard"}},'
    '"sideEffects":"None","admissionReviewVersions":["v1"],"failurePolicy":"Fail"}]}'
)
FAILS_OPEN = """kubectl patch validatingwebhookconfiguration guard --type=json -p '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]'"""
POLICY = (
    '{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicy","metadata":{"name":"few"},"spec":{"matchConstraints":{"resourceRules":'
    '[{"apiGroups":["apps"],"apiVersions":["v1"],"operations":["CREATE","UPDATE"],"resources":["deployments"]}]},"validations":[{"expression":"object.spec.replicas <= 5",'
    '"message":"at most five replicas"}]}}'
)
BINDING = (
    '{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicyBinding","metadata":{"name":"few"},"spec":{"policyName":"few","validationActions":["Deny"]}}'
)

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
            Step(say("Drain = cordon, then evict each Pod.", "비우기 = cordon한 뒤 Pod를 하나씩 축출합니다."), predict=Predict(say("Suppose two web servers stand on that node. How does drain proceed?", "그 노드에 웹 서버가 둘 있다고 합시다. drain은 어떻게 진행됩니까?"), (say("Both at once", "둘을 한꺼번에"), say("One, then it waits until its successor is ready", "하나를 옮기고, 후임이 준비될 때까지 기다립니다")), 1, say("The eviction that would break the budget is answered 429; kubectl asks again every 5 s.", "예산을 깨뜨릴 축출에는 429로 응답합니다. kubectl은 5초마다 다시 묻습니다."))),
            Step(say("Do it.", "하십시오."), type=("kubectl drain node-1 --ignore-daemonsets",), task=say("Drain node-1.", "node-1을 비우십시오."), until=f'nodes.exists(n, n.metadata.name == "node-1" && has(n.spec.unschedulable) && n.spec.unschedulable) && !pods.exists(p, p.metadata.name.startsWith("web-") && has(p.spec.nodeName) && p.spec.nodeName == "node-1") && {RUNS} == 3', within=120, done=say("Empty, and never fewer than two served.", "비었습니다. 그동안 둘 아래로 내려간 적이 없습니다.")),
            Step(say("The node may take Pods again; those that moved stay where they are.", "노드는 다시 Pod를 받습니다. 옮겨 간 Pod는 그대로 있습니다."), type=("kubectl uncordon node-1",), task=say("Uncordon it.", "uncordon 하십시오."), until='nodes.all(n, !has(n.spec.unschedulable))'),
        ), ONE,
    ),
    Lesson(
        "webhook-blocks", "drills", 3, say("A webhook that blocks everything", "모든 것을 막는 웹훅"), say("Every new Pod must be approved by a guard. The guard is away.", "새 Pod는 모두 경비의 승인을 받아야 합니다. 그런데 경비가 자리에 없습니다."), 4,
        (
            Step(say("One web server.", "웹 서버 하나입니다."), type=("kubectl create deployment web --image=nginx",), task=say("Start it.", "시작하십시오."), until=f"{RUNS} == 1"),
            Step(say("A webhook is a question to somebody else: may this Pod be stored? Its Service does not exist yet.", "웹훅은 다른 이에게 묻는 것입니다. 이 Pod를 저장해도 됩니까? 그 Service는 아직 없습니다."), page="objects", type=(f"echo '{HOOK}' | kubectl apply -f -",), task=say("Register the guard.", "경비를 등록하십시오."), until='validatingwebhookconfigurations.exists(w, w.metadata.name == "guard")'),
            Step(say("Nothing has happened: what runs, runs.", "아무 일도 없습니다. 도는 것은 계속 돕니다."), predict=Predict(say("Now the Pod dies. Does the ReplicaSet replace it?", "이제 Pod가 죽습니다. ReplicaSet이 새로 만듭니까?"), (say("Yes, a controller is above admission", "예, 컨트롤러는 승인 위에 있습니다"), say("No, its request is refused like anybody's", "아니요, 누구의 요청이든 똑같이 거부됩니다")), 1, say("Controllers are clients of the apiserver like you: admission asks the guard about their Pods too.", "컨트롤러도 여러분처럼 apiserver의 클라이언트입니다. 승인 단계는 그들의 Pod도 경비에게 묻습니다."))),
            Step(say("See it.", "보십시오."), page="requests", type=("kubectl delete pod -l app=web",), task=say("Delete the Pod, and read at which stage the ReplicaSet controller's POST ends.", "Pod를 지우고, ReplicaSet 컨트롤러의 POST가 어느 단계에서 끝나는지 읽으십시오."), until='replicasets.exists(r, has(r.status.conditions) && r.status.conditions.exists(c, c.type == "ReplicaFailure" && c.message.contains("failed calling webhook"))) && pods.all(p, !p.metadata.name.startsWith("web-"))', done=say("500, failed calling webhook: its failurePolicy is Fail. Were the guard itself a Pod, it could not come back either.", "500, failed calling webhook. failurePolicy가 Fail이기 때문입니다. 경비가 Pod였다면 경비도 돌아오지 못합니다.")),
            Step(say("Configurations of webhooks are never sent to webhooks, so there is a way out.", "웹훅 설정은 웹훅에게 묻지 않습니다. 그래서 빠져나갈 길이 있습니다."), page="objects", type=(FAILS_OPEN,), task=say("Let it fail open, or delete the configuration.", "실패하면 통과시키게 하거나 설정을 지우십시오."), until=f"{RUNS} == 1", within=180, hint=say("The controller doubles its wait after each refusal: it may take as long again as it has been refused. `kubectl rollout restart deployment web` makes it begin anew.", "컨트롤러는 거절될 때마다 기다리는 시간을 두 배로 늘립니다. 거절된 동안만큼 더 걸릴 수 있습니다. `kubectl rollout restart deployment web`을 하면 새로 시작합니다."), done=say("The controller tried again by itself. In production, leave kube-system out of such a webhook.", "컨트롤러가 스스로 다시 시도합니다. 실제 운영에서는 이런 웹훅에서 kube-system을 빼 두십시오.")),
        ), ONE,
    ),
    Lesson(
        "own-rule", "drills", 4, say("A rule of your own", "나만의 규칙"), say("No more than five replicas: written in one line, checked inside the apiserver, without a webhook.", "복제본은 다섯 개까지: 한 줄로 쓰고, 웹훅 없이 apiserver 안에서 검사합니다."), 3,
        (
            Step(say("A ValidatingAdmissionPolicy holds the expression. It does nothing yet.", "ValidatingAdmissionPolicy가 식을 담습니다. 아직 아무 일도 하지 않습니다."), page="objects", type=(f"echo '{POLICY}' | kubectl apply -f -",), task=say("Write it.", "쓰십시오."), until='validatingadmissionpolicies.exists(p, p.metadata.name == "few")'),
            Step(say("A binding puts it to work, and says what happens to one who fails: Deny, Warn or Audit.", "바인딩이 정책을 일하게 하고, 어긴 요청을 어떻게 할지 정합니다: Deny, Warn, Audit."), page="objects", type=(f"echo '{BINDING}' | kubectl apply -f -",), task=say("Bind it.", "바인딩하십시오."), until='validatingadmissionpolicybindings.exists(b, b.spec.policyName == "few")'),
            Step(say("Try to break it.", "어겨 보십시오."), page="requests", type=("kubectl create deployment web --image=nginx --replicas=6",), task=say("Ask for six replicas, and open the trace at its last stage.", "복제본 여섯 개를 청하고, 트레이스의 마지막 단계를 여십시오."), until='requests.exists(r, r.method == "POST" && r.resource == "deployments" && r.code == 422)', done=say("422, in your own words.", "422, 여러분이 쓴 말 그대로입니다.")),
            Step(say("kubectl scale writes to the subresource deployments/scale.", "kubectl scale은 하위 리소스 deployments/scale에 씁니다."), page="requests", predict=Predict(say("Your rule names deployments. Does it see a scale to 7?", "규칙은 deployments라고만 적었습니다. 7로 늘리는 scale도 봅니까?"), (say("Yes, it is the same object", "예, 같은 오브젝트입니다"), say("No, a subresource must be named too", "아니요, 하위 리소스도 적어야 합니다")), 1, say("Rules match resource and subresource: name deployments/scale as well, or somebody walks around you.", "규칙은 리소스와 하위 리소스를 함께 맞춥니다. deployments/scale도 적지 않으면 누군가 돌아서 갑니다."))),
            Step(say("Walk around it.", "돌아서 가 보십시오."), page="requests", type=("kubectl create deployment web --image=nginx", "kubectl scale deployment web --replicas=7"), task=say("Create one replica, then scale to seven.", "하나를 만든 다음 일곱으로 늘리십시오."), until='deployments.exists(d, d.metadata.name == "web" && d.spec.replicas == 7)', done=say("Now you know what to add to the rule.", "이제 규칙에 무엇을 더할지 압니다.")),
        ), ONE,
    ),
    Lesson(
        "request-to-packet", "drills", 5, say("From request to packet", "요청에서 패킷까지"), say("One Deployment, one Service: from your keystroke to the first packet, each station once.", "Deployment 하나, Service 하나: 키를 누른 순간부터 첫 패킷까지 모든 역을 한 번씩 들릅니다."), 5,
        (
            Step(say("Your request passes TLS, authentication, authorization, admission and validation, then etcd.", "요청은 TLS, 인증, 인가, 승인, 검증을 지나 etcd로 갑니다."), page="requests", type=("kubectl create deployment web --image=nginx",), task=say("Create the Deployment and open its trace.", "Deployment를 만들고 그 트레이스를 여십시오."), until='requests.exists(r, r.method == "POST" && r.resource == "deployments" && r.code == 201)'),
            Step(say("What it caused: a ReplicaSet, a Pod, a binding, a container.", "그 요청이 일으킨 것: ReplicaSet, Pod, 바인딩, 컨테이너."), page="map", predict=Predict(say("Who made the Pod object?", "Pod 오브젝트는 누가 만들었습니까?"), (say("The scheduler", "스케줄러"), say("The kubelet", "노드의 kubelet"), say("The ReplicaSet controller", "ReplicaSet 컨트롤러")), 2, say("Deployment controller → ReplicaSet; ReplicaSet controller → Pod; scheduler → its node; kubelet → its containers.", "Deployment 컨트롤러 → ReplicaSet, ReplicaSet 컨트롤러 → Pod, 스케줄러 → 노드, kubelet → 컨테이너입니다."))),
            Step(say("Now an address for it.", "이제 주소를 줍니다."), page="requests", type=("kubectl expose deployment web --port=80",), task=say("Create the Service.", "Service를 만드십시오."), until='services.exists(s, s.metadata.name == "web") && endpointslices.exists(e, e.metadata.name.startsWith("web-") && e.endpoints.size() == 1)'),
            Step(say("The EndpointSlice reaches kube-proxy on every node by a watch; each writes its rules.", "EndpointSlice는 watch를 통해 모든 노드의 kube-proxy에 닿고, 저마다 규칙을 씁니다."), page="network", type=("kubectl scale deployment web --replicas=2",), walks=(WALK,), task=say("Scale to two, and send a packet on this page.", "둘로 늘리고 이 페이지에서 패킷을 보내십시오."), until='walks[0].verdict == "DNAT" && walks[0].endpoints.size() == 2 && rules.all(r, r.text.contains("default/web"))', done=say("From a wish to a packet: nobody commanded anybody; each watched and did its part.", "소원에서 패킷까지. 아무도 명령하지 않았고, 저마다 지켜보며 자기 몫을 했습니다.")),
        ), ONE,
    ),
)
