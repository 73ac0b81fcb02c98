"""A host that runs etcd, as its operator meets it by ``ssh``: files, static pods' manifests, data directories.

``sshd`` of a host serves logins: what is on its disk, and changes to it. Its kubelet watches ``/etc/kubernetes/manifests``: a manifest moved away ends its
process, one put there starts it a second later, a changed one restarts it. The etcd of the host starts with the directory that its manifest calls ``--data-dir``:

- the one it had: nothing new; one that ``etcdutl snapshot restore`` made: a new member of a new cluster (``restored``);
- none (moved away, or never there): a member that has lost its disk. It is not started: the others know it as a member that has voted, and a real one says
  "member … has already been bootstrapped" and ends. A directory that cannot be read ends it, too. ``/var/log/pods/etcd.log`` has the last words.

In: ``FilesRequest``, ``FilesChange``. Out: answers; its host's processes are executed, killed and reinstalled. Errors: ``FilesDone.error``.

Simplified here: the manifests steer etcd, kube-apiserver, kube-controller-manager and kube-scheduler only; of their flags only etcd's ``--data-dir`` is read;
while a process runs it keeps the directory that it was started with, whatever becomes of its name.
"""

import re
from typing import Any, ClassVar, Final

from msgspec import Struct, field

from cluster.api.releases import RELEASES
from cluster.backup import restore
from cluster.backup.snapshot import Refused
from cluster.etcd import restored
from cluster.etcd.membership import MemberSeed
from cluster.etcd.state import MemberConfig
from cluster.sim.actor import Actor, Outbox, Timer
from cluster.sim.clock import SECOND
from cluster.wire.etcd import TransferLeadership
from cluster.wire.machine import (
    Content,
    FilesChange,
    FilesDone,
    FilesRequest,
    FilesResponse,
    ImageChange,
    ManifestChanged,
)
from cluster.wire.process import Terminate

GRACE: Final = SECOND // 5
MANIFESTS: Final = "/etc/kubernetes/manifests"
DATA_DIR: Final = "/var/lib/etcd"
LOG: Final = "/var/log/pods/etcd.log"
MOST_FILES: Final = 200
MOST_BYTES: Final = 64 << 20
_IMAGE = re.compile(r"(?m)^( *image: )(\S+)$")
_KEPT = re.compile(r"etcd data (\d+) of ")


class MachineConfig(Struct, frozen=True):
    """The host, its static pods as (name, process), the manifests they begin with, and every member's place by name."""

    host: str
    pods: tuple[tuple[str, str], ...] = ()
    manifests: tuple[tuple[str, str], ...] = ()
    member: str = ""
    """The process of the etcd member here; "": none."""
    seeds: tuple[MemberSeed, ...] = ()


class Kept(Struct, frozen=True):
    """A data directory that no process has open: the flags and the disk it was left with."""

    config: MemberConfig
    records: list[Any]


class Written(Struct, frozen=True, tag=True):
    """Disk record: a file was written, or removed (None)."""

    path: str
    content: Content | None


class KeptAt(Struct, frozen=True, tag=True):
    """Disk record: the data directories put aside, and the number of the one that etcd has."""

    kept: dict[int, Kept]
    live: int
    numbers: int


class MachineState(Struct):
    """``live``: the number of the data directory that the member's process has (or would go on with)."""

    files: dict[str, Content] = field(default_factory=dict)
    kept: dict[int, Kept] = field(default_factory=dict)
    live: int = 1
    numbers: int = 1


class Machine(Actor):
    """``sshd`` and the static pods' half of the kubelet of one host."""

    kind: ClassVar[str] = "sshd"
    config: MachineConfig
    state: MachineState

    def fresh(self) -> MachineState:
        return MachineState()

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        """The disk outlives the host's power."""
        s = self.state
        s.files = dict(self.config.manifests)
        if self.config.member:
            self._shelve(DATA_DIR, 1)
        for record in disk:
            if type(record) is KeptAt:
                s.kept, s.live, s.numbers = dict(record.kept), record.live, record.numbers
            elif record.content is None:
                s.files.pop(record.path, None)
            else:
                s.files[record.path] = record.content
        if disk:
            out.timer("power", 0, cause=0)

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        match message:
            case FilesRequest(id=id_):
                out.send(src, FilesResponse(id_, dict(self.state.files)))
            case FilesChange(id=id_):
                out.send(src, FilesDone(id_, self._change(message.changes, message.restart, out)))
            case ImageChange(id=id_):
                out.send(src, FilesDone(id_, self._other_image(message, out)))
            case Timer(name="power"):
                for pod, process in self.config.pods:
                    if f"{MANIFESTS}/{pod}.yaml" not in self.state.files:
                        out.kill(process)  # the host's power brought it up with all else; no manifest says so
            case Timer(name="end/etcd"):
                out.kill(self.config.member)
            case Timer(name=name):
                self._start(name.removeprefix("pod/"), now, out)
            case _:
                pass

    def _terminate(self, process: str, out: Outbox) -> None:
        """SIGTERM: an apiserver ends what is under way, a leader of etcd hands its office to another, the rest just ends."""
        if process == self.config.member:
            names = [seed.process for seed in self.config.seeds]
            heir = names[(names.index(process) + 1) % len(names)]
            if heir != process:
                out.send(process, TransferLeadership(heir), cause=0)
            out.timer("end/etcd", GRACE, cause=0)
        elif process.startswith("kube-apiserver-"):
            out.send(process, Terminate(), cause=0)
        else:
            out.kill(process)

    def _change(
        self,
        changes: tuple[tuple[str, Content | None], ...],
        restart: tuple[str, ...],
        out: Outbox,
        gently: bool = False,
    ) -> str:
        s = self.state
        files = {path: content for path, content in {**s.files, **dict(changes)}.items() if content is not None}
        if len(files) > MOST_FILES or sum(map(len, files.values())) > MOST_BYTES:
            return "No space left on device"
        before, s.files = s.files, files
        if changes:
            out.buffer([Written(path, content) for path, content in changes])
        for pod, process in self.config.pods:
            manifest = f"{MANIFESTS}/{pod}.yaml"
            if before.get(manifest) == files.get(manifest) and pod not in restart:
                continue
            if manifest in before:
                if gently:
                    self._terminate(process, out)
                else:
                    out.kill(process)
                out.cancel(f"pod/{pod}")
            if manifest in files:
                out.timer(f"pod/{pod}", SECOND, cause=0)
        return ""

    def _start(self, pod: str, now: int, out: Outbox) -> None:
        process = dict(self.config.pods).get(pod, "")
        if f"{MANIFESTS}/{pod}.yaml" not in self.state.files or not process:
            return
        if process == self.config.member:
            try:
                self._open(now, out)
            except Refused as why:
                self._put(LOG, f'{{"level":"fatal","msg":"discovery failed","error":"{why}"}}\n', out)
                return
        if pod == "kube-apiserver":
            out.kill(process)  # SIGKILL, if it has not ended yet
        image = _IMAGE.search(str(self.state.files[f"{MANIFESTS}/{pod}.yaml"]))
        release = RELEASES.get(image[2].rpartition(":")[2]) if image is not None else None
        if release is not None and pod == "kube-apiserver":
            out.reconfigure(process, {"version": release})
        if image is not None:
            out.send(f"kubelet-{self.config.host}", ManifestChanged(pod, image[2]), cause=0)
        out.execute(process)

    def _other_image(self, message: ImageChange, out: Outbox) -> str:
        path = f"{MANIFESTS}/{message.pod}.yaml"
        text = self.state.files.get(path)
        if not isinstance(text, str) or _IMAGE.search(text) is None:
            return f"open {path}: no such file or directory"
        return self._change(((path, _IMAGE.sub(lambda found: found[1] + message.image, text)),), (), out, gently=True)

    def folder(self, name: str) -> list[str]:
        """The files below a folder."""
        return [path for path in self.state.files if path.startswith(name + "/")]

    def data_dir(self) -> str:
        """``--data-dir`` of etcd's manifest."""
        text = self.state.files.get(f"{MANIFESTS}/etcd.yaml", "")
        found = re.search(r"--data-dir[= ]([^\s\"']+)", text if isinstance(text, str) else "")
        return found[1].rstrip("/") if found else DATA_DIR

    def _open(self, now: int, out: Outbox) -> None:
        """Give the member the directory that its manifest names. Refused."""
        s, folder = self.state, self.data_dir()
        log, database = s.files.get(f"{folder}/{restore.WAL}"), s.files.get(f"{folder}/{restore.DATABASE}")
        if log is None or database is None:
            name = next(seed.name for seed in self.config.seeds if seed.process == self.config.member)
            raise Refused(f"member {name} has already been bootstrapped")
        text = log if isinstance(log, str) else ""
        match = _KEPT.match(text)
        if match is not None:
            number = int(match[1])
            if number == s.live:
                return
            if number not in s.kept:
                raise Refused("walpb: crc mismatch")
            kept = s.kept.pop(number)
            self._swap(kept.config, kept.records, number, out)
            return
        plan = restore.plan_of(text)
        if plan is None:
            raise Refused("walpb: crc mismatch")
        data = database if isinstance(database, bytes) else database.encode("utf-8", "surrogateescape")
        held = self._flags(out)
        config, records = restored.member(data, plan, held, self.config.seeds, now)
        if config.host != self.config.host:
            raise Refused(f"member {config.name} is not of this host")
        s.numbers += 1
        self._swap(config, records, s.numbers, out)
        self._shelve(folder, s.numbers)
        out.buffer(
            [Written(f"{folder}/{name}", s.files[f"{folder}/{name}"]) for name in (restore.WAL, restore.DATABASE)]
        )

    def _flags(self, out: Outbox) -> MemberConfig:
        """The command line that the member has now: timeouts and limits stay as they are."""
        before = out.reinstall(self.config.member, None, [])
        if before is None:
            raise Refused("bind: address already in use")  # it runs
        out.reinstall(self.config.member, *before)
        return before[0]

    def _swap(self, config: MemberConfig, records: list[Any], number: int, out: Outbox) -> None:
        s = self.state
        before = out.reinstall(self.config.member, config, records)
        if before is None:
            raise Refused("bind: address already in use")
        s.kept[s.live] = Kept(before[0], before[1])
        s.live = number
        logs = [content for path, content in s.files.items() if path.endswith(restore.WAL) and isinstance(content, str)]
        named = {int(match[1]) for match in map(_KEPT.match, logs) if match is not None}
        s.kept = {number: kept for number, kept in s.kept.items() if number in named}  # rm -r, and it is gone
        out.buffer([KeptAt(dict(s.kept), s.live, s.numbers)])

    def _shelve(self, folder: str, number: int) -> None:
        """The files that stand for a directory which a process has (had) open."""
        text = f"etcd data {number} of {self.config.member}: open with etcd\n"
        self.state.files[f"{folder}/{restore.DATABASE}"] = text
        self.state.files[f"{folder}/{restore.WAL}"] = text

    def _put(self, path: str, text: str, out: Outbox) -> None:
        self.state.files[path] = text
        out.buffer([Written(path, text)])

    def status(self) -> dict[str, Any]:
        """How many files there are."""
        return {"files": len(self.state.files)}
