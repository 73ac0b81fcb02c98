"""``python -m tests.swarm --seed S --runs N --processes P``: random fault runs; exit 1 at the first violation, with its replay.

``--bug NAME``: Raft is broken in that way first, and what caught it is told (exit 1 if nothing did); ``--bugs``: each in turn, from seed 1; exit 1 if one was not caught
within its number of seeds.
"""

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from multiprocessing import Pool
from typing import Any

import pytest

from tests.swarm.bugs import BUGS
from tests.swarm.run import Run, replay


def one(task: tuple[int, int, str]) -> tuple[int, dict[str, Any], str]:
    """(seed, figures, what went wrong)."""
    seed, size, bug = task
    try:
        if bug:
            BUGS[bug].run(seed)
            return seed, {"members": 0, "recovery": 0}, ""
        return seed, Run(seed, size).go(), ""
    except AssertionError:
        return seed, {}, traceback.format_exc(limit=-3)
    except Exception:
        return seed, {}, traceback.format_exc()


def hunt(name: str) -> tuple[str, int, str]:
    """(bug, the first seed that caught it or 0, what was said)."""
    bug = BUGS[name]
    with pytest.MonkeyPatch.context() as patch:
        bug.make(patch)  # outside of what is caught: a patch of a name that is gone proves nothing
    for seed in range(1, bug.seeds + 1):
        try:
            bug.run(seed)
        except Exception as error:
            return name, seed, str(error).splitlines()[0][:100]
    return name, 0, f"NOT caught within {bug.seeds} seeds"


def all_bugs(processes: int) -> int:
    """A line for each."""
    missed = 0
    with Pool(processes) as pool:
        for name, seed, said in pool.imap(hunt, BUGS):
            missed += not seed
            print(f"{name:32} seed {seed:>3} of {BUGS[name].seeds:>3}: {said}", flush=True)
    print(f"{len(BUGS) - missed} of {len(BUGS)} bugs caught")
    return 1 if missed else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--members", type=int, default=0, help="always so many (default: 1, 3, 5 or 7 by the seed)")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--bug", default="", choices=["", *BUGS])
    parser.add_argument("--bugs", action="store_true", help="put in each bug in turn")
    args = parser.parse_args()
    if args.bugs:
        return all_bugs(args.processes)
    tasks = [(seed, args.members, args.bug) for seed in range(args.seed, args.seed + args.runs)]
    began, totals, sizes, recovery = time.perf_counter(), Counter(), Counter(), []
    with Pool(args.processes) as pool:
        for number, (seed, figures, wrong) in enumerate(pool.imap(one, tasks, chunksize=1 if args.bug else 4), 1):
            if wrong:
                print(
                    f"seed {seed} is caught:\n{wrong}\n{replay(seed)}{' --bug ' + args.bug if args.bug else ''}",
                    flush=True,
                )
                return 0 if args.bug else 1
            sizes[figures.pop("members")] += 1
            recovery.append(figures.pop("recovery"))
            totals.update(figures)
            if number % 100 == 0 or number == args.runs:
                print(f"{number} seeds, {number / (time.perf_counter() - began):.1f} a second", flush=True)
    if args.bug:
        print(f"{args.bug} is NOT caught by {args.runs} seeds")
        return 1
    recovery.sort()
    print(f"no violation; members {dict(sorted(sizes.items()))}; {dict(totals)}")
    print(
        f"first write after the heal: median {recovery[len(recovery) // 2]} s, 99 % {recovery[len(recovery) * 99 // 100]} s, at most {recovery[-1]} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
