"""``python manage.py replay FILE``: runs an exported moment again and says whether every byte agrees.

A file of another version of the world is run, too, if it begins with nothing (a checkpoint is of one version only); it may well differ.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from explainer.runs.again import replay
from explainer.runs.moment import Unreadable, entries, read
from explainer.runs.version import world_version


class Command(BaseCommand):
    """Exit code 1 when the replay differs."""

    help = "Run an exported moment again and compare its digest."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        try:
            moment = read(data)
            rows = entries(moment)
            door = os.environ.get("CLEARPLANE_DOOR", "cluster.lab")
            foreign = moment.version != world_version(door)
            if foreign and moment.start:
                raise CommandError(f"{file} begins with a checkpoint that another version of the world wrote")
            now, delivered, digest = replay(moment.spec, moment.start or None, rows, moment.now, moment.delivered, door)
        except Unreadable as error:
            raise CommandError(f"{file}: {error}") from error
        except msgspec.MsgspecError as error:
            raise CommandError(f"{file} was made by another version: {error}") from error
        where = f"{len(rows)} inputs, {delivered} events, {now / 1e9:.6f} virtual seconds"
        if (now, delivered, digest) != (moment.now, moment.delivered, moment.digest):
            why = " (another version of the world made it)" if foreign else ""
            raise CommandError(f"differs after {where}: digest {digest}, the file says {moment.digest}{why}")
        self.stdout.write(f"every byte agrees: {where}, digest {digest}")
