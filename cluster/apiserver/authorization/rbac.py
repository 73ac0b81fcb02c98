"""Role-based access control: bindings name subjects and a role, roles hold rules, rules say what may be done.

In → ``Attributes``; out → allowed with the binding that did it, or no opinion with every binding tried. A subject index
(user, group or account → bindings) is derived from the four RBAC watch caches and rebuilt when one of them changed, and
decisions are remembered until then, so that a check costs a dictionary lookup.

Order: ClusterRoleBindings first, then the RoleBindings of the request's namespace, by name (the real server's order is
its informers' hash order).

Upstream: plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go (v1.32).
"""

from typing import Any

from cluster.apiserver.authorization import Attributes, Decision
from cluster.apiserver.authorization.rules import Rule, compact_string, covers, uncovered, why_not
from cluster.apiserver.user import SERVICE_ACCOUNT_PREFIX, User
from cluster.apiserver.view import View, here

NAME = "RBAC"
ORDER = 20

ROLES = "roles.rbac.authorization.k8s.io"
CLUSTER_ROLES = "clusterroles.rbac.authorization.k8s.io"
ROLE_BINDINGS = "rolebindings.rbac.authorization.k8s.io"
CLUSTER_ROLE_BINDINGS = "clusterrolebindings.rbac.authorization.k8s.io"
_SOURCES = (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, CLUSTER_ROLES, ROLES)
_NEAR_MISSES = 24
_REMEMBER = 20_000


class _Bound:
    """A binding seen from one of its subjects. ``rules`` None: the role doesn't exist."""

    __slots__ = ("binding", "description", "namespace", "role", "rules")

    def __init__(self, binding: str, namespace: str, role: str, rules: list[Rule] | None, description: str) -> None:
        self.binding, self.namespace, self.role = binding, namespace, role
        self.rules, self.description = rules, description


class Index:
    """Everything RBAC knows, by subject. A cache: derived from the watch caches alone."""

    def __init__(self, view: View) -> None:
        self.generation = view.generation(*_SOURCES)
        self.by_subject: dict[str, list[_Bound]] = {}
        self.decisions: dict[tuple[Any, ...], Decision] = {}
        for binding in view.list(CLUSTER_ROLE_BINDINGS):
            self._add(binding, "", view)
        for binding in view.list(ROLE_BINDINGS):
            self._add(binding, binding["metadata"]["namespace"], view)

    def _add(self, binding: dict[str, Any], namespace: str, view: View) -> None:
        reference = binding["roleRef"]
        kind, role_name = reference["kind"], reference["name"]
        role = (
            view.get(CLUSTER_ROLES, "", role_name) if kind == "ClusterRole" else view.get(ROLES, namespace, role_name)
        )
        rules = None if role is None else role.get("rules") or []
        name = binding["metadata"]["name"]
        shown = f'{binding["kind"]} "{name}/{namespace}"' if namespace else f'ClusterRoleBinding "{name}"'
        of = f'{kind} "{role_name}"'
        for subject in binding.get("subjects") or ():
            who = subject["name"]
            if subject["kind"] == "ServiceAccount":
                at = subject.get("namespace") or namespace
                key, to = f"u:{SERVICE_ACCOUNT_PREFIX}{at}:{who}", f'ServiceAccount "{who}/{at}"'
            elif subject["kind"] == "Group":
                key, to = f"g:{who}", f'Group "{who}"'
            else:
                key, to = f"u:{who}", f'User "{who}"'
            text = f"RBAC: allowed by {shown} of {of} to {to}"
            self.by_subject.setdefault(key, []).append(_Bound(shown, namespace, of, rules, text))

    def bound(self, user: User) -> list[_Bound]:
        """Every binding that names ``user`` or one of their groups; cluster-wide ones first."""
        keys = [f"u:{user.name}", *(f"g:{group}" for group in user.groups)]
        found = [bound for key in keys for bound in self.by_subject.get(key, ())]
        return [b for b in found if not b.namespace] + [b for b in found if b.namespace]


def index_of(view: View) -> Index:
    """The current index of ``view``'s server."""
    index = view.derived.get(NAME)
    if index is None or index.generation != view.generation(*_SOURCES):
        index = view.derived[NAME] = Index(view)
    return index


def authorize(attributes: Attributes, view: View) -> Decision:
    """``RBACAuthorizer.Authorize``."""
    index = index_of(view)
    user = attributes.user
    key = (
        user.name,
        user.groups,
        attributes.verb,
        attributes.namespace,
        attributes.group,
        attributes.resource,
        attributes.subresource,
        attributes.path if not attributes.is_resource else "",
    )
    known = index.decisions.get(key)
    if known is None:
        known = index.decisions.get((*key, attributes.name))
    if known is None:
        if len(index.decisions) >= _REMEMBER:
            index.decisions.clear()
        known = _decide(attributes, index)
        index.decisions[(*key, attributes.name) if _names_objects(user, index) else key] = known
    return known


def _names_objects(user: User, index: Index) -> bool:
    """Whether any rule that ``user`` has is about objects of certain names."""
    return any(rule.get("resourceNames") for bound in index.bound(user) for rule in bound.rules or ())


def _decide(attributes: Attributes, index: Index) -> Decision:
    tried: list[dict[str, Any]] = []
    missing: list[str] = []
    for bound in index.bound(attributes.user):
        if bound.namespace and (not attributes.is_resource or bound.namespace != attributes.namespace):
            tried.append({"binding": bound.binding, "role": bound.role, "why": f"it grants only in {bound.namespace}"})
            continue
        if bound.rules is None:
            missing.append(bound.role)
            tried.append({"binding": bound.binding, "role": bound.role, "why": "the role does not exist"})
            continue
        for number, rule in enumerate(bound.rules, 1):
            if covers(rule, attributes):
                tried.append({"binding": bound.binding, "role": bound.role, "number": number, "rule": rule})
                said = f"RBAC: {_plain(bound.binding)} grants it through {_plain(bound.role)}, rule {number}"
                return Decision(True, bound.description, NAME, here(), tuple(tried[-_NEAR_MISSES:]), said)
        tried.append({"binding": bound.binding, "role": bound.role, "why": _closest(bound.rules, attributes)})
    said = _refusal(attributes, tried)
    if not tried:
        tried.append({"binding": "", "role": "", "why": f"no binding names {attributes.user.name} or its groups"})
    reason = ""
    if missing:
        texts = [_missing_text(role) for role in dict.fromkeys(missing)]
        reason = "RBAC: " + (texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]")
    return Decision(False, reason, NAME, here(), tuple(tried[:_NEAR_MISSES]), said)


def _plain(quoted: str) -> str:
    """``ClusterRole "x"`` as it stands in a sentence: ``ClusterRole x``."""
    return quoted.replace('"', "")


def _refusal(attributes: Attributes, tried: list[dict[str, Any]]) -> str:
    user = attributes.user.name
    what = f"{attributes.verb} {attributes.full_resource if attributes.is_resource else attributes.path}"
    if not tried:
        return f"RBAC: no binding names {user} or one of their groups, so nothing lets them {what}"
    if len(tried) == 1:
        return f"RBAC: 1 binding names {user} or one of their groups, and it does not let them {what}"
    return f"RBAC: {len(tried)} bindings name {user} or one of their groups, and none lets them {what}"


def _missing_text(role: str) -> str:
    kind, _, quoted = role.partition(" ")
    name = quoted.strip('"').partition("/")[0]
    resource = "clusterrole" if kind == "ClusterRole" else "role"
    return f'{resource}.rbac.authorization.k8s.io "{name}" not found'


def _closest(rules: list[Rule], attributes: Attributes) -> str:
    """Why the rule that comes nearest fails: a wrong verb is nearer than a wrong resource, that nearer than a group."""
    if not rules:
        return "the role has no rules"
    order = ("resourceNames", "verbs", "resources", "nonResourceURLs", "apiGroups", "grants")
    texts = [f"rule {number}: {why_not(rule, attributes)}" for number, rule in enumerate(rules, 1)]
    return min(texts, key=lambda text: next(rank for rank, word in enumerate(order) if f" {word} " in text))


def rules_for(user: User, namespace: str, view: View) -> tuple[list[Rule], list[str]]:
    """All rules that apply to ``user`` in ``namespace``, and errors about roles that don't exist."""
    rules: list[Rule] = []
    errors: list[str] = []
    for bound in index_of(view).bound(user):
        if bound.namespace and bound.namespace != namespace:
            continue
        if bound.rules is None:
            errors.append(_missing_text(bound.role))
        else:
            rules += bound.rules
    return rules, errors


def escalation(user: User, namespace: str, wanted: list[Rule], view: View) -> str:
    """ "" when ``user`` already holds all of ``wanted`` in ``namespace``; else the words of the 403.

    Upstream: pkg/registry/rbac/validation ``ConfirmNoEscalation``.
    """
    owned, errors = rules_for(user, namespace, view)
    lacking = uncovered(owned, wanted)
    if not lacking:
        return ""
    groups = " ".join(f'"{group}"' for group in user.groups)
    compact: dict[tuple[str, ...], Rule] = {}
    for part in lacking:  # verbs of one resource are shown together
        key = (*(part.get("apiGroups") or ()), *(part.get("resources") or ()), *(part.get("resourceNames") or ()),
               *(part.get("nonResourceURLs") or ()))  # fmt: skip
        held = compact.get(key)
        compact[key] = part if held is None else {**held, "verbs": held["verbs"] + part["verbs"]}
    lines = "\n".join(compact_string(rule) for rule in sorted(compact.values(), key=compact_string))
    text = (
        f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{lines}'
    )
    return f"{text}; resolution errors: [{', '.join(errors)}]" if errors else text
