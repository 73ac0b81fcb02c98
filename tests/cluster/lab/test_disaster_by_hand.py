"""Disaster recovery typed at the console, as the documentation of Kubernetes and etcd has it: snapshot, stop, restore on every host, start."""

from cluster.lab import Lab
from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import Desk, three_hosts

HOSTS = ("cp-1", "cp-2", "cp-3")
EVERY = ",".join(f"{host}=https://172.18.0.{n}:2380" for n, host in enumerate(HOSTS, 2))


def restore(host: str) -> str:
    number = HOSTS.index(host) + 2
    return (
        f"etcdutl snapshot restore backup.db --name {host} --initial-cluster {EVERY} --initial-cluster-token again"
        f" --initial-advertise-peer-urls https://172.18.0.{number}:2380 --data-dir /var/lib/etcd --bump-revision 1000000000 --mark-compacted"
    )


def done(desk: Desk, *lines: str) -> str:
    """Type lines that must succeed; what the last said."""
    said = ("", "", 0)
    for line in lines:
        said = desk.type(line)
        assert said[2] == 0, (line, said)
    return said[0]


def test_a_cluster_is_recovered_from_a_snapshot_by_its_operator():
    desk = Desk(Lab.restore(three_hosts()))
    done(
        desk,
        "kubectl create configmap kept --from-literal=a=1",
        "etcdctl snapshot save backup.db",
        "kubectl create configmap lost --from-literal=a=1",
    )
    assert done(desk, "etcdutl snapshot status backup.db").count(", ") == 3
    for host in HOSTS:
        done(
            desk,
            f"scp backup.db {host}:",
            f"ssh {host}",
            "mv /etc/kubernetes/manifests/*.yaml /root/aside/",
            "ls /root/aside | grep -c yaml",
            "exit",
        )
    assert not [
        slot.name
        for slot in desk.lab.world.state.slots.values()
        if slot.up and slot.name.startswith(("m", "kube-apiserver"))
    ]
    assert "refused" in desk.type("kubectl get nodes")[1]
    assert (
        desk.type(f"ssh cp-1 '{restore('cp-1')}'")[1]
        == 'Error: data-dir "/var/lib/etcd" not empty or could not be read\n'
    )
    for host in HOSTS:
        done(
            desk,
            f"ssh {host} 'mv /var/lib/etcd /var/lib/etcd.old && {restore(host)} && mv /root/aside/*.yaml /etc/kubernetes/manifests/'",
        )
    desk.lab.run_until(desk.lab.now + 10 * SECOND)
    names = done(desk, "kubectl get configmaps -o name")
    assert "configmap/kept" in names and "configmap/lost" not in names
    status = done(desk, "etcdctl endpoint status --cluster -w json")
    assert '"revision":10000' in status and len({row["cluster"] for row in desk.lab.query("backups")["members"]}) == 1


def test_a_member_without_its_disk_does_not_start_and_says_why_and_comes_back_with_it():
    desk = Desk(Lab.restore(three_hosts()))
    done(
        desk,
        "ssh cp-2",
        "mv /var/lib/etcd /var/lib/lost",
        "mv /etc/kubernetes/manifests/etcd.yaml .",
        "mv etcd.yaml /etc/kubernetes/manifests/",
    )
    desk.lab.run_until(desk.lab.now + 3 * SECOND)
    assert not desk.lab.world.state.slots["m2"].up
    assert "member cp-2 has already been bootstrapped" in done(desk, "cat /var/log/pods/etcd.log")
    done(
        desk,
        "sed s,/var/lib/etcd,/var/lib/lost, /etc/kubernetes/manifests/etcd.yaml > new.yaml",
        "mv new.yaml /etc/kubernetes/manifests/etcd.yaml",
        "exit",
    )
    desk.lab.run_until(desk.lab.now + 3 * SECOND)
    assert desk.lab.world.state.slots["m2"].up
    assert {m["revision"] for m in desk.lab.query("members")} == {desk.lab.objects.revision}
