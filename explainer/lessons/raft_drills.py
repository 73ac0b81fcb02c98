"""Drills on Raft: the leader, votes, partitions, quorum, and what an unknown outcome is."""

from explainer.lessons import Act, Lesson, Predict, Step, Wrong, say

THREE = {"controlPlanes": 3, "etcdMembers": 3, "workers": 1}
EXTERNAL = {"topology": "external", "controlPlanes": 2, "etcdMembers": 3, "workers": 1}
FOUR = {"topology": "external", "controlPlanes": 1, "etcdMembers": 4, "workers": 1}

LEADS = 'members.exists(m, m.up && m.role == "leader")'
BACK = 'members.all(m, m.up) && quorum[0].leader != ""'


def member(op: str, who: str = "{leader}") -> dict:
    return {"type": "MemberOp", "member": who, "op": op}


def heal_all(first: str = "m1", *rest: str) -> tuple[dict, ...]:
    return tuple(member("start", name) for name in (first, *rest))


START_ALL = Act(say("Start all members", "멤버 모두 시작"), heal_all("m1", "m2", "m3"))

LESSONS = (
    Lesson(
        "leader-dies",
        "etcd",
        1,
        say("The leader dies", "리더가 죽습니다"),
        say(
            "Kill etcd's leader while kubectl writes: how long is the cluster without one, and is anything lost?",
            "kubectl이 쓰는 동안 etcd의 리더를 죽입니다. 클러스터에는 얼마 동안 리더가 없으며, 잃는 것이 있습니까?",
        ),
        4,
        (
            Step(
                say(
                    "Three members keep one log. One of them leads: every write goes through it and counts once two of three have it on disk. Now {leader} leads.",
                    "세 멤버가 하나의 로그를 유지합니다. 그중 하나가 리더이며, 모든 쓰기는 리더를 거치고 셋 중 둘의 디스크에 있을 때 비로소 인정됩니다. 지금 리더는 {leader}입니다.",
                ),
                page="etcd",
                mark="[data-part=ring]",
                type=("kubectl create configmap before --from-literal=a=1",),
                task=say(
                    "Write something, so that there is something to lose.", "잃을 것이 있도록 무언가를 써 보십시오."
                ),
                until='configmaps.exists(c, c.metadata.name == "before")',
                done=say("It is stored: a majority has it.", "저장되었습니다. 과반수가 가지고 있습니다."),
            ),
            Step(
                say(
                    "Followers expect a heartbeat every 100 ms, and each has drawn its own patience of 1.0 to 1.9 s.",
                    "팔로워는 100ms마다 하트비트를 기대하며, 저마다 1.0~1.9초의 인내심을 뽑아 두었습니다.",
                ),
                page="etcd",
                predict=Predict(
                    say(
                        "{leader} is killed. When is there a new leader?",
                        "{leader}을(를) 죽입니다. 새 리더는 언제 생깁니까?",
                    ),
                    (
                        say(
                            "At once: the others notice the broken connection",
                            "즉시: 나머지가 끊어진 연결을 알아챕니다",
                        ),
                        say("After one to two seconds", "1~2초 뒤"),
                        say("After somebody starts it by hand", "누군가 손으로 시작한 뒤"),
                    ),
                    1,
                    say(
                        "A follower waits until its own timer runs out. Real etcd, measured 60 times: 0.87 to 2.86 s, in the middle 1.2 s.",
                        "팔로워는 자기 타이머가 다 될 때까지 기다립니다. 실제 etcd를 60번 측정한 값은 0.87~2.86초, 중앙값 1.2초입니다.",
                    ),
                ),
            ),
            Step(
                say(
                    "Kill it. Watch the timers of the other two run out.",
                    "죽이십시오. 나머지 둘의 타이머가 다 되는 것을 지켜보십시오.",
                ),
                page="etcd",
                mark="[data-part=ring]",
                task=say("Stop the leader and wait for the next one.", "리더를 멈추고 다음 리더를 기다리십시오."),
                act=(Act(say("Stop {leader}", "{leader} 멈추기"), (member("stop"),)),),
                until='members.exists(m, !m.up) && members.exists(m, m.up && m.role == "leader") && terms.size() >= 1',
                done=say(
                    "A new leader, in a higher term. Nobody told it to: two members that hear each other are enough.",
                    "더 높은 임기의 새 리더입니다. 아무도 시키지 않았습니다. 서로 들리는 멤버 둘이면 충분합니다.",
                ),
                wrong=(
                    Wrong(
                        "members.filter(m, !m.up).size() >= 2",
                        say(
                            "Two of three are down now: no majority, so no leader can be elected. Start one of them again.",
                            "이제 셋 중 둘이 죽었습니다. 과반수가 없어 리더를 뽑을 수 없습니다. 하나를 다시 시작하십시오.",
                        ),
                    ),
                    Wrong(
                        f"members.exists(m, !m.up) && {LEADS} && terms.size() == 0",
                        say(
                            "A follower is down, and {leader} leads on. Start it again, and stop {leader}.",
                            "죽은 것은 팔로워이고 {leader}이(가) 계속 이끕니다. 그 멤버를 다시 시작하고 {leader}을(를) 멈추십시오.",
                        ),
                    ),
                ),
            ),
            Step(
                say("Is what was written still there?", "쓴 것이 아직 있습니까?"),
                page="requests",
                type=("kubectl get configmap before || kubectl get configmap before || kubectl get configmap before",),
                task=say(
                    "Read it back. The apiserver beside the dead member answers with an error until the balancer leaves it out: then ask again.",
                    "다시 읽어 보십시오. 죽은 멤버 옆의 apiserver는 로드 밸런서가 제외할 때까지 오류로 답합니다. 그러면 다시 물어보십시오.",
                ),
                until='requests.exists(r, r.verb == "get" && r.name == "before" && r.code == 200)',
                done=say(
                    "Of course: whoever is elected must have everything that was committed, or it gets no majority of votes.",
                    "물론입니다. 커밋된 모든 것을 가진 멤버만 과반수의 표를 얻을 수 있습니다.",
                ),
            ),
            Step(
                say(
                    "The old leader comes back as a follower: it hears a higher term and catches up.",
                    "옛 리더는 팔로워로 돌아옵니다. 더 높은 임기를 듣고 따라잡습니다.",
                ),
                page="etcd",
                task=say("Start the stopped member.", "멈춘 멤버를 시작하십시오."),
                act=(START_ALL,),
                until=BACK,
                done=say("Three again: one more may be lost.", "다시 셋입니다. 하나를 더 잃어도 됩니다."),
            ),
        ),
        THREE,
    ),
    Lesson(
        "old-leader",
        "etcd",
        3,
        say("The old leader on the small side", "작은 쪽에 남은 옛 리더"),
        say(
            "Cut the leader off with its believers gone: for a while two members say that they lead. Why does no data break?",
            "리더를 나머지에서 끊습니다. 잠시 동안 두 멤버가 자신이 리더라고 말합니다. 데이터는 왜 깨지지 않습니까?",
        ),
        4,
        (
            Step(
                say(
                    "A partition is no crash: {leader} runs on and believes that it leads.",
                    "네트워크 단절은 죽음이 아닙니다. {leader}은(는) 계속 실행되며 자신이 리더라고 믿습니다.",
                ),
                page="etcd",
                predict=Predict(
                    say("What can the old leader still do alone?", "옛 리더가 혼자서 아직 할 수 있는 일은?"),
                    (
                        say("Accept and commit writes", "쓰기를 받아 커밋하기"),
                        say("Append writes to its own log, but commit none", "자기 로그에 덧붙이되 커밋은 못 하기"),
                        say("Nothing, it stops at once", "아무것도 못 하고 즉시 멈추기"),
                    ),
                    1,
                    say(
                        "It appends, but no majority answers. After one to two seconds without answers it steps down by itself (check-quorum).",
                        "덧붙일 수는 있지만 과반수가 응답하지 않습니다. 응답 없이 1~2초가 지나면 스스로 물러납니다(check-quorum).",
                    ),
                ),
            ),
            Step(
                say(
                    "Draw the partition: {leader_host} alone, the others together.",
                    "단절을 그립니다. {leader_host}은(는) 혼자, 나머지는 함께입니다.",
                ),
                page="etcd",
                mark="[data-part=ring]",
                task=say(
                    "Part them, and wait until the majority has a leader of its own.",
                    "나누고, 과반수 쪽에 리더가 생길 때까지 기다리십시오.",
                ),
                act=(
                    Act(
                        say("Cut {leader_host} off", "{leader_host} 끊기"),
                        (
                            {
                                "type": "PartitionIn",
                                "groups": [
                                    ["{leader_host}"],
                                    ["{follower_host}", "{other_host}", "lb", "desk", "node-1"],
                                ],
                            },
                        ),
                    ),
                ),
                until='network[0].parted && terms.size() >= 1 && quorum[0].leader != "" && members.filter(m, m.role == "leader").size() == 1',
                done=say(
                    "The majority elected in a higher term; the old one stepped down because a majority was silent.",
                    "과반수가 더 높은 임기로 새 리더를 뽑았습니다. 옛 리더는 과반수가 조용하자 물러났습니다.",
                ),
                hint=say(
                    "Only if the leader itself is cut off do the others need a new one: {leader}, on {leader_host}.",
                    "리더 자신이 끊겨야 나머지에게 새 리더가 필요합니다. 지금 리더는 {leader_host}의 {leader}입니다.",
                ),
            ),
            Step(
                say(
                    "Writes go on through the majority's apiservers.", "쓰기는 과반수 쪽의 apiserver를 통해 계속됩니다."
                ),
                page="requests",
                type=(
                    "kubectl create configmap during --from-literal=a=1 || kubectl create configmap during --from-literal=a=1 || kubectl create configmap during --from-literal=a=1",
                ),
                task=say(
                    "Write while they are parted. If the balancer picks the apiserver of the small side, try again.",
                    "나뉘어 있는 동안 써 보십시오. 로드 밸런서가 작은 쪽의 apiserver를 고르면 다시 해 보십시오.",
                ),
                until='network[0].parted && configmaps.exists(c, c.metadata.name == "during")',
                within=60,
                done=say("Committed by two of three.", "셋 중 둘이 커밋했습니다."),
            ),
            Step(
                say(
                    "Heal it. The one that was away hears the higher term, drops what nobody committed, and follows.",
                    "단절을 풉니다. 떨어져 있던 멤버는 더 높은 임기를 듣고, 아무도 커밋하지 않은 것을 버리고 따라갑니다.",
                ),
                page="etcd",
                task=say("Heal the network.", "네트워크를 복구하십시오."),
                act=(Act(say("Heal", "복구"), ({"type": "HealIn"},)),),
                until='!network[0].parted && quorum[0].have == 3 && quorum[0].leader != "" && members.all(m, m.revision == members[0].revision)',
                done=say("All three logs agree again.", "세 로그가 다시 일치합니다."),
            ),
        ),
        THREE,
    ),
    Lesson(
        "split-vote",
        "etcd",
        2,
        say("Split vote", "갈린 표"),
        say(
            "Candidates at the same instant: nobody gets a majority. What ends it?",
            "같은 순간에 후보가 여럿입니다. 아무도 과반수를 얻지 못합니다. 무엇이 끝냅니까?",
        ),
        3,
        (
            Step(
                say(
                    "Each member has one vote a term. With four members a majority is three, so candidates can block each other: 2 to 2, or 1 to 1 to 1 when one is down.",
                    "각 멤버는 한 임기에 한 표를 가집니다. 멤버가 넷이면 과반수는 셋이므로, 후보끼리 서로를 막을 수 있습니다. 2:2로, 또는 하나가 죽었을 때 1:1:1로.",
                ),
                page="etcd",
                predict=Predict(
                    say(
                        "Nobody wins in this term. What happens next?",
                        "이번 임기에는 아무도 이기지 못합니다. 다음에는?",
                    ),
                    (
                        say("They vote again in the same term", "같은 임기에 다시 투표합니다"),
                        say(
                            "Each draws a new random patience and tries in a higher term",
                            "저마다 새 인내심을 뽑고 더 높은 임기에 다시 시도합니다",
                        ),
                        say("The one with the longer name wins", "이름이 긴 쪽이 이깁니다"),
                    ),
                    1,
                    say(
                        "Random timeouts make a second tie unlikely. Of 60 real failovers about one in ten needed a second round.",
                        "무작위 타임아웃 덕분에 다시 비기기는 어렵습니다. 실제 장애 조치 60번 가운데 열에 하나쯤이 두 번째 라운드를 거쳤습니다.",
                    ),
                ),
            ),
            Step(
                say(
                    "Kill the leader and let the others time out at the same instant.",
                    "리더를 죽이고 나머지를 같은 순간에 타임아웃시킵니다.",
                ),
                page="etcd",
                mark="[data-part=ring]",
                task=say(
                    "Align the timers, and wait until somebody has won.",
                    "타이머를 맞추고 누군가 이길 때까지 기다리십시오.",
                ),
                act=(
                    Act(
                        say(
                            "Stop {leader}, align {follower} and {other}", "{leader} 멈추고 {follower}, {other} 맞추기"
                        ),
                        (
                            member("stop"),
                            {"type": "AlignIn", "members": ["{follower}", "{other}", "{third}"], "micros": 1_300_000},
                        ),
                    ),
                ),
                until=f"members.exists(m, !m.up) && {LEADS} && terms.exists(t, t.skipped > 0)",
                done=say(
                    "One term has no leader at all: each of the three had voted for itself. In a later term one was quicker. The tape has a band for each term.",
                    "리더가 아예 없는 임기가 하나 있습니다. 셋 모두 자신에게 투표했습니다. 그 뒤 임기에 하나가 더 빨랐습니다. 테이프에 임기마다 띠가 있습니다.",
                ),
                wrong=(
                    Wrong(
                        f"members.exists(m, !m.up) && {LEADS} && terms.size() > 0 && terms.all(t, t.skipped == 0)",
                        say(
                            "This time one was a hair quicker, and won in the first term: ties are rare. Begin this step again, or start {down} and press once more.",
                            "이번에는 하나가 간발의 차로 빨라 첫 임기에 이겼습니다. 비기는 일은 드뭅니다. 이 단계를 다시 시작하거나, {down}을(를) 시작한 뒤 다시 누르십시오.",
                        ),
                    ),
                ),
            ),
            Step(
                say("The stopped one comes back.", "멈춘 멤버가 돌아옵니다."),
                page="etcd",
                task=say("Start all members.", "멤버를 모두 시작하십시오."),
                act=(Act(say("Start all members", "멤버 모두 시작"), heal_all("m1", "m2", "m3", "m4")),),
                until=BACK,
            ),
        ),
        FOUR,
    ),
    Lesson(
        "two-of-three",
        "etcd",
        4,
        say("Two of three down: is it a bug?", "셋 중 둘이 죽었습니다: 버그입니까?"),
        say(
            "Two of three masters are off and kubectl is dead. People ask in public whether that is a bug. Find out.",
            "마스터 셋 중 둘이 꺼지자 kubectl이 죽었습니다. 버그인지 묻는 사람이 많습니다. 직접 알아보십시오.",
        ),
        5,
        (
            Step(
                say(
                    "Every write needs a majority of the members that belong to the cluster, not of those that happen to run.",
                    "모든 쓰기에는 지금 실행 중인 멤버가 아니라 클러스터에 속한 멤버의 과반수가 필요합니다.",
                ),
                page="ha",
                mark=".meter",
                predict=Predict(
                    say("Three members. How many may be down?", "멤버가 셋입니다. 몇 개가 죽어도 됩니까?"),
                    (say("None", "0개"), say("One", "1개"), say("Two: one is left", "2개: 하나가 남으니까")),
                    1,
                    say(
                        "A majority of three is two. So one may be down.",
                        "셋의 과반수는 둘입니다. 그래서 하나까지 죽어도 됩니다.",
                    ),
                ),
            ),
            Step(
                say(
                    "Switch off two control-plane hosts, each with its apiserver, member, scheduler and controller-manager.",
                    "컨트롤 플레인 호스트 두 대를 끕니다. 각각 apiserver, 멤버, 스케줄러, 컨트롤러 매니저가 함께 꺼집니다.",
                ),
                page="ha",
                mark=".ha-picture",
                task=say("Switch off cp-1 and cp-2, or any two.", "cp-1과 cp-2를 끄십시오. 다른 둘이라도 좋습니다."),
                act=(
                    Act(
                        say("Switch off cp-1 and cp-2", "cp-1과 cp-2 끄기"),
                        (
                            {"type": "HostOp", "host": "cp-1", "op": "stop"},
                            {"type": "HostOp", "host": "cp-2", "op": "stop"},
                        ),
                    ),
                ),
                until='hosts.filter(h, h.name.startsWith("cp-") && !h.up).size() == 2 && quorum[0].have == 1',
                done=say(
                    "Have 1, need 2. See the checklist below: what still works, and what does not.",
                    "1개 있고 2개가 필요합니다. 아래 목록에서 무엇이 동작하고 무엇이 동작하지 않는지 보십시오.",
                ),
            ),
            Step(
                say("Now ask as everybody would.", "이제 모두가 하듯이 물어보십시오."),
                page="requests",
                type=("kubectl get pods; kubectl get pods; kubectl get pods",),
                task=say("Ask for the Pods, and see what comes back.", "Pod를 요청하고 무엇이 돌아오는지 보십시오."),
                until='requests.exists(r, r.resource == "pods" && r.code != 200 && r.agent.startsWith("kubectl"))',
                within=90,
                done=say(
                    "The apiserver that is left asks its member, and that one has nobody to agree with.",
                    "남은 apiserver가 자기 멤버에게 묻지만, 그 멤버에게는 동의해 줄 상대가 없습니다.",
                ),
                hint=say(
                    "It takes a while: etcd gives up after 7 seconds.", "시간이 걸립니다. etcd는 7초 뒤에 포기합니다."
                ),
            ),
            Step(
                say("The Pods on the worker don't care.", "워커의 Pod는 상관하지 않습니다."),
                page="ha",
                mark="[data-works]",
                predict=Predict(
                    say("Is it a bug?", "버그입니까?"),
                    (
                        say(
                            "Yes: one member with all the data could answer",
                            "예: 모든 데이터를 가진 멤버 하나가 대답할 수 있으니까",
                        ),
                        say(
                            "No: it cannot know whether the other two go on without it",
                            "아니요: 나머지 둘이 자기 없이 계속하고 있는지 알 수 없으니까",
                        ),
                    ),
                    1,
                    say(
                        "The two that are silent may be alive behind a broken switch, with a majority, writing. Answering alone would make two truths.",
                        "조용한 둘은 고장 난 스위치 너머에서 과반수로 살아서 쓰고 있을지도 모릅니다. 혼자 대답하면 진실이 둘이 됩니다.",
                    ),
                ),
            ),
            Step(
                say("One host is enough to have a majority again.", "호스트 한 대면 다시 과반수가 됩니다."),
                page="ha",
                mark=".meter",
                task=say(
                    "Switch {down_host} on again and wait for a leader.",
                    "{down_host}을(를) 다시 켜고 리더를 기다리십시오.",
                ),
                act=(
                    Act(
                        say("Switch {down_host} on", "{down_host} 켜기"),
                        ({"type": "HostOp", "host": "{down_host}", "op": "start"},),
                    ),
                ),
                until='quorum[0].have >= 2 && quorum[0].leader != ""',
                done=say(
                    "Have 2, need 2: it works, and nothing more may be lost.",
                    "2개 있고 2개가 필요합니다. 동작하지만 더는 잃을 수 없습니다.",
                ),
            ),
        ),
        THREE,
    ),
    Lesson(
        "reads-without-quorum",
        "etcd",
        5,
        say("Do reads work without quorum?", "쿼럼 없이 읽기가 됩니까?"),
        say(
            "Linearizable reads ask the majority, serializable ones don't. Ask both ways, and see which apiserver answers use which.",
            "linearizable 읽기는 과반수에게 묻고, serializable 읽기는 묻지 않습니다. 두 방식으로 물어 보십시오.",
        ),
        4,
        (
            Step(
                say(
                    "Put a key of your own into etcd, past the apiserver.",
                    "apiserver를 거치지 않고 etcd에 키를 하나 넣습니다.",
                ),
                page="etcd",
                type=("etcdctl put greeting hello",),
                task=say("Put it.", "넣으십시오."),
                until='keys.exists(k, k.key == "greeting" && k.value == "hello")',
            ),
            Step(
                say("Stop two of three members.", "셋 중 두 멤버를 멈춥니다."),
                page="etcd",
                mark="[data-part=quorum]",
                task=say("Stop the two that are not m1.", "m1이 아닌 둘을 멈추십시오."),
                act=(Act(say("Stop m2 and m3", "m2와 m3 멈추기"), (member("stop", "m2"), member("stop", "m3"))),),
                until="members.filter(m, !m.up).size() == 2",
                wrong=(
                    Wrong(
                        'members.exists(m, m.id == "m1" && !m.up)',
                        say(
                            "m1 is down, and the next step asks m1: start it, and stop another one.",
                            "m1이 죽어 있는데 다음 단계에서 m1에게 묻습니다. m1을 시작하고 다른 멤버를 멈추십시오.",
                        ),
                    ),
                ),
                done=say("No majority.", "과반수가 없습니다."),
            ),
            Step(
                say(
                    "A linearizable read must be sure that nobody has written since: it asks the majority.",
                    "linearizable 읽기는 그사이 아무도 쓰지 않았음을 확인해야 하므로 과반수에게 묻습니다.",
                ),
                page="etcd",
                predict=Predict(
                    say("`etcdctl get greeting` now:", "지금 `etcdctl get greeting`을 하면:"),
                    (
                        say("prints hello at once", "곧바로 hello를 출력합니다"),
                        say("ends with an error after some seconds", "몇 초 뒤 오류로 끝납니다"),
                    ),
                    1,
                    say(
                        "It waits for a confirmation that cannot come. With `--consistency=s` (serializable) the member answers from what it has.",
                        "올 수 없는 확인을 기다립니다. `--consistency=s`(serializable)로는 멤버가 가진 것으로 대답합니다.",
                    ),
                ),
            ),
            Step(
                say(
                    "Without the flag etcdctl waits and fails; with `--consistency=s` m1 answers from its own disk. A list with resourceVersion=0 is answered from the apiserver's cache: it reads without etcd, too.",
                    "플래그가 없으면 etcdctl은 기다리다 실패합니다. `--consistency=s`를 붙이면 m1이 자기 디스크에서 대답합니다. resourceVersion=0인 목록 요청에는 apiserver가 캐시에서 대답하므로, 이것도 etcd 없이 읽습니다.",
                ),
                page="requests",
                type=(
                    "etcdctl get greeting",
                    "etcdctl get greeting --consistency=s",
                    "kubectl get --raw '/api/v1/namespaces/kube-system/pods?resourceVersion=0'",
                ),
                task=say(
                    "Ask etcd both ways (the first gives up after 5 s); then read from the cache of an apiserver.",
                    "etcd에 두 방식으로 물어보십시오(첫 번째는 5초 뒤에 포기합니다). 그런 다음 apiserver의 캐시에서 읽으십시오.",
                ),
                until='quorum[0].have < quorum[0].need && requests.exists(r, r.path.contains("resourceVersion=0") && r.code == 200)',
                done=say(
                    "Answered, and perhaps stale: nobody could have told it of a newer write.",
                    "대답은 왔지만 낡았을 수 있습니다. 더 새로운 쓰기를 알려 줄 상대가 없었습니다.",
                ),
            ),
            Step(
                say("Bring the majority back.", "과반수를 되돌립니다."),
                page="etcd",
                task=say("Start all members.", "멤버를 모두 시작하십시오."),
                act=(START_ALL,),
                until=BACK,
            ),
        ),
        THREE,
    ),
    Lesson(
        "even-sizes",
        "etcd",
        6,
        say("Even sizes", "짝수 크기"),
        say("Four members cost more than three. Do they survive more?", "멤버 넷은 셋보다 비쌉니다. 더 잘 견딥니까?"),
        3,
        (
            Step(
                say(
                    "This cluster has four members. A majority of four is three.",
                    "이 클러스터에는 멤버가 넷 있습니다. 넷의 과반수는 셋입니다.",
                ),
                page="ha",
                mark=".meter",
                predict=Predict(
                    say("How many may be lost?", "몇 개를 잃어도 됩니까?"),
                    (say("One", "1개"), say("Two", "2개")),
                    0,
                    say(
                        "4 − 3 = 1, as with three members; there is one more that can fail.",
                        "4 − 3 = 1. 멤버 셋일 때와 같고, 죽을 수 있는 것만 하나 늘었습니다.",
                    ),
                ),
            ),
            Step(
                say("Lose two, one after the other.", "둘을 차례로 잃습니다."),
                page="ha",
                mark=".meter",
                task=say("Stop two members and look at the meter.", "멤버 둘을 멈추고 미터를 보십시오."),
                act=(
                    Act(say("Stop m3", "m3 멈추기"), (member("stop", "m3"),)),
                    Act(say("Stop m4", "m4 멈추기"), (member("stop", "m4"),)),
                ),
                until="members.filter(m, !m.up).size() == 2 && quorum[0].have < quorum[0].need",
                done=say(
                    "Two of four are alive, and it is over: half is no majority. A 2:2 split would leave no side alive.",
                    "넷 중 둘이 살아 있지만 끝났습니다. 절반은 과반수가 아닙니다. 2:2로 갈리면 어느 쪽도 살지 못합니다.",
                ),
            ),
            Step(
                say("Start them again.", "다시 시작합니다."),
                page="ha",
                task=say("Start all members.", "멤버를 모두 시작하십시오."),
                act=(Act(say("Start all members", "멤버 모두 시작"), heal_all("m1", "m2", "m3", "m4")),),
                until=BACK,
                done=say(
                    "The table under “How likely is it up?” has all sizes from 1 to 9.",
                    "“얼마나 자주 살아 있습니까?” 아래의 표에 1부터 9까지 모든 크기가 있습니다.",
                ),
            ),
        ),
        FOUR,
    ),
    Lesson(
        "failed-yet-written",
        "etcd",
        7,
        say("The put that failed and yet was written", "실패했는데 쓰인 put"),
        say(
            "A write times out. Was it done? Nobody knows, not even etcd, until the others come back.",
            "쓰기가 타임아웃됩니다. 쓰였습니까? 나머지가 돌아올 때까지는 etcd조차 모릅니다.",
        ),
        4,
        (
            Step(
                say(
                    "When both followers stop, {leader} is alone, but still believes for a second or two that it leads.",
                    "팔로워가 모두 멈추면 {leader}은(는) 혼자가 되지만, 1~2초 동안은 아직 자신이 리더라고 믿습니다.",
                ),
                page="etcd",
                mark="[data-part=logs]",
                predict=Predict(
                    say(
                        "A put is given to it in that second. Where does it go?",
                        "그 순간에 put을 줍니다. 어디로 갑니까?",
                    ),
                    (
                        say("Into its log, uncommitted", "커밋되지 않은 채 로그에"),
                        say("Nowhere: it refuses", "아무 데도: 거절합니다"),
                    ),
                    0,
                    say(
                        "The leader appends and writes it to its disk, and waits for a majority.",
                        "리더는 로그에 덧붙이고 디스크에 쓴 뒤 과반수를 기다립니다.",
                    ),
                ),
            ),
            Step(
                say(
                    "Stop the followers and put at the same instant.", "팔로워를 멈추는 바로 그 순간에 put을 보냅니다."
                ),
                page="etcd",
                mark="[data-part=logs]",
                task=say(
                    "Do both at once, and wait until the leader has given up.",
                    "둘을 한 번에 하고, 리더가 포기할 때까지 기다리십시오.",
                ),
                act=(
                    Act(
                        say("Stop both, put fate=written to {leader}", "둘을 멈추고 {leader}에 fate=written 넣기"),
                        (
                            member("stop", "{follower}"),
                            member("stop", "{other}"),
                            {
                                "type": "EtcdOpIn",
                                "call": "",
                                "member": "{leader}",
                                "f": "put",
                                "key": "fate",
                                "value": "written",
                            },
                        ),
                    ),
                ),
                until='members.filter(m, !m.up).size() == 2 && quorum[0].leader == "" && pending.exists(p, p.key == "fate") && clock[0].seconds > 7.0',
                within=60,
                wrong=(
                    Wrong(
                        'members.filter(m, !m.up).size() == 2 && quorum[0].leader == "" && !pending.exists(p, p.key == "fate")',
                        say(
                            "The leader has stepped down and does not have the put: it came too late. Begin this step again, and do both at once.",
                            "리더가 이미 물러났고 put을 가지고 있지 않습니다. put이 너무 늦었습니다. 이 단계를 다시 시작해 둘을 한 번에 하십시오.",
                        ),
                    ),
                ),
                done=say(
                    "The client has its error by now: “request timed out”. The entry still stands in the log: appended, not committed.",
                    "클라이언트는 이제 “request timed out” 오류를 받았습니다. 항목은 여전히 로그에 있습니다. 덧붙었지만 커밋되지 않았습니다.",
                ),
            ),
            Step(
                say(
                    "Start one of the followers. Together with the old leader it is a majority. Who will be elected, and with which log?",
                    "팔로워 하나를 시작합니다. 옛 리더와 함께라면 과반수입니다. 누가 어떤 로그로 뽑힙니까?",
                ),
                page="etcd",
                mark="[data-part=logs]",
                task=say(
                    "Start {down}, and look whether the key is there.", "{down}을(를) 시작하고 키가 있는지 보십시오."
                ),
                act=(Act(say("Start {down}", "{down} 시작"), (member("start", "{down}"),)),),
                until='keys.exists(k, k.key == "fate" && k.value == "written")',
                within=60,
                wrong=(
                    Wrong(
                        f'members.exists(m, m.up && m.boot >= 2) && {LEADS} && !keys.exists(k, k.key == "fate") && !pending.exists(p, p.key == "fate")',
                        say(
                            "The put is gone: members without it have elected one of themselves, and the old leader dropped its entry. That is the other possible outcome. Begin this step again to see this one.",
                            "put이 사라졌습니다. put이 없는 멤버들이 자기들끼리 리더를 뽑았고, 옛 리더는 그 항목을 버렸습니다. 이것도 가능한 결말입니다. 다른 결말을 보려면 이 단계를 다시 시작하십시오.",
                        ),
                    ),
                ),
                done=say(
                    "The put that failed was written: the old leader's log was the longer one, so only it could win. Had the two others come back first, they would have elected one of themselves, and the put would be gone. An error of a write means “unknown”, not “no”.",
                    "실패한 put이 쓰였습니다. 옛 리더의 로그가 더 길어 그 멤버만 이길 수 있었습니다. 나머지 둘이 먼저 돌아왔다면 자기들끼리 리더를 뽑았을 것이고, put은 사라졌을 것입니다. 쓰기의 오류는 “아니요”가 아니라 “모름”입니다.",
                ),
            ),
        ),
        EXTERNAL,
    ),
    Lesson(
        "clumsy-timeout",
        "etcd",
        8,
        say("A clumsy election timeout on a slow network", "느린 네트워크와 어설픈 선거 타임아웃"),
        say(
            "Heartbeats of 100 ms and an election timeout of 500 ms, on links that take 900 ms one way: can anybody lead?",
            "하트비트 100ms, 선거 타임아웃 500ms인데 링크는 편도 900ms입니다. 누군가 이끌 수 있습니까?",
        ),
        3,
        (
            Step(
                say(
                    "This cluster was given an election timeout of half a second. On its fast network that is fine.",
                    "이 클러스터의 선거 타임아웃은 0.5초입니다. 빠른 네트워크에서는 괜찮습니다.",
                ),
                page="etcd",
                predict=Predict(
                    say("etcd's advice: the election timeout is at least …", "etcd의 조언: 선거 타임아웃은 적어도 …"),
                    (
                        say("the round trip", "왕복 시간만큼"),
                        say("ten times the round trip between members", "멤버 사이 왕복 시간의 열 배"),
                    ),
                    1,
                    say(
                        "Or a slow message looks like a dead leader.",
                        "그렇지 않으면 느린 메시지가 죽은 리더처럼 보입니다.",
                    ),
                ),
            ),
            Step(
                say("Now the members move to different continents.", "이제 멤버들이 서로 다른 대륙으로 옮겨 갑니다."),
                page="etcd",
                mark="[data-part=ring]",
                task=say(
                    "Make the links between members slow, and watch the terms climb to 6.",
                    "멤버 사이의 링크를 느리게 하고, 임기가 6까지 올라가는 것을 지켜보십시오.",
                ),
                act=(
                    Act(
                        say("900 ms one way between all members", "모든 멤버 사이 편도 900ms"),
                        (
                            {"type": "LinkIn", "a": "etcd-1", "b": "etcd-2", "latency_ms": 900.0},
                            {"type": "LinkIn", "a": "etcd-1", "b": "etcd-3", "latency_ms": 900.0},
                            {"type": "LinkIn", "a": "etcd-2", "b": "etcd-3", "latency_ms": 900.0},
                        ),
                    ),
                ),
                until='network[0].slow >= 6 && quorum[0].leader == "" && members.exists(m, m.term >= 6)',
                within=60,
                done=say(
                    "Nothing is broken, and yet nobody leads: the followers gave up before the next heartbeat came. And a candidate has 0.5 to 1 s of patience, while a vote takes 1.8 s there and back; so it tries again in a higher term, and again.",
                    "아무것도 고장 나지 않았지만 아무도 이끌지 못합니다. 다음 하트비트가 닿기 전에 팔로워가 포기했습니다. 후보의 인내심은 0.5~1초인데 표는 왕복 1.8초가 걸립니다. 그래서 더 높은 임기에 다시, 또다시 시도합니다.",
                ),
                hint=say(
                    "All three links between members must be slow; a leader that two of them still hear in time goes on leading.",
                    "멤버 사이의 세 링크가 모두 느려야 합니다. 과반수가 제때 들을 수 있는 리더는 계속 이끕니다.",
                ),
            ),
            Step(
                say("Back to one room.", "다시 한 방으로."),
                page="etcd",
                task=say("Heal the network and wait for a leader.", "네트워크를 복구하고 리더를 기다리십시오."),
                act=(Act(say("Heal", "복구"), ({"type": "HealIn"},)),),
                until='network[0].slow == 0 && quorum[0].leader != ""',
                done=say(
                    "Steady again. On a slow network one raises --election-timeout (and --heartbeat-interval), on all members alike.",
                    "다시 안정되었습니다. 느린 네트워크에서는 모든 멤버의 --election-timeout(과 --heartbeat-interval)을 똑같이 올립니다.",
                ),
            ),
        ),
        {**EXTERNAL, "electionMs": 500},
    ),
)
