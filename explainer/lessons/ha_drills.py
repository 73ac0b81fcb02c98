"""Drills on high availability: layouts under the same failures, leases, members that come, go and run full."""
# fmt: off

from explainer.lessons import Act, Lesson, Predict, Step, Wrong, say

THREE = {"controlPlanes": 3, "etcdMembers": 3, "workers": 1}
EXTERNAL = {"topology": "external", "controlPlanes": 2, "etcdMembers": 3, "workers": 1}


def host(op: str, name: str) -> dict:
    return {"type": "HostOp", "host": name, "op": op}


def gateway(path: str, body: str) -> dict:
    return {"type": "EtcdGatewayIn", "call": "", "member": "{leader}", "path": path, "body": body.encode()}


LESSONS = (
    Lesson(
        "one-host-down", "ha", 1, say("One host of three", "호스트 셋 가운데 하나"), say("A control-plane host dies with everything on it. What is lost, and what is left to lose?", "컨트롤 플레인 호스트가 그 위의 모든 것과 함께 죽습니다. 무엇을 잃고, 무엇을 더 잃어도 됩니까?"), 4,
        (
            Step(say("Stacked: each of the three hosts carries an apiserver, a member of etcd, a scheduler and a controller-manager.", "스택형: 세 호스트가 각각 apiserver, etcd 멤버, 스케줄러, 컨트롤러 매니저를 떠받칩니다."), page="ha", mark=".ha-picture",
                 predict=Predict(say("One host dies. How many more may die?", "호스트 하나가 죽습니다. 몇 대가 더 죽어도 됩니까?"), (say("None", "0대"), say("One: two apiservers are left", "1대: apiserver가 둘 남으니까")), 0, say("Two apiservers are left, but of three members two are the majority: no spare.", "apiserver는 둘 남지만, 멤버 셋의 과반수는 둘이라 여유가 없습니다."))),
            Step(say("Switch one off.", "하나를 끕니다."), page="ha", mark=".meter", act=(Act(say("Switch cp-1 off", "cp-1 끄기"), (host("stop", "cp-1"),)),), task=say("Switch cp-1 off and read the meter.", "cp-1을 끄고 미터를 읽으십시오."), until='hosts.exists(h, h.name == "cp-1" && !h.up) && quorum[0].have == 2 && quorum[0].leader != ""',
                 done=say("Have 2, need 2, may still lose 0. Everything works: see the list.", "2개 있고 2개 필요, 더 잃어도 되는 것은 0. 모든 것이 동작합니다. 목록을 보십시오."),
                 wrong=(Wrong("quorum[0].have < quorum[0].need", say("More than one host is off: there is no majority. Switch one on again.", "호스트가 둘 이상 꺼져 과반수가 없습니다. 하나를 다시 켜십시오.")),)),
            Step(say("The balancer leaves the dead apiserver out; kubectl hardly notices.", "로드 밸런서가 죽은 apiserver를 제외합니다. kubectl은 거의 느끼지 못합니다."), page="requests", type=("kubectl get nodes || kubectl get nodes || kubectl get nodes",), task=say("Ask for the nodes. The first connection may still meet the dead one; then ask again.", "노드를 물어보십시오. 첫 연결은 죽은 쪽을 만날 수 있습니다. 그러면 다시 물어보십시오."), until='requests.exists(r, r.resource == "nodes" && r.code == 200)', within=90),
            Step(say("A dead host is replaced, not mourned: until then there is no spare.", "죽은 호스트는 슬퍼할 것이 아니라 교체할 것입니다. 그때까지는 여유가 없습니다."), page="ha", act=(Act(say("Switch cp-1 on", "cp-1 켜기"), (host("start", "cp-1"),)),), task=say("Switch it on, and wait until one more may be lost.", "켜고, 하나를 더 잃어도 될 때까지 기다리십시오."), until="quorum[0].have == 3 && quorum[0].mayLose == 1"),
        ), THREE,
    ),
    Lesson(
        "stacked-external", "ha", 2, say("Stacked against external under the same failures", "같은 장애에서의 스택형과 외부형"), say("Two hosts fail. Stacked of three is dead then. And external?", "호스트 두 대가 죽습니다. 셋짜리 스택형은 끝입니다. 외부형은?"), 5,
        (
            Step(say("Here etcd has hosts of its own: three for members, two for apiservers. Five hosts instead of three.", "여기서는 etcd에 자기 호스트가 있습니다. 멤버용 셋, apiserver용 둘. 셋이 아니라 다섯입니다."), page="ha", mark=".ha-picture",
                 predict=Predict(say("cp-1 and etcd-1 fail together. Does `kubectl apply` still work?", "cp-1과 etcd-1이 함께 죽습니다. `kubectl apply`는 아직 됩니까?"), (say("Yes", "예"), say("No", "아니요")), 0, say("One apiserver is left, and two of three members: each layer lost one of its own.", "apiserver 하나와 멤버 셋 가운데 둘이 남습니다. 층마다 자기 것을 하나씩 잃었을 뿐입니다."))),
            Step(say("Two failures, one in each layer.", "층마다 하나씩, 두 번의 장애입니다."), page="ha", mark=".meter", act=(Act(say("Switch off cp-1 and etcd-1", "cp-1과 etcd-1 끄기"), (host("stop", "cp-1"), host("stop", "etcd-1"))),), task=say("Switch them off; then write something.", "끈 다음 무언가를 쓰십시오."), type=("kubectl create configmap alive --from-literal=a=1 || kubectl create configmap alive --from-literal=a=1 || kubectl create configmap alive --from-literal=a=1",),
                 until='hosts.filter(h, !h.up).size() == 2 && quorum[0].have == 2 && configmaps.exists(c, c.metadata.name == "alive")', within=120, done=say("Alive. In the stacked layout two hosts would have taken two members along.", "살아 있습니다. 스택형이었다면 호스트 둘이 멤버 둘을 함께 데려갔을 것입니다.")),
            Step(say("But two failures in one layer are as bad as ever.", "하지만 한 층에서 두 번이면 똑같이 나쁩니다."), page="ha", mark="[data-works]", act=(Act(say("Switch off etcd-2, too", "etcd-2도 끄기"), (host("stop", "etcd-2"),)),), task=say("Switch off a second member's host.", "두 번째 멤버의 호스트를 끄십시오."), until="quorum[0].have == 1",
                 done=say("An apiserver that runs, and nothing that it could write to.", "실행 중인 apiserver는 있지만 쓸 곳이 없습니다.")),
            Step(say("Availability by numbers: at 1 % host failures, stacked with 3 hosts is down 0.0298 % of the time, external with 2 + 3 hosts 0.0398 %. External buys isolation.", "숫자로 보는 가용성: 호스트 고장률 1%에서 호스트 3대 스택형은 0.0298%, 2+3대 외부형은 0.0398% 동안 멈춥니다. 외부형으로 얻는 것은 격리입니다."), page="ha", mark="[data-odds]", act=(Act(say("Switch all on", "모두 켜기"), (host("start", "cp-1"), host("start", "etcd-1"), host("start", "etcd-2"))),),
                 task=say("Switch all on again. Below, “The same workload on another layout” makes the stacked twin to compare with.", "모두 다시 켜십시오. 아래의 “같은 워크로드를 다른 배치에서”가 비교할 스택형 쌍둥이를 만듭니다."), until='hosts.all(h, h.up) && quorum[0].have == 3 && quorum[0].leader != ""'),
        ), EXTERNAL,
    ),
    Lesson(
        "own-member", "ha", 4, say("A host that runs and is of no use", "켜져 있지만 쓸모없는 호스트"), say("Only the etcd process of one host dies. Its apiserver runs on. Whom does it ask now?", "한 호스트의 etcd 프로세스만 죽습니다. 그 apiserver는 계속 실행됩니다. 이제 누구에게 물어봅니까?"), 4,
        (
            Step(say("Stacked, as kubeadm sets it up: each apiserver is told one endpoint, `--etcd-servers=https://127.0.0.1:2379`, the member on its own host. See the arrows.", "kubeadm이 만드는 스택형: apiserver마다 엔드포인트는 하나, 자기 호스트의 멤버인 `--etcd-servers=https://127.0.0.1:2379`뿐입니다. 화살표를 보십시오."), page="ha", mark=".ha-picture",
                 predict=Predict(say("m2 dies, cp-2 stays on. What does the apiserver of cp-2 do?", "m2가 죽고 cp-2는 켜져 있습니다. cp-2의 apiserver는 어떻게 합니까?"), (say("It asks m1 or m3", "m1이나 m3에 묻는다"), say("It answers every read and write of etcd with an error", "etcd를 읽고 쓰는 모든 요청에 오류로 답한다")), 1,
                                 say("It knows no other endpoint. A member fails, and takes its apiserver along: coupled failure. In the external layout each apiserver knows all members.", "다른 엔드포인트를 모릅니다. 멤버 하나가 죽으면서 그 apiserver를 함께 데려갑니다. 외부형에서는 apiserver마다 모든 멤버를 압니다."))),
            Step(say("Stop m2, and ask straight away, several times: the balancer still gives cp-2 its share.", "m2를 멈추고 곧바로 여러 번 물어보십시오. 로드 밸런서는 아직 cp-2에도 몫을 나눠 줍니다."), page="requests", act=(Act(say("Stop m2", "m2 멈추기"), ({"type": "MemberOp", "member": "m2", "op": "stop"},)),), type=("kubectl get nodes; kubectl get nodes; kubectl get nodes",), task=say("Stop m2 and read the nodes until one answer is an error.", "m2를 멈추고, 오류가 하나 나올 때까지 노드를 읽으십시오."),
                 until='members.exists(m, m.id == "m2" && !m.up) && requests.exists(r, r.code == 500)', done=say("“dial tcp 127.0.0.1:2379: connect: connection refused”, from a server whose host is well.", "“dial tcp 127.0.0.1:2379: connect: connection refused”. 호스트는 멀쩡한 서버의 답입니다.")),
            Step(say("Its /readyz fails, `[-]etcd failed`, and after three bad probes the balancer leaves it out. Its scheduler and controller-manager ask their own apiserver, so they lose their Leases.", "그 /readyz가 `[-]etcd failed`로 실패하고, 나쁜 프로브 세 번 뒤에 로드 밸런서가 제외합니다. 그 호스트의 스케줄러와 컨트롤러 매니저는 자기 apiserver에 물으므로 Lease를 잃습니다."), page="ha", mark=".ha-picture", type=("kubectl create configmap goes-on --from-literal=a=1",), task=say("Wait until the line from the balancer to cp-2 is cut, then write something.", "로드 밸런서에서 cp-2로 가는 선이 끊길 때까지 기다린 뒤 무언가를 쓰십시오."),
                 until='configmaps.exists(c, c.metadata.name == "goes-on") && !processes.exists(p, p.name == "kube-scheduler-cp-2" && p.leads)', within=90, done=say("Two of three members have the quorum, two of three apiservers the clients. The host counts as lost although it is on.", "멤버 셋 가운데 둘이 쿼럼을, apiserver 셋 가운데 둘이 클라이언트를 맡습니다. 그 호스트는 켜져 있어도 잃은 것으로 셉니다.")),
            Step(say("The member comes back, and its apiserver with it.", "멤버가 돌아오면 apiserver도 돌아옵니다."), page="ha", mark="[data-works]", act=(Act(say("Start m2", "m2 시작하기"), ({"type": "MemberOp", "member": "m2", "op": "start"},)),), task=say("Start m2.", "m2를 시작하십시오."), until='quorum[0].have == 3 && quorum[0].leader != ""'),
        ), THREE,
    ),
    Lesson(
        "rolling-upgrade", "ha", 5, say("A rolling upgrade", "롤링 업그레이드"), say("1.32 becomes 1.33 host after host, and nobody who works with the cluster stops.", "호스트를 하나씩 1.32에서 1.33으로 올리며, 클러스터를 쓰는 사람은 아무도 멈추지 않습니다."), 5,
        (
            Step(say("kubeadm upgrades one control-plane host at a time: it writes the manifests of the static Pods anew, and the kubelet swaps each. First: what would happen?", "kubeadm은 컨트롤 플레인 호스트를 하나씩 업그레이드합니다. 스태틱 Pod의 매니페스트를 새로 쓰면 kubelet이 하나씩 바꿉니다. 먼저, 무슨 일이 일어날까요?"), page="ha", mark=".releases", type=("ssh cp-1 kubeadm upgrade plan", "ssh cp-1 kubeadm upgrade apply v1.34.0"), task=say("Read the plan; then try to skip a minor version.", "계획을 읽고, 마이너 버전을 건너뛰어 보십시오."), until='requests.exists(r, r.verb == "get" && r.name == "kubeadm-config" && r.code == 200)',
                 predict=Predict(say("From 1.32 straight to 1.34?", "1.32에서 바로 1.34로?"), (say("Yes, if all hosts are well", "호스트가 모두 정상이면 됩니다"), say("No: one minor version at a time", "안 됩니다. 한 번에 마이너 버전 하나씩입니다")), 1, say("“kubeadm can upgrade only 1 minor version at a time”.", "“kubeadm can upgrade only 1 minor version at a time”."))),
            Step(say("The first host.", "첫 호스트입니다."), page="ha", mark=".releases", type=("ssh cp-1 kubeadm upgrade apply v1.33.5",), task=say("Apply, and watch the rows of cp-1 change part by part.", "적용하고, cp-1의 행이 부분마다 바뀌는 것을 보십시오."),
                 until='pods.exists(p, p.metadata.name == "kube-scheduler-cp-1" && p.spec.containers[0].image.endsWith(":v1.33.5"))', within=120),
            Step(say("Two releases serve side by side: an apiserver may be one minor version behind another.", "두 릴리스가 나란히 서비스합니다. apiserver끼리는 마이너 버전 하나까지 차이가 나도 됩니다."), page="requests", type=("kubectl get --raw /version; kubectl get --raw /version; kubectl get --raw /version", "kubectl create configmap meanwhile --from-literal=a=1"), task=say("Ask for the version three times, then write something.", "버전을 세 번 물어본 뒤 무언가를 쓰십시오."), until='configmaps.exists(c, c.metadata.name == "meanwhile")', within=60,
                 done=say("Both answer, and both write to the same etcd.", "둘 다 답하고, 둘 다 같은 etcd에 씁니다.")),
            Step(say("The others conform: `node`, not `apply`.", "나머지는 따라갑니다. `apply`가 아니라 `node`입니다."), page="ha", mark=".releases", type=("ssh cp-2 kubeadm upgrade node", "ssh cp-3 kubeadm upgrade node"), task=say("Upgrade cp-2, then cp-3; never both at once.", "cp-2를, 그다음 cp-3을 업그레이드하십시오. 절대로 한꺼번에 하지 마십시오."),
                 until='pods.filter(p, p.metadata.name.startsWith("kube-apiserver-") && p.spec.containers[0].image.endsWith(":v1.33.5")).size() == 3', within=120, done=say("With the last host the add-ons follow: see kube-proxy roll through the nodes.", "마지막 호스트와 함께 애드온이 따라옵니다. kube-proxy가 노드를 차례로 도는 것을 보십시오.")),
            Step(say("The kubelet last: it may be older than the apiservers, never newer.", "kubelet은 마지막입니다. apiserver보다 오래되어도 되지만 새로워서는 안 됩니다."), page="ha", mark=".releases", type=("kubectl drain node-1 --ignore-daemonsets", "ssh node-1 apt-get install -y kubelet=1.33.5-1.1", "ssh node-1 systemctl restart kubelet", "kubectl uncordon node-1"), task=say("Drain the node, install, restart the kubelet, give the node back.", "노드를 비우고, 설치하고, kubelet을 다시 시작하고, 노드를 되돌려 주십시오."),
                 until='nodes.exists(n, n.metadata.name == "node-1" && n.status.nodeInfo.kubeletVersion == "v1.33.5" && !has(n.spec.unschedulable))', within=120),
        ), {**THREE, "workers": 2},
    ),
    Lesson(
        "lease-takeover", "ha", 3, say("One works, the others wait", "하나가 일하고 나머지는 기다립니다"), say("Three schedulers run, one works. It dies in the middle of the day.", "스케줄러 셋이 실행되고 하나가 일합니다. 그 하나가 한낮에 죽습니다."), 4,
        (
            Step(say("Scheduler and controller-manager run on every control-plane host. A Lease in etcd says who works: now {scheduler}.", "스케줄러와 컨트롤러 매니저는 모든 컨트롤 플레인 호스트에서 실행됩니다. 누가 일하는지는 etcd의 Lease가 말합니다. 지금은 {scheduler}입니다."), page="ha",
                 predict=Predict(say("The holder renews every 2 s; the Lease is valid for 15 s. It dies. How long does a new Pod wait?", "보유자는 2초마다 갱신하고 Lease는 15초 동안 유효합니다. 보유자가 죽습니다. 새 Pod는 얼마나 기다립니까?"), (say("Not at all", "전혀"), say("About 15 to 20 s", "약 15~20초"), say("Until somebody restarts it", "누군가 다시 시작할 때까지")), 1,
                                 say("The others wait until the Lease has not changed for 15 s by their own clocks, then one writes its name into it.", "나머지는 자기 시계로 15초 동안 Lease가 바뀌지 않을 때까지 기다린 뒤, 하나가 자기 이름을 씁니다."))),
            Step(say("Stop it, and wish for a Pod at once.", "멈추고 곧바로 Pod를 바랍니다."), page="ha", act=(Act(say("Stop {scheduler}", "{scheduler} 멈추기"), ({"type": "ProcessOp", "process": "{scheduler}", "op": "stop"},)),), type=("kubectl create deployment late --image=nginx",), task=say("Stop the scheduler that works, then create a Deployment.", "일하는 스케줄러를 멈춘 뒤 Deployment를 만드십시오."),
                 until='processes.exists(p, p.kind == "kube-scheduler" && !p.up) && pods.exists(p, p.metadata.name.startsWith("late-") && !has(p.spec.nodeName))', done=say("The Pod exists and waits: nobody schedules in this window.", "Pod가 있고 기다립니다. 이 시간 동안에는 아무도 스케줄하지 않습니다.")),
            Step(say("Watch the Lease run out.", "Lease가 만료되는 것을 보십시오."), page="ha", task=say("Wait for the takeover.", "넘겨받기를 기다리십시오."), until='processes.exists(p, p.kind == "kube-scheduler" && p.up && p.leads) && pods.exists(p, p.metadata.name.startsWith("late-") && has(p.spec.nodeName))', within=60,
                 done=say("Taken over, and the Pod has its node. resourceVersion saw to it that only one candidate won.", "넘겨받았고 Pod에 노드가 정해졌습니다. resourceVersion 덕분에 후보 하나만 이겼습니다.")),
        ), THREE,
    ),
    Lesson(
        "replace-member", "etcd", 9, say("Replace a dead member safely", "죽은 멤버를 안전하게 교체하기"), say("A member's disk is gone for good. Remove first or add first? One order can cost the quorum.", "멤버의 디스크가 영영 사라졌습니다. 먼저 빼야 합니까, 더해야 합니까? 한쪽 순서는 쿼럼을 잃게 할 수 있습니다."), 5,
        (
            Step(say("A host dies and will not come back.", "호스트가 죽고 돌아오지 않습니다."), page="etcd", act=(Act(say("Switch etcd-3 off", "etcd-3 끄기"), (host("stop", "etcd-3"),)),), task=say("Switch etcd-3 off and wait until there is a leader.", "etcd-3을 끄고 리더가 있을 때까지 기다리십시오."), until='hosts.exists(h, h.name == "etcd-3" && !h.up) && quorum[0].have == 2 && quorum[0].leader != "" && clock[0].seconds > 6.0'),
            Step(say("Two of three are left, two are needed.", "셋 중 둘이 남았고 둘이 필요합니다."), page="etcd", mark="[data-part=quorum]", predict=Predict(say("You add the new member first. How many are needed while the dead one still counts?", "새 멤버를 먼저 더합니다. 죽은 멤버를 아직 세는 동안 몇이 필요합니까?"), (say("Two of four", "넷 중 둘"), say("Three of four, and two run", "넷 중 셋, 실행 중인 것은 둘")), 1,
                 say("If the new one then does not start (a typo in its address is enough), the quorum is gone. etcd refuses this order by itself today: “re-configuration failed due to not enough started members”.", "그때 새 멤버가 시작하지 못하면(주소 오타 하나면 충분합니다) 쿼럼이 사라집니다. 오늘날의 etcd는 이 순서를 스스로 거절합니다: “re-configuration failed due to not enough started members”."))),
            Step(say("So: first remove the dead one.", "그러므로 먼저 죽은 멤버를 뺍니다."), page="etcd", mark="[data-part=quorum]", act=(Act(say("Remove m3", "m3 빼기"), ({"type": "MemberRemoveIn", "call": "", "member": "m3"},)),), task=say("Remove m3.", "m3을 빼십시오."), until="quorum[0].voters == 2 && quorum[0].have == 2", done=say("Two voters, two needed: no spare, but also nothing that is missing.", "투표 멤버 둘, 필요 둘. 여유는 없지만 모자란 것도 없습니다.")),
            Step(say("Then add the new one, on a new host.", "그런 다음 새 호스트에 새 멤버를 더합니다."), page="etcd", act=(Act(say("Add m4 on etcd-4", "etcd-4에 m4 더하기"), ({"type": "MemberAddIn", "call": "", "name": "m4", "host": "etcd-4"},)),), task=say("Add m4 and wait until it has caught up.", "m4를 더하고 따라잡을 때까지 기다리십시오."), until='quorum[0].voters == 3 && quorum[0].have == 3 && members.exists(m, m.id == "m4" && m.up && m.commit > 0 && members.exists(l, l.role == "leader" && m.revision == l.revision))',
                 hint=say("A member must have been connected for 5 s before etcd allows a change of membership; if it is refused, wait and press again.", "멤버십을 바꾸려면 멤버들이 5초 동안 연결되어 있어야 합니다. 거절되면 기다렸다가 다시 누르십시오."), done=say("Three again: one may be lost.", "다시 셋입니다. 하나를 잃어도 됩니다.")),
        ), EXTERNAL,
    ),
    Lesson(
        "disk-full", "etcd", 10, say("The database is full (NOSPACE)", "데이터베이스가 가득 참 (NOSPACE)"), say("The quota is reached: etcd refuses every write that grows, for ever, until somebody clears the alarm.", "할당량에 닿았습니다. etcd는 누군가 경보를 풀 때까지 커지는 모든 쓰기를 거절합니다."), 5,
        (
            Step(say("etcd keeps every version until a compaction; its file has a quota of 2 GiB.", "etcd는 compaction 전까지 모든 버전을 보관하며, 파일의 할당량은 2GiB입니다."), page="etcd", predict=Predict(say("The file reaches the quota. What happens?", "파일이 할당량에 닿습니다. 어떻게 됩니까?"), (say("The oldest versions are dropped", "가장 오래된 버전을 버립니다"), say("An alarm is raised, and all members refuse writes", "경보가 울리고 모든 멤버가 쓰기를 거절합니다")), 1, say("The alarm is itself an entry of the log, so all members agree on it. Reads and deletes go on.", "경보 자체가 로그의 항목이므로 모든 멤버가 동의합니다. 읽기와 삭제는 계속됩니다."))),
            Step(say("Filling 2 GiB would take a while, so the alarm is raised here as etcd raises it itself.", "2GiB를 채우려면 오래 걸리므로, 여기서는 etcd가 스스로 하듯 경보를 울립니다."), page="etcd", act=(Act(say("Raise NOSPACE", "NOSPACE 울리기"), (gateway("/v3/maintenance/alarm", '{"action":"ACTIVATE","memberID":"1","alarm":"NOSPACE"}'),)),), task=say("Raise the alarm.", "경보를 울리십시오."), until='alarms.exists(a, a.alarm == "NOSPACE")'),
            Step(say("Now write.", "이제 써 봅니다."), page="requests", type=("kubectl create configmap more --from-literal=a=1", "kubectl get nodes"), task=say("Try to create something; then read something.", "무언가를 만들어 보고, 그다음 무언가를 읽으십시오."), until='requests.exists(r, r.method == "POST" && r.resource == "configmaps" && r.code >= 500) && requests.exists(r, r.resource == "nodes" && r.code == 200)',
                 done=say("“etcdserver: mvcc: database space exceeded”. Reading works.", "“etcdserver: mvcc: database space exceeded”입니다. 읽기는 됩니다.")),
            Step(say("Compaction and defragmentation make room. And still nothing can be written.", "compaction과 defrag로 자리가 생깁니다. 그래도 아직 쓸 수 없습니다."), page="etcd", act=(Act(say("Defragment, then disarm", "defrag한 뒤 경보 풀기"), (gateway("/v3/maintenance/defragment", "{}"), gateway("/v3/maintenance/alarm", '{"action":"DEACTIVATE","memberID":"1","alarm":"NOSPACE"}'))),), task=say("Make room and disarm: without the second nothing changes.", "자리를 만들고 경보를 푸십시오. 두 번째 없이는 아무것도 바뀌지 않습니다."), until="alarms.size() == 0"),
            Step(say("Once more.", "다시 한번."), page="requests", type=("kubectl create configmap more --from-literal=a=1",), task=say("Create it again.", "다시 만드십시오."), until='configmaps.exists(c, c.metadata.name == "more")', done=say("Written. The next compaction by the apiserver comes in five minutes; the alarm never goes away by itself.", "쓰였습니다. apiserver의 다음 compaction은 5분 뒤입니다. 경보는 스스로 사라지지 않습니다.")),
        ), EXTERNAL,
    ),
    Lesson(
        "falls-behind", "etcd", 11, say("A member falls behind", "멤버가 뒤처집니다"), say("A member was away for so long that the leader no longer has what it missed.", "멤버가 너무 오래 떠나 있어, 놓친 것을 리더가 더는 가지고 있지 않습니다."), 4,
        (
            Step(say("Followers are brought up to date entry by entry, from the leader's log.", "팔로워는 리더의 로그에서 항목을 하나씩 받아 따라잡습니다."), page="etcd", mark="[data-part=logs]",
                 predict=Predict(say("Does the leader keep its log for ever?", "리더는 로그를 영원히 보관합니까?"), (say("Yes", "예"), say("No: every 10,000 entries it takes a snapshot and drops old ones", "아니요: 항목 10,000개마다 스냅숏을 뜨고 옛것을 버립니다")), 1, say("It keeps another 5,000 for those who are only a little behind.", "조금만 뒤처진 멤버를 위해 5,000개를 더 남겨 둡니다."))),
            Step(say("{other} goes away, and the world goes on.", "{other}이(가) 떠나고 세상은 계속됩니다."), page="etcd", mark="[data-part=logs]", act=(Act(say("Stop {other}", "{other} 멈추기"), ({"type": "MemberOp", "member": "{other}", "op": "stop"},)),), type=("kubectl create configmap while-away --from-literal=a=1",), task=say("Stop it and write.", "멈추고 쓰십시오."), until='members.exists(m, !m.up) && configmaps.exists(c, c.metadata.name == "while-away")'),
            Step(say("10,000 entries would take a while: let the others take their snapshot now, and keep nothing older.", "항목 10,000개는 오래 걸립니다. 나머지에게 지금 스냅숏을 뜨고 더 오래된 것은 남기지 않게 합니다."), page="etcd", mark="[data-part=logs]", act=(Act(say("Snapshot and compact", "스냅숏과 압축"), ({"type": "MemberOp", "member": "{leader}", "op": "snapshot"}, {"type": "MemberOp", "member": "{follower}", "op": "snapshot"})),), task=say("Let them compact their logs.", "로그를 압축하게 하십시오."), until='members.filter(m, m.up && m.snapIndex > 0 && m.firstIndex > 1).size() == 2', done=say("The logs now begin after what the absent one has.", "이제 로그는 자리를 비운 멤버가 가진 것보다 뒤에서 시작합니다.")),
            Step(say("It comes back and asks for an entry that nobody has.", "돌아와서 아무도 가지고 있지 않은 항목을 달라고 합니다."), page="etcd", mark="[data-part=progress]", act=(Act(say("Start {down}", "{down} 시작"), ({"type": "MemberOp", "member": "{down}", "op": "start"},)),), task=say("Start it, and watch its progress go from probe to snapshot to replicate.", "시작하고 진행 상태가 probe에서 snapshot, replicate로 바뀌는 것을 보십시오."), until='members.all(m, m.up) && members.exists(m, m.boot >= 2 && m.snapIndex > 0 && members.exists(l, l.role == "leader" && l.revision == m.revision))',
                 done=say("The leader sent its whole database; from there on entries again.", "리더가 데이터베이스를 통째로 보냈고, 그 뒤로는 다시 항목을 보냅니다.")),
        ), EXTERNAL,
    ),
)
