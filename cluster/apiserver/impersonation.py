"""Impersonation: ``kubectl --as jane``. The request goes on as somebody else, if its true user may do that.

Upstream: apiserver/pkg/endpoints/filters/impersonation.go (v1.32).
"""

from html import escape
from typing import Any
from urllib.parse import unquote

from cluster.api import status
from cluster.apiserver import authorization
from cluster.apiserver.authorization import Attributes
from cluster.apiserver.job import Job
from cluster.apiserver.user import (
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    User,
    service_account_groups,
    service_account_name,
)
from cluster.apiserver.view import here
from cluster.sim import Outbox

_EXTRA = "impersonate-extra-"
_AUTHN = "authentication.k8s.io/v1"


def impersonate(server: Any, job: Job, out: Outbox) -> None:
    """Replace ``job.user`` as the Impersonate-* headers ask. ApiError 403 when any of them is not allowed."""
    request = job.request
    if not any(key.startswith("impersonate-") for key, _ in request.headers):
        job.stage(out, "impersonation", "skip", "The request asks for no impersonation", here())
        return
    name = request.header("impersonate-user")
    groups = tuple(value for key, value in request.headers if key == "impersonate-group")
    uid = request.header("impersonate-uid")
    extra = [(unquote(key[len(_EXTRA) :]), value) for key, value in request.headers if key.startswith(_EXTRA)]
    if not (name or groups or uid or extra):
        job.stage(out, "impersonation", "skip", "The request asks for no impersonation", here())
        return
    if not name:
        job.stage(out, "impersonation", "error", "Groups or extra were given without a user", here())
        asked = [f"{{Group  {group}    }}" for group in groups]  # Go's %v of ObjectReferences
        asked += [f"{{UserExtra  {value}  {_AUTHN}  {key}}}" for key, value in extra]
        asked += [f"{{UID  {uid}  {_AUTHN}  }}"] if uid else []
        path = request.path + (f"?{request.query}" if request.query else "")
        why = f"requested [{' '.join(asked)}] without impersonating a user"
        said = f'Internal Server Error: "{path}": {why}'
        raise status.plain_text(500, escape(said, quote=False))
    account = service_account_name(name)
    asks = [Attributes(job.user, "impersonate", resource="users", name=name)]
    if account is not None:
        asks = [Attributes(job.user, "impersonate", account[0], resource="serviceaccounts", name=account[1])]
    asks += [Attributes(job.user, "impersonate", resource="groups", name=group) for group in groups]
    authn = "authentication.k8s.io"
    if uid:
        asks.append(Attributes(job.user, "impersonate", group=authn, version="v1", resource="uids", name=uid))
    for key, value in extra:
        asks.append(
            Attributes(
                job.user, "impersonate", group=authn, version="v1", resource="userextras", subresource=key, name=value
            )
        )
    for attributes in asks:
        decision = authorization.authorize(attributes, server.view)
        if not decision.allowed:
            message = authorization.forbidden_message(attributes, decision.reason)
            job.stage(out, "impersonation", "deny", message, decision.source, list(decision.tried))
            group = f".{attributes.group}" if attributes.group else ""
            raise status.forbidden(attributes.resource + group, attributes.name, message)
    if not groups and account is not None:
        groups = service_account_groups(account[0])
    if name == ANONYMOUS:
        if UNAUTHENTICATED not in groups:
            groups = (*groups, UNAUTHENTICATED)
    elif AUTHENTICATED not in groups:
        groups = (*groups, AUTHENTICATED)
    values: dict[str, list[str]] = {}
    for key, value in extra:
        values.setdefault(key, []).append(value)
    truly = job.user.name
    job.user = User(name, groups, uid, tuple((key, tuple(listed)) for key, listed in values.items()))
    job.stage(out, "impersonation", "change", f"{truly} may impersonate {name}; the request goes on as {name}", here(),
              {"groups": list(groups)})  # fmt: skip
