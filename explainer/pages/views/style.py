"""The living style page: every shape, line and colour with its meaning."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from explainer.fragments import words
from explainer.pages import context


async def style(request: HttpRequest) -> HttpResponse:
    """The living style page: every shape, line and colour with its meaning."""
    frame = context.base(request, "style")
    data = {
        "frame": frame,
        "colours": [
            ("live", _("now, links, the plane line")),
            ("allow", _("allowed, committed, ready")),
            ("deny", _("denied, failed, dropped")),
            ("change", _("mutated, translated, warning")),
            ("wait", _("pending, queued")),
            ("raft", _("consensus: votes, quorum, leader")),
            ("ink", _("text")),
            ("ink2", _("second text")),
            ("ink3", _("smallest text")),
            ("edge", _("borders of things, lines")),
            ("rule", _("table lines, decoration only")),
            ("paper", _("page")),
            ("panel", _("cards, picture")),
            ("sunk", _("code, console, tape")),
            ("past", _("ground of everything that is not now")),
            ("focus", _("the focus ring, nothing else")),
        ],
        "roles": [(name, words.role(name)) for name in words.ROLES],
        "phases": [(name, words.phase(name)) for name in words.PHASES],
        "outcomes": [(name, words.outcome(name)) for name in words.OUTCOMES] + [("audit", _("audited"))],
        "kinds": [
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
    }
    return render(request, "style/page.html", data)
