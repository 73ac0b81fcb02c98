"""Does a ``PolicyRule`` cover a request? Pure functions over rule documents, shared by the RBAC and Node authorizers.

Upstream: plugin/pkg/auth/authorizer/rbac, pkg/apis/rbac/v1/evaluation_helpers.go (v1.32).
"""

from typing import Any

from cluster.apiserver.authorization import Attributes

Rule = dict[str, Any]


def covers(rule: Rule, attributes: Attributes) -> bool:
    """``rbac.RuleAllows``."""
    verbs = rule["verbs"]
    if "*" not in verbs and attributes.verb not in verbs:
        return False
    if not attributes.is_resource:
        return _path_matches(rule.get("nonResourceURLs") or (), attributes.path)
    groups = rule.get("apiGroups") or ()
    if "*" not in groups and attributes.group not in groups:
        return False
    if not _resource_matches(rule.get("resources") or (), attributes.full_resource, attributes.subresource):
        return False
    names = rule.get("resourceNames")
    return not names or attributes.name in names


def why_not(rule: Rule, attributes: Attributes) -> str:
    """One plain clause: the first thing about ``rule`` that doesn't fit ``attributes``: what it has, and what it lacks."""
    if not attributes.is_resource:
        paths = rule.get("nonResourceURLs") or ()
        if not paths:
            return "it grants resources, not paths"
        if not _path_matches(paths, attributes.path):
            return _lacks("nonResourceURLs", paths, attributes.path)
        return _lacks("verbs", rule["verbs"], attributes.verb)
    groups = rule.get("apiGroups") or ()
    if not groups and rule.get("nonResourceURLs"):
        return "it grants paths, not resources"
    if "*" not in groups and attributes.group not in groups:
        return _lacks("apiGroups", groups, attributes.group)
    resources = rule.get("resources") or ()
    if not _resource_matches(resources, attributes.full_resource, attributes.subresource):
        return _lacks("resources", resources, attributes.full_resource)
    verbs = rule["verbs"]
    if "*" not in verbs and attributes.verb not in verbs:
        return _lacks("verbs", verbs, attributes.verb)
    return _lacks("resourceNames", rule.get("resourceNames") or (), attributes.name)


def _lacks(field: str, has: Any, wanted: str) -> str:
    """Names are quoted as YAML would: the core group is ``""``."""
    some = [f'"{value}"' for value in list(has)[:8]]
    if len(has) > 8:
        some.append(f"{len(has) - 8} more")
    lacks = 'the core group ""' if field == "apiGroups" and not wanted else f'"{wanted}"'
    return f"its {field} are {', '.join(some)}, not {lacks}" if some else f"it has no {field} that could cover {lacks}"


def _resource_matches(resources: Any, full: str, subresource: str) -> bool:
    if "*" in resources or full in resources:
        return True
    return bool(subresource) and f"*/{subresource}" in resources


def _path_matches(paths: Any, path: str) -> bool:
    for pattern in paths:
        if pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*"))):
            return True
    return False


def uncovered(owned: list[Rule], wanted: list[Rule]) -> list[Rule]:
    """The parts of ``wanted``, broken down to single permissions, that no rule in ``owned`` covers.

    ``validation.Covers`` of pkg/registry/rbac/validation/policy_compact: what a user may grant is what they have.
    """
    return [part for rule in wanted for part in _break_down(rule) if not any(_rule_covers(own, part) for own in owned)]


def _break_down(rule: Rule) -> list[Rule]:
    parts: list[Rule] = []
    for verb in rule["verbs"]:
        parts += [{"nonResourceURLs": [url], "verbs": [verb]} for url in rule.get("nonResourceURLs") or ()]
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in rule["verbs"]:
                base = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                names = rule.get("resourceNames") or ()
                parts += [{**base, "resourceNames": [name]} for name in names] if names else [base]
    return parts


def _rule_covers(owner: Rule, part: Rule) -> bool:
    if "*" not in owner["verbs"] and part["verbs"][0] not in owner["verbs"]:
        return False
    if "nonResourceURLs" in part:
        return _path_matches(owner.get("nonResourceURLs") or (), part["nonResourceURLs"][0])
    groups = owner.get("apiGroups") or ()
    if "*" not in groups and part["apiGroups"][0] not in groups:
        return False
    resource = part["resources"][0]
    _, _, subresource = resource.partition("/")
    if not _resource_matches(owner.get("resources") or (), resource, subresource):
        return False
    names = owner.get("resourceNames") or ()
    return not names or (part.get("resourceNames") or [""])[0] in names


def compact_string(rule: Rule) -> str:
    """``rbac/v1helpers.CompactString`` as escalation errors print it: ``{APIGroups:[""], Resources:["pods"], Verbs:["get"]}``."""

    def quoted(values: Any) -> str:
        return "[" + " ".join(f'"{value}"' for value in values) + "]"

    parts = []
    for label, key in (
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("ResourceNames", "resourceNames"),
        ("NonResourceURLs", "nonResourceURLs"),
        ("Verbs", "verbs"),
    ):
        if rule.get(key):
            parts.append(f"{label}:{quoted(rule[key])}")
    return "{" + ", ".join(parts) + "}"
