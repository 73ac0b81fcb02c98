"""Which resources there are, asked of the server itself: the namespace controller and the garbage collector must know.

In → the answers to ``GET /api`` and ``GET /apis`` with the aggregated discovery media type (two requests instead of one a
group); out → ``Found`` entries in the server's order, each resource in its group's preferred version only.

Upstream: k8s.io/client-go/discovery/{discovery_client,aggregated_discovery}.go (ServerPreferredResources).
"""

from typing import Any

from cluster.clientgo import Doc

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
HEADERS = (("accept", ACCEPT), ("user-agent", "kube-controller-manager/v1.32.13 (linux/amd64) kubernetes/1.32.13"))


def parse(*answers: Any) -> list[Doc] | None:
    """``{group, api_version, plural, kind, namespaced, verbs}`` of every top-level resource; None if not understood."""
    found: dict[tuple[str, str], Doc] = {}
    for answer in answers:
        if not isinstance(answer, dict) or answer.get("kind") != "APIGroupDiscoveryList":
            return None
        for group in answer.get("items") or ():
            name = group.get("metadata", {}).get("name", "")
            for version in group.get("versions") or ():
                api_version = f"{name}/{version['version']}" if name else version["version"]
                for resource in version.get("resources") or ():
                    entry = {
                        "group": name,
                        "api_version": api_version,
                        "plural": resource["resource"],
                        "kind": (resource.get("responseKind") or {}).get("kind", ""),
                        "namespaced": resource.get("scope") == "Namespaced",
                        "verbs": list(resource.get("verbs") or ()),
                    }
                    found.setdefault((name, resource["resource"]), entry)
    return list(found.values())
