"""The words for roles, phases, verdicts and stages, in the reader's language.

In → out: an upstream name (``pre-candidate``, ``mutating-admission/ServiceAccount``) in, a translated label out. Names that upstream
coined (plug-ins, chains, kinds) are never translated; an unknown name is printed as it came.
"""

from __future__ import annotations

from django.utils.translation import gettext as _


def noop(text: str) -> str:
    """Mark a sentence for the catalogues; it is translated when it is said."""
    return text


ROLES = {
    "follower": noop("follower"),
    "pre-candidate": noop("pre-candidate"),
    "candidate": noop("candidate"),
    "leader": noop("leader"),
    "learner": noop("learner"),
    "down": noop("down"),
}
PHASES = {
    "Pending": noop("Pending"),
    "Creating": noop("Creating"),
    "Running": noop("Running, not ready"),
    "Ready": noop("Ready"),
    "Succeeded": noop("Succeeded"),
    "Failed": noop("Failed"),
    "CrashLoop": noop("CrashLoop"),
    "Terminating": noop("Terminating"),
    "Unknown": noop("Unknown"),
}
OUTCOMES = {
    "allow": noop("allowed"),
    "deny": noop("denied"),
    "change": noop("changed"),
    "ok": noop("done"),
    "error": noop("failed"),
    "skip": noop("skipped"),
    "wait": noop("waiting"),
    "throttle": noop("throttled"),
}
CELLS = {
    "committed": noop("committed"),
    "stored": noop("stored"),
    "missing": noop("missing"),
    "compacted": noop("compacted"),
    "writing": noop("being written"),
    "doomed": noop("will be overwritten"),
}
STAGES = {
    "tls": noop("TLS"),
    "authentication": noop("Authentication"),
    "audit": noop("Audit"),
    "impersonation": noop("Impersonation"),
    "priority-and-fairness": noop("Priority and fairness"),
    "authorization": noop("Authorization"),
    "decoding": noop("Decoding"),
    "defaulting": noop("Defaulting"),
    "mutating-admission": noop("Mutating admission"),
    "strategy": noop("Strategy"),
    "validation": noop("Validation"),
    "validating-admission": noop("Validating admission"),
    "etcd": noop("etcd"),
    "propose": noop("Propose"),
    "append": noop("Append"),
    "commit": noop("Commit"),
    "apply": noop("Apply"),
    "response": noop("Response"),
    "watch": noop("Watch"),
}
STAGE_QUESTIONS = {
    "tls": noop("Is the channel private, and who holds the other end?"),
    "authentication": noop("Who is asking?"),
    "audit": noop("Is this worth a line in the audit log?"),
    "impersonation": noop("Does the caller act as somebody else?"),
    "priority-and-fairness": noop("May it go now, or must it queue?"),
    "authorization": noop("May this user do this to that?"),
    "decoding": noop("What do the bytes say?"),
    "defaulting": noop("Which missing fields have a default?"),
    "mutating-admission": noop("Should something be added or changed?"),
    "strategy": noop("What does this kind do before it is stored?"),
    "validation": noop("Is the object well formed?"),
    "validating-admission": noop("Is there a reason to refuse it?"),
    "etcd": noop("Is it stored on a majority?"),
    "propose": noop("Who leads, and does it take the proposal?"),
    "append": noop("Is the entry on this member's disk?"),
    "commit": noop("Do enough members hold it?"),
    "apply": noop("Which revision did it become?"),
    "response": noop("What does the client hear?"),
    "watch": noop("Who is told?"),
}


def role(name: str) -> str:
    """Return the label of a Raft role."""
    return _(ROLES[name]) if name in ROLES else name


def phase(name: str) -> str:
    """Return the label of a pod's phase as drawn."""
    return _(PHASES[name]) if name in PHASES else name


def outcome(name: str) -> str:
    """Return the label of a verdict."""
    return _(OUTCOMES[name]) if name in OUTCOMES else name


def cell(name: str) -> str:
    """Return the label of a log cell's state."""
    return _(CELLS[name]) if name in CELLS else name


def stage(name: str) -> str:
    """Return the label of a stage; the part after ``/`` is a proper name and stays."""
    head, slash, tail = name.partition("/")
    label = _(STAGES[head]) if head in STAGES else head
    return f"{label} · {tail}" if slash else label


def question(name: str) -> str:
    """Return the question that a stage answers, or an empty text."""
    head = name.partition("/")[0]
    return _(STAGE_QUESTIONS[head]) if head in STAGE_QUESTIONS else ""
