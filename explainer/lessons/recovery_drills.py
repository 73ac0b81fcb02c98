"""Drill: the quorum of etcd is gone for good, and a snapshot is what is left; first the wrong way back, then the right one."""
# fmt: off

from explainer.lessons import Act, Lesson, Predict, Step, Wrong, say

THREE = {"controlPlanes": 3, "etcdMembers": 3, "workers": 1}
SAVED = "/var/lib/etcd-backup/friday.db"


def host(op: str, name: str) -> dict:
    return {"type": "HostOp", "host": name, "op": op}


def restore(**fields: object) -> dict:
    return {"type": "RestoreIn", "call": "", "host": "cp-1", "path": SAVED, **fields}


LESSONS = (
    Lesson(
        "disaster-recovery", "etcd", 12, say("Disaster recovery from a snapshot", "스냅숏으로 재해 복구하기"), say("Two of three members are gone for good. What is left is a file from before. One way back makes two clusters out of one.", "멤버 셋 가운데 둘을 영영 잃었습니다. 남은 것은 그 전에 만든 파일 하나입니다. 돌아오는 길 하나는 클러스터를 둘로 만듭니다."), 8,
        (
            Step(say("All that Kubernetes knows is in etcd. A snapshot is one member's database in one file, with a checksum.", "쿠버네티스가 아는 것은 모두 etcd에 있습니다. 스냅숏은 멤버 하나의 데이터베이스를 체크섬과 함께 담은 파일 하나입니다."), page="etcd", query="tab=backups",
                 task=say("Create a ConfigMap “kept”.", "ConfigMap “kept”를 만드십시오."), type=("kubectl create configmap kept --from-literal=a=1",), until='configmaps.exists(c, c.metadata.name == "kept")'),
            Step(say("Save a snapshot now. It lies on the simulated host cp-1; `ssh cp-1` and `ls /var/lib/etcd-backup` show it.", "이제 스냅숏을 저장합니다. 시뮬레이션된 호스트 cp-1에 놓이며, `ssh cp-1`과 `ls /var/lib/etcd-backup`으로 볼 수 있습니다."), page="etcd", query="tab=backups", mark="[data-part=panel]",
                 act=(Act(say("Save friday.db of m1", "m1의 friday.db 저장"), ({"type": "SnapshotIn", "call": "", "member": "m1", "path": SAVED},)),), task=say("Save it: by the button, or `ssh cp-1 etcdctl snapshot save /var/lib/etcd-backup/friday.db`.", "저장하십시오. 단추로, 또는 `ssh cp-1 etcdctl snapshot save /var/lib/etcd-backup/friday.db`로 할 수 있습니다."),
                 until=f'snapshots.exists(s, s.path == "{SAVED}" && s.error == "")', done=say("A snapshot needs one member that runs, and no quorum: each member has everything that it has applied.", "스냅숏에는 실행 중인 멤버 하나면 되고 쿼럼은 필요 없습니다. 멤버마다 자기가 적용한 것을 모두 가지고 있습니다.")),
            Step(say("Life goes on after the backup.", "백업 뒤에도 일은 계속됩니다."), page="objects", query="kind=configmaps", type=("kubectl create configmap lost --from-literal=a=1",), task=say("Create a ConfigMap “lost”.", "ConfigMap “lost”를 만드십시오."), until='configmaps.exists(c, c.metadata.name == "lost")',
                 predict=Predict(say("You will restore the snapshot. What becomes of “lost”?", "이 스냅숏을 복구할 것입니다. “lost”는 어떻게 됩니까?"), (say("It comes back with the rest", "나머지와 함께 돌아옵니다"), say("It is gone, as if it had never been", "없었던 것처럼 사라집니다")), 1, say("The snapshot is the past. Whatever was written after it is lost, though clients were told that it was written.", "스냅숏은 과거입니다. 그 뒤에 쓴 것은, 클라이언트가 썼다는 답을 받았더라도, 모두 사라집니다."))),
            Step(say("The disaster: the hosts cp-2 and cp-3 are gone, and with them two members of three.", "재해가 일어납니다. 호스트 cp-2와 cp-3이 사라지고, 멤버 셋 가운데 둘도 함께 사라집니다."), page="ha", mark=".meter", act=(Act(say("Switch cp-2 and cp-3 off", "cp-2와 cp-3 끄기"), (host("stop", "cp-2"), host("stop", "cp-3"))),), task=say("Switch both off.", "둘 다 끄십시오."), until="quorum[0].have == 1 && quorum[0].voters == 3",
                 done=say("One of three is no majority: nothing can be written, and no member can be added or removed, for that would have to be written, too.", "셋 가운데 하나는 과반수가 아닙니다. 아무것도 쓸 수 없고, 멤버를 더하거나 뺄 수도 없습니다. 그것도 써야 하는 일이기 때문입니다.")),
            Step(say("The wrong way first: restore on cp-1 alone, and leave everything else as it is. Then somebody finds the other two and switches them on.", "먼저 잘못된 길입니다. cp-1에서만 복구하고 나머지는 그대로 둡니다. 그런 다음 누군가 다른 둘을 찾아 켭니다."), page="etcd", query="tab=backups", mark="[data-part=panel]",
                 act=(Act(say("Restore m1 alone", "m1만 복구"), (restore(members=["m1"]),)), Act(say("Switch cp-2 and cp-3 on", "cp-2와 cp-3 켜기"), (host("start", "cp-2"), host("start", "cp-3")))), task=say("Do both, and wait fifteen seconds, until the balancer has all apiservers back.", "둘 다 하고, 로드 밸런서가 모든 apiserver를 다시 쓸 때까지 15초 기다리십시오."),
                 until='members.filter(m, m.up && m.role == "leader").size() == 2 && members.exists(m, m.id == "m1" && members.exists(o, o.cluster != m.cluster)) && processes.all(p, p.kind != "kube-apiserver" || p.ready) && clock[0].seconds > 15.0', within=60,
                 done=say("Two leaders, two cluster ids: m1 is a cluster of one, m2 and m3 are still the old one and have their majority of three. Neither knows of the other.", "리더도 둘, 클러스터 ID도 둘입니다. m1은 혼자서 한 클러스터이고, m2와 m3은 여전히 옛 클러스터로서 셋의 과반수를 가집니다. 서로를 알지 못합니다."),
                 predict=Predict(say("Three apiservers stand behind one address. What does `kubectl get configmap lost` say now?", "apiserver 셋이 주소 하나 뒤에 있습니다. `kubectl get configmap lost`는 이제 무엇이라고 합니까?"), (say("Always that it is there", "언제나 있다고 합니다"), say("Sometimes that it is there, sometimes not", "있다고 할 때도, 없다고 할 때도 있습니다")), 1, say("Each apiserver asks the member on its own host: one of them lives in another world. That is split brain, made by hand.", "apiserver마다 자기 호스트의 멤버에 묻습니다. 그 가운데 하나는 다른 세계에 삽니다. 손으로 만든 스플릿 브레인입니다."))),
            Step(say("Ask several times: the balancer goes round the apiservers.", "여러 번 물어보십시오. 로드 밸런서가 apiserver를 돌아가며 고릅니다."), page="requests", type=("kubectl get configmap lost; kubectl get configmap lost; kubectl get configmap lost; kubectl get configmap lost; kubectl get configmap lost; kubectl get configmap lost",), task=say("Get “lost” until you have seen both answers.", "두 가지 답을 모두 볼 때까지 “lost”를 조회하십시오."),
                 until='requests.exists(r, r.resource == "configmaps" && r.name == "lost" && r.code == 200) && requests.exists(r, r.resource == "configmaps" && r.name == "lost" && r.code == 404)', within=90),
            Step(say("The right way: the same file on every host, with the same new cluster's member list and a new token, and nobody left who remembers: members and apiservers stop before, and start after.", "올바른 길입니다. 모든 호스트에서 같은 파일로, 같은 새 멤버 목록과 새 토큰으로 복구하고, 옛것을 기억하는 이를 남기지 않습니다. 멤버와 apiserver를 먼저 멈추고 나중에 시작합니다."), page="etcd", query="tab=backups", mark="[data-part=panel]",
                 act=(Act(say("Restore all three, revision bumped", "셋 모두 복구, 리비전 올림"), (restore(token="after-friday", bump=1_000_000_000),)),), task=say("Restore on all three hosts.", "세 호스트 모두에서 복구하십시오."),
                 until='members.all(m, m.up && m.cluster == members[0].cluster) && quorum[0].have == 3 && quorum[0].leader != "" && members.all(m, m.revision > 1000000000) && configmaps.exists(c, c.metadata.name == "kept") && !configmaps.exists(c, c.metadata.name == "lost") && processes.all(p, p.kind != "kube-apiserver" || p.ready) && clock[0].seconds > 5.0', within=60,
                 wrong=(Wrong("members.exists(m, members.exists(o, o.up && m.up && o.cluster != m.cluster))", say("Members of two clusters run. Restore on all hosts at once.", "두 클러스터의 멤버가 함께 실행되고 있습니다. 모든 호스트에서 한꺼번에 복구하십시오.")),),
                 done=say("One cluster with a new id: “kept” is there, “lost” never happened.", "새 ID의 클러스터 하나입니다. “kept”는 있고 “lost”는 일어나지 않은 일이 되었습니다.")),
            Step(say("Kubelets, kube-proxies and all other watchers ran on, and remember revisions that the snapshot never had. That is why the revision was moved ahead by a thousand million, and everything before it marked as compacted.", "kubelet, kube-proxy와 다른 모든 관찰자는 계속 실행되었고, 스냅숏에 없던 리비전을 기억합니다. 그래서 리비전을 10억만큼 올리고 그 전을 모두 압축된 것으로 표시했습니다."), page="map",
                 predict=Predict(say("Without the bump: a Pod is scheduled to node-1, whose kubelet remembers a later revision than etcd has. Does it start?", "올리지 않았다면: Pod가 node-1에 스케줄되는데, 그 kubelet은 etcd보다 뒤의 리비전을 기억합니다. 시작됩니까?"), (say("Yes, a little later", "예, 조금 뒤에"), say("Not until etcd has caught up with what the kubelet remembers", "etcd가 kubelet이 기억하는 리비전을 따라잡을 때까지는 아닙니다")), 1, say("Its watch asks for changes after a revision that does not exist yet, and hears nothing. With the bump its revision is “too old” instead, and it lists anew.", "그 watch는 아직 없는 리비전 뒤의 변경을 요청하고 아무것도 듣지 못합니다. 올려 두면 그 리비전은 “너무 오래된” 것이 되어 처음부터 다시 목록을 받습니다.")),
                 type=("kubectl create deployment after --image=nginx",), task=say("Create a Deployment, and see its Pod run.", "Deployment를 만들고 Pod가 실행되는 것을 보십시오."), until='pods.exists(p, p.metadata.name.startsWith("after-") && has(p.status.phase) && p.status.phase == "Running")', within=90,
                 done=say("The cluster works. Pods that ran but that the snapshot does not know have been ended by their kubelets; what the snapshot knows and nobody runs is started again.", "클러스터가 동작합니다. 실행 중이었지만 스냅숏이 모르는 Pod는 kubelet이 끝냈고, 스냅숏은 알지만 아무도 실행하지 않는 것은 다시 시작됩니다.")),
        ), THREE,
    ),
)
