"""Bringing back a cluster from an exported file: its whole past is made again, chapter by chapter.

The file is from strangers. So it is replayed in a process of its own with bounds on time and memory, its options are checked as those of
a new cluster are, a world in it is read by the world's plain unpickler, and what doesn't come out as the file says (the digest) is
refused. It can then still hold a broken cluster, which is marked broken and left alone, and nothing else.

In → the file, in Redis for a minute; out → the cluster, paused at the moment of the file, and what the historian is told: its clock or an
error (status and sentence).
"""

import gc
import os
import resource
import signal
import socket
import time
from typing import Any, NoReturn

import msgspec

from explainer.runs import annals, clusters, found, journal, keys, moment, resp, tape
from explainer.runs.annals import Chapter
from explainer.runs.channel import Channel
from explainer.runs.frozen import CHUNK, World, die_with
from explainer.runs.record import Entry, Snapshot

CPU_SECONDS = 240
MEMORY = 3 << 30
CHAPTER = 1.5
"""Seconds of running after which a chapter ends."""


class Bad(ValueError):
    """The file can't be brought back; a sentence."""


def begin(end: socket.socket, parent: int, address: resp.Address, door: str, message: dict[str, Any]) -> NoReturn:
    """The process: says ``told`` and ends."""
    die_with(parent)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    os.nice(5)  # the live clusters come first
    gc.disable()
    channel = Channel(end)
    told: dict[str, Any] = {"op": "told", "call": message["call"]}
    try:
        told["clock"] = _bring(address, door, message)
    except found.Taken:
        told["error"] = [409, f"There is a cluster named {message['name']!r} already."]
    except (Bad, moment.Unreadable) as error:
        told["error"] = [422, str(error)]
    except MemoryError:
        told["error"] = [422, "this file takes more memory than an import may have"]
    except (OSError, resp.RedisError) as error:
        told["error"] = [503, f"The cluster could not be made: {error}."]
    except Exception as error:
        told["error"] = [422, f"this file does not replay: {type(error).__name__}: {error}"]
    channel.say(told)
    os._exit(0)


def checked(spec: bytes, options: dict[str, Any], name: str) -> clusters.Options:
    """What the new cluster was made with: the spec's own words, whatever the file says beside. Bad."""
    try:
        fields = msgspec.msgpack.decode(spec)
        wire = {field.name: field.encode_name for field in msgspec.structs.fields(clusters.Options)}
        mine = {wire[key]: value for key, value in fields.items() if key in wire}
        made = msgspec.convert({**mine, "name": name, "paused": bool(options.get("paused"))}, clusters.Options)
        clusters.check(made)
        return made
    except (msgspec.MsgspecError, ValueError, AttributeError, TypeError) as error:
        raise Bad(f"this file's cluster is none that can be made here: {error}") from error


def _bring(address: resp.Address, door: str, message: dict[str, Any]) -> dict[str, Any]:
    world = World(address, message["name"], door)
    data = world.link.call("GET", keys.past_file(message["file"]))
    if data is None:
        raise Bad("the file was gone before it was read; send it again")
    given = moment.read(data)
    if given.version != message["version"]:
        raise Bad("this file was made by another version of the world")
    options = checked(given.spec, given.options, message["name"])
    entries = moment.entries(given)
    spec = msgspec.msgpack.decode(given.spec, type=world.module.ClusterSpec)
    volumes = _replay(world, spec, given, entries)
    digest = world.lab.digest()
    if (world.lab.now, world.delivered, digest) != (given.now, given.delivered, given.digest):
        raise Bad(f"this file does not replay to what it says: digest {digest} instead of {given.digest}")
    told = {**message, "described": msgspec.to_builtins(options), "rate": given.rate}
    return found.store(world, given.spec, volumes, annals.LIMIT, told)


def _replay(world: World, spec: Any, given: moment.Moment, entries: list[Entry]) -> list[found.Volume]:
    """Run it all; the volumes of its history."""
    volumes: list[found.Volume] = []
    if given.start:
        start = msgspec.msgpack.decode(given.start, type=Snapshot)
        world.lab = world.module.Lab.restore(journal.decompress(start.world))
        world.delivered, world.inputs = start.delivered, start.inputs
        number = 1
        start.commit, start.open = number, []
        row = Chapter(number, start.now, start.delivered, start.inputs, True, len(start.world), 0)
        volumes.append(found.Volume(row, msgspec.msgpack.encode(start), None, None))
    else:
        world.lab = world.module.Lab.start(spec)
    writer, since = tape.Writer(), time.process_time()
    mine: list[Entry] = []

    def pause(at_entry: bool = False) -> None:
        nonlocal since, mine
        writer.add(world.drain().frames, world.lab.now, world.delivered)
        if time.process_time() - since > CHAPTER or at_entry:
            after = volumes[-1].chapter.number if volumes else 0
            volumes.append(found.ended(world, after, mine, writer.rows))
            mine, writer.rows, since = [], [], time.process_time()

    world.lab.watched(False)
    for entry in entries:
        if (entry.now, entry.delivered) < (world.lab.now, world.delivered) or entry.now > given.now:
            raise Bad("this file's inputs are not in order")
        _to(world, entry.now, entry.delivered, pause)
        mine.append(entry)
        world.apply(entry)
        pause()
    _to(world, given.now, given.delivered, pause)
    pause(True)
    return volumes


def _to(world: World, now: int, delivered: int, pause: Any) -> None:
    while True:
        wanted = min(CHUNK * 4, delivered - world.delivered)
        done = world.lab.run_until(now, wanted)
        world.delivered += done
        if done < wanted or world.delivered >= delivered:
            return
        pause()
