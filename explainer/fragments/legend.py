"""What every shape and every line means, by kind: for the legend that is one key away on every page, and for the style page."""

from __future__ import annotations

from django.utils.translation import gettext as _

from explainer.fragments import words

Rows = list[tuple[str, str]]


def shapes() -> list[tuple[str, list[tuple[str, str, str]]]]:
    """``(title, [(symbol, state, word)])``; ``symbol`` is the name of a shape of templates/frame/shapes.html."""
    groups: list[tuple[str, str, Rows]] = [
        (_("Pods"), "phase", [(name, words.phase(name)) for name in words.PHASES]),
        (_("Raft roles"), "role", [(name, words.role(name)) for name in words.ROLES]),
        (
            _("Verdicts"),
            "verdict",
            [(name, words.outcome(name)) for name in words.OUTCOMES] + [("audit", _("audited"))],
        ),
        (
            _("Places"),
            "kind",
            [
                ("kube-apiserver", "kube-apiserver"),
                ("etcd", "etcd"),
                ("kube-scheduler", "kube-scheduler"),
                ("kube-controller-manager", "kube-controller-manager"),
                ("kubelet", "kubelet"),
                ("kube-proxy", "kube-proxy"),
                ("balancer", _("load balancer")),
                ("client", _("client")),
                ("service", "Service"),
                ("request", _("request")),
            ],
        ),
        (
            _("Marks on the tape"),
            "mark",
            [
                ("birth", _("a Pod is born")),
                ("death", _("a Pod is gone")),
                ("fault", _("something is broken or mended")),
                ("flag", _("bookmark")),
            ],
        ),
        (
            _("Marks on a log"),
            "mark",
            [("next", _("next entry to send")), ("match", _("known to match")), ("leader", _("leader"))],
        ),
    ]
    return [(title, [(f"{kind}-{name}", name, word) for name, word in rows]) for title, kind, rows in groups]


def lines() -> list[tuple[str, str, str]]:
    """``(path on 96 x 12, class, word)``."""
    return [
        ("M0 6H96", "", _("established, committed")),
        ("M0 6H96", "progress", _("in progress, uncommitted")),
        ("M0 6H96", "watch", _("standing watch")),
        ("M0 6H96", "raft", _("consensus")),
        ("M0 4H96M0 8H96", "", _("quorum")),
        ("M0 6H40M56 6H96M48 0V12", "", _("cut")),
        ("M0 6H96", "slow", _("slow, or losing messages")),
        ("M0 6H96", "busy", _("selected, or carrying now")),
    ]


def messages() -> list[tuple[str, str, str]]:
    """``(path on 16 x 16, state, word)``."""
    there, back = "M1 3h10l4 5-4 5H1Z", "M15 3H5L1 8l4 5h10Z"
    return [
        (there, "live", _("asked from outside, or because of that; a number is the console's line")),
        (back, "", _("an answer")),
        (there, "raft", _("between members")),
        ("M8 4l4 4-4 4-4-4Z", "live", _("the cluster's own traffic: point at it, or name all")),
        ("M1 3h10v10H1ZM15 1v14", "deny", _("lost here, and why")),
    ]
