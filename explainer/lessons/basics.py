"""The first lessons: what the parts are, that the apiserver is a REST API, a request's way in, calling it by hand."""
# fmt: off

from explainer.lessons import Act, Lesson, Predict, Step, Wrong, say

ONE = {"controlPlanes": 1, "etcdMembers": 1, "workers": 2, "legacyServiceAccountTokens": True}
WEB_PODS = 'pods.filter(p, p.metadata.name.startsWith("web-") && p.status.phase == "Running").size()'


def process(op: str, name: str) -> dict:
    return {"type": "ProcessOp", "process": name, "op": op}


LESSONS = (
    Lesson(
        "components", "basics", 1,
        say("The parts, and who talks to whom", "구성 요소와 누가 누구와 말하는가"),
        say("Six programs make a cluster. Take one away at a time and see what it was for.", "여섯 프로그램이 클러스터를 이룹니다. 하나씩 빼면서 무엇을 하는지 봅니다."),
        6,
        (
            Step(say("On the left the control plane: apiserver, etcd, scheduler, controller-manager. On the right workers: kubelet and kube-proxy on each.", "왼쪽은 컨트롤 플레인입니다: apiserver, etcd, 스케줄러, 컨트롤러 매니저. 오른쪽은 워커이며 각각 kubelet과 kube-proxy가 있습니다."),
                 predict=Predict(say("Who talks to etcd?", "누가 etcd와 말합니까?"), (say("Everybody who needs data", "데이터가 필요한 모두"), say("Only the apiserver", "apiserver만"), say("The scheduler and the kubelets", "스케줄러와 kubelet")), 1,
                                 say("All others talk to the apiserver, and only to it. Follow the lines on the map.", "나머지는 모두 apiserver하고만 말합니다. 지도에서 선을 따라가 보십시오."))),
            Step(say("A Deployment is a wish. The controller-manager makes Pods of it, the scheduler gives each a node, the node's kubelet starts it.", "Deployment는 원하는 상태를 적은 것입니다. 컨트롤러 매니저가 Pod를 만들고, 스케줄러가 노드를 정하고, 그 노드의 kubelet이 시작합니다."),
                 type=("kubectl create deployment web --image=nginx --replicas=2",), task=say("Wish for two web servers.", "웹 서버 두 개를 요청하십시오."), until=f"{WEB_PODS} == 2",
                 done=say("Two Pods run. Four programs had a hand in it, and each only wrote to the apiserver.", "Pod 두 개가 실행됩니다. 네 프로그램이 관여했고, 저마다 apiserver에만 썼습니다.")),
            Step(say("Now take the scheduler away and wish for two more.", "이제 스케줄러를 빼고 두 개를 더 요청합니다."), act=(Act(say("Stop the scheduler", "스케줄러 멈추기"), (process("stop", "kube-scheduler-cp-1"),)),),
                 type=("kubectl scale deployment web --replicas=4",), task=say("Stop the scheduler, then scale to four.", "스케줄러를 멈춘 뒤 넷으로 늘리십시오."),
                 until='pods.filter(p, p.metadata.name.startsWith("web-") && !has(p.spec.nodeName)).size() == 2 && processes.exists(p, p.kind == "kube-scheduler" && !p.up)',
                 done=say("Two Pods exist and have no node. Nobody else chooses one; nothing else is broken.", "Pod 두 개가 있지만 노드가 없습니다. 대신 골라 줄 이는 없으며, 다른 것은 고장 나지 않았습니다."),
                 wrong=(Wrong(f"{WEB_PODS} == 4", say("The Pods were placed before the scheduler was stopped. Begin this step again, and stop it first.", "스케줄러를 멈추기 전에 Pod가 배치되었습니다. 이 단계를 다시 시작하고 먼저 멈추십시오.")),)),
            Step(say("The scheduler looks at what is there when it starts; it needs no reminder.", "스케줄러는 시작할 때 있는 것을 봅니다. 다시 알려 줄 필요가 없습니다."), act=(Act(say("Start the scheduler", "스케줄러 시작"), (process("start", "kube-scheduler-cp-1"),)),),
                 task=say("Start it, and wait for the two Pods.", "시작하고 두 Pod를 기다리십시오."), until=f"{WEB_PODS} == 4", within=90,
                 done=say("Placed. It first waited for its own Lease, lest two schedulers work at once.", "배치되었습니다. 두 스케줄러가 동시에 일하지 않도록 먼저 자기 Lease를 기다렸습니다.")),
            Step(say("Last, the apiserver itself. Everybody talks to it.", "마지막으로 apiserver입니다. 모두가 여기에 말합니다."), predict=Predict(say("It stops. What becomes of the four web servers?", "apiserver가 멈춥니다. 웹 서버 넷은 어떻게 됩니까?"),
                 (say("They stop", "멈춥니다"), say("They go on; only nothing can be changed", "계속됩니다. 다만 아무것도 바꿀 수 없습니다")), 1, say("Kubelets keep running what they were last told, and kube-proxy's rules stay in the kernel.", "kubelet은 마지막으로 들은 대로 계속 실행하고, kube-proxy의 규칙은 커널에 남습니다."))),
            Step(say("See for yourself.", "직접 보십시오."), page="ha", mark="[data-works]", act=(Act(say("Stop the apiserver", "apiserver 멈추기"), (process("stop", "kube-apiserver-cp-1"),)),),
                 task=say("Stop the apiserver and read the list “What still works”.", "apiserver를 멈추고 “아직 동작하는 것” 목록을 읽으십시오."), until='processes.exists(p, p.kind == "kube-apiserver" && !p.up)',
                 done=say("A control plane of one host is a single point of failure: of changes, not of what runs.", "호스트 하나짜리 컨트롤 플레인은 단일 장애점입니다. 실행이 아니라 변경의 단일 장애점입니다.")),
        ),
        ONE,
    ),
    Lesson(
        "rest", "basics", 2,
        say("The apiserver is just a REST API", "apiserver는 REST API일 뿐입니다"),
        say("kubectl is an HTTP client. See the calls that it makes, then make them without it.", "kubectl은 HTTP 클라이언트입니다. 그 호출을 보고, kubectl 없이도 해 봅니다."),
        4,
        (
            Step(say("With `-v 9` kubectl prints every call as a curl line.", "`-v 9`를 주면 kubectl이 모든 호출을 curl 줄로 출력합니다."), page="requests", type=("kubectl get service -v 9",), task=say("List the Services, loudly.", "자세한 출력을 켜고 Service 목록을 요청하십시오."),
                 until='requests.exists(r, r.verb == "list" && r.resource == "services" && r.agent.startsWith("kubectl"))', done=say("A GET of a path. It stands in the list of requests, too: open it to see each stage.", "경로 하나에 대한 GET입니다. 요청 목록에도 있습니다. 열어서 단계를 보십시오.")),
            Step(say("The path is the whole question: group, version, namespace, resource.", "경로가 곧 질문 전체입니다: 그룹, 버전, 네임스페이스, 리소스."), page="requests",
                 predict=Predict(say("Which path lists the Deployments of `default`?", "`default`의 Deployment를 나열하는 경로는?"), (say("/api/v1/namespaces/default/deployments", "/api/v1/namespaces/default/deployments"), say("/apis/apps/v1/namespaces/default/deployments", "/apis/apps/v1/namespaces/default/deployments")), 1,
                                 say("Only the core group lives under /api; all others under /apis with their name.", "코어 그룹만 /api 아래에 있고, 나머지는 모두 이름과 함께 /apis 아래에 있습니다."))),
            Step(say("Ask for a path as it is.", "경로를 그대로 요청합니다."), page="requests", type=("kubectl get --raw /apis/apps/v1/namespaces/default/deployments",), task=say("GET the path itself.", "경로 자체를 GET 하십시오."),
                 until='requests.exists(r, r.path == "/apis/apps/v1/namespaces/default/deployments" && r.code == 200)', done=say("JSON, as every client gets it; kubectl asks for a table instead and prints that.", "모든 클라이언트가 받는 JSON입니다. kubectl은 대신 표를 요청해 출력합니다.")),
            Step(say("Creating is a POST to the list's path.", "만들기는 목록 경로에 대한 POST입니다."), page="requests", type=("kubectl create configmap note --from-literal=a=1",), task=say("Create something.", "무언가를 만드십시오."),
                 until='configmaps.exists(c, c.metadata.name == "note") && requests.exists(r, r.method == "POST" && r.resource == "configmaps" && r.code == 201)', done=say("201 Created.", "201 Created입니다.")),
            Step(say("And deleting is a DELETE of its own path.", "지우기는 그 자신의 경로에 대한 DELETE입니다."), page="requests", type=("kubectl delete configmap note",), task=say("Delete it.", "지우십시오."),
                 until='!configmaps.exists(c, c.metadata.name == "note") && requests.exists(r, r.method == "DELETE" && r.name == "note")', done=say("Verbs and nouns: that is all of it.", "동사와 명사, 그것이 전부입니다.")),
        ),
        ONE,
    ),
    Lesson(
        "way-in", "basics", 3,
        say("A request's way in", "요청이 들어오는 길"),
        say("Who are you, may you, is it well-formed, what shall be added: a request is refused at each of these doors once.", "누구인가, 해도 되는가, 형식이 맞는가, 무엇을 더할 것인가. 요청은 문마다 한 번씩 거절당해 봅니다."),
        6,
        (
            Step(say("Jane has a name, but no rights. `--as` lets the admin speak as her.", "jane은 이름은 있지만 권한이 없습니다. `--as`로 관리자가 jane으로 말할 수 있습니다."), page="requests", type=("kubectl get pods --as=jane",),
                 task=say("Ask as Jane.", "jane으로 물어보십시오."), until='requests.exists(r, r.user == "jane" && r.code == 403)', done=say("403 Forbidden, at authorization. Open the request: the near misses are listed there.", "인가 단계에서 403 Forbidden입니다. 요청을 열면 아깝게 빗나간 규칙이 나열됩니다.")),
            Step(say("RBAC only ever allows: a binding ties a role to a name.", "RBAC은 허용만 합니다. 바인딩이 역할을 이름에 묶습니다."), page="requests", type=("kubectl create rolebinding jane-views --clusterrole=view --user=jane", "kubectl get pods --as=jane"),
                 task=say("Grant it and ask again.", "권한을 주고 다시 물어보십시오."), until='rolebindings.exists(b, b.metadata.name == "jane-views") && requests.exists(r, r.user == "jane" && r.code == 200 && r.resource == "pods")', done=say("200. Put both requests side by side on the page of requests to see where they part.", "200입니다. 요청 페이지에서 두 요청을 나란히 놓으면 어디서 갈라지는지 보입니다.")),
            Step(say("The next doors look at the object itself.", "다음 문들은 오브젝트 자체를 봅니다."), page="requests", predict=Predict(say("`kubectl run Bad_Name --image=nginx` as admin. Which code?", "관리자로 `kubectl run Bad_Name --image=nginx`. 어떤 코드입니까?"), (say("403 Forbidden", "403 Forbidden"), say("422 Unprocessable: invalid", "422 Unprocessable: 유효하지 않음"), say("201: names are free", "201: 이름은 자유")), 1,
                 say("The admin may do it, but it is no valid Pod. Validation lists all complaints at once.", "관리자는 해도 되지만 유효한 Pod가 아닙니다. 검증은 모든 불만을 한꺼번에 나열합니다."))),
            Step(say("Try it.", "해 보십시오."), page="requests", type=("kubectl run Bad_Name --image=nginx",), task=say("Send an invalid Pod.", "유효하지 않은 Pod를 보내십시오."), until='requests.exists(r, r.code == 422)', done=say("Refused after mutating admission, before etcd: nothing was stored.", "변경(mutating) 어드미션 뒤, etcd 전에 거절되었습니다. 아무것도 저장되지 않았습니다.")),
            Step(say("Admission also adds: a service account, a token's volume, tolerations.", "승인 단계는 더하기도 합니다: 서비스 어카운트, 토큰 볼륨, toleration."), page="requests", type=("kubectl run plain --image=nginx",), task=say("Send a Pod of one line, and look at what was stored.", "한 줄짜리 Pod를 보내고 무엇이 저장되었는지 보십시오."),
                 until='pods.exists(p, p.metadata.name == "plain" && p.spec.serviceAccountName == "default" && p.spec.volumes.size() == 1)', done=say("You wrote an image; the stored Pod has a hundred lines. The trace names who wrote which.", "이미지만 썼는데 저장된 Pod는 백 줄입니다. 누가 무엇을 썼는지 트레이스가 이름을 댑니다.")),
        ),
        ONE,
    ),
    Lesson(
        "calling-it", "basics", 4,
        say("Calling it yourself", "직접 호출하기"),
        say("Without kubectl: trust its certificate, be nobody, become a service account, be allowed, read, delete.", "kubectl 없이: 인증서를 믿고, 아무도 아니다가, 서비스 어카운트가 되고, 허용받고, 읽고, 지웁니다."),
        8,
        (
            Step(say("First the address, and a Pod to play with.", "먼저 주소와, 가지고 놀 Pod 하나입니다."), page="requests", type=("kubectl cluster-info", "SERVER=$(kubectl config view --minify --output 'jsonpath={.clusters[0].cluster.server}')", "kubectl run mynginx --image=nginx"),
                 task=say("Run these lines.", "이 줄들을 실행하십시오."), until='pods.exists(p, p.metadata.name == "mynginx")'),
            Step(say("`curl $SERVER` fails: nobody has told curl to trust this cluster's authority. kubeconfig carries its certificate.", "`curl $SERVER`는 실패합니다. 이 클러스터의 인증 기관을 믿으라고 curl에 알려 준 이가 없습니다. kubeconfig에 그 인증서가 있습니다."), page="requests",
                 type=("curl $SERVER", "kubectl config view --minify --raw --output 'jsonpath={..cluster.certificate-authority-data}' | base64 -d > k8s-ca.cert", "curl --cacert k8s-ca.cert $SERVER"),
                 task=say("Take the CA out, and call with it.", "CA를 꺼내 그것으로 호출하십시오."), until='requests.exists(r, r.user == "system:anonymous" && r.code == 403)', done=say("Trusted now, but you are nobody: system:anonymous is forbidden.", "이제 믿지만 당신은 아무도 아닙니다. system:anonymous는 금지됩니다.")),
            Step(say("A service account has a token, a signed JWT. In this cluster it lies in a Secret, as before 1.24.", "서비스 어카운트에는 서명된 JWT 토큰이 있습니다. 이 클러스터에서는 1.24 이전처럼 Secret에 들어 있습니다."), page="requests",
                 type=("TOKEN=$(kubectl get secret $(kubectl get sa default -ojsonpath=\"{.secrets[0].name}\") -ojsonpath=\"{.data.token}\" | base64 -d)", "curl -s -k -H \"Authorization: Bearer $TOKEN\" $SERVER/api/v1/nodes"),
                 task=say("Take the token and call with it.", "토큰을 꺼내 그것으로 호출하십시오."), until='requests.exists(r, r.user == "system:serviceaccount:default:default" && r.code == 403)', done=say("Authenticated: you have a name. Still 403: the name has no rights.", "인증되었습니다. 이름이 생겼습니다. 그래도 403입니다. 그 이름에는 권한이 없습니다.")),
            Step(say("Grant that account everything (a lesson may, production should not).", "그 계정에 모든 권한을 줍니다(수업에서는 괜찮지만 운영에서는 안 됩니다)."), page="requests", predict=Predict(say("Must the token be fetched anew after the grant?", "권한을 준 뒤 토큰을 새로 받아야 합니까?"), (say("Yes, rights are in the token", "예, 권한은 토큰 안에 있습니다"), say("No, the token only says who you are", "아니요, 토큰은 누구인지만 말합니다")), 1, say("Authentication and authorization are two doors.", "인증과 인가는 서로 다른 문입니다.")),
                 type=("kubectl create clusterrolebinding default-cluster-admin --clusterrole cluster-admin --serviceaccount default:default", "curl -s -k -H \"Authorization: Bearer $TOKEN\" $SERVER/api/v1/nodes"),
                 task=say("Grant, and read the nodes.", "권한을 주고 노드를 읽으십시오."), until='clusterrolebindings.exists(b, b.metadata.name == "default-cluster-admin") && requests.exists(r, r.user == "system:serviceaccount:default:default" && r.code == 200 && r.resource == "nodes")'),
            Step(say("Reading and deleting are only other verbs.", "읽기와 지우기는 다른 동사일 뿐입니다."), page="requests", type=("curl -s -k -H \"Authorization: Bearer $TOKEN\" -X GET $SERVER/api/v1/namespaces/default/pods", "curl -s -k -H \"Authorization: Bearer $TOKEN\" -X DELETE $SERVER/api/v1/namespaces/default/pods/mynginx"),
                 task=say("List the Pods, then delete mynginx.", "Pod를 나열한 뒤 mynginx를 지우십시오."), until='requests.exists(r, r.method == "DELETE" && r.name == "mynginx" && r.code == 200 && r.user == "system:serviceaccount:default:default")',
                 done=say("That is all that kubectl does.", "kubectl이 하는 일은 이것이 전부입니다."), within=90),
        ),
        ONE,
    ),
)
