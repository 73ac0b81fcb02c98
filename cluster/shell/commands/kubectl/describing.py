"""Pieces of ``kubectl describe``: labels, containers, volumes, tolerations, events, as tab-separated lines still to be aligned.

Upstream: kubectl/pkg/describe/describe.go.
"""

from datetime import datetime
from typing import Any

from cluster.api.quantity import canonical

Doc = dict[str, Any]

NONE = "<none>"
_HIDDEN = ("kubectl.kubernetes.io/last-applied-configuration", "control-plane.alpha.kubernetes.io/leader")


def line(level: int, text: str) -> str:
    """One line, indented by two blanks a level."""
    return "  " * level + text + "\n"


def multiline(title: str, items: list[str], indent: str = "") -> str:
    """``Labels:\\ta=1`` and the others below it."""
    if not items:
        return f"{indent}{title}:\t{NONE}\n"
    return "".join(
        f"{indent}{title}:\t{each}\n" if place == 0 else f"{indent}\t{each}\n" for place, each in enumerate(items)
    )


def labels(pairs: Doc | None, title: str = "Labels", indent: str = "") -> str:
    """Labels, one a line."""
    return multiline(title, [f"{key}={pairs[key]}" for key in sorted(pairs or {})] if pairs else [], indent)


def annotations(pairs: Doc | None, indent: str = "") -> str:
    """Annotations but kubectl's own; long ones start on a line of their own."""
    shown = {key: value for key, value in (pairs or {}).items() if key not in _HIDDEN}
    items = []
    for key in sorted(shown):
        value = shown[key]
        long = len(value) + len(key) > 138 or "\n" in value
        items.append(
            f"{key}:\n" + "\n".join(f"{indent}\t  {each}" for each in value.rstrip("\n").split("\n"))
            if long
            else f"{key}: {value}"
        )
    return multiline("Annotations", items, indent)


def date(timestamp: str | None) -> str:
    """RFC 1123 with a zone: ``Mon, 23 Nov 2026 03:56:06 +0000``."""
    return datetime.fromisoformat(timestamp).strftime("%a, %d %b %Y %H:%M:%S +0000") if timestamp else "<unset>"


def selector(value: Doc | None) -> str:
    """A LabelSelector or plain selector in one line."""
    if not value:
        return NONE
    if "matchLabels" not in value and "matchExpressions" not in value:
        return ",".join(f"{key}={value[key]}" for key in sorted(value))
    terms = [f"{key}={text}" for key, text in sorted((value.get("matchLabels") or {}).items())]
    for each in value.get("matchExpressions") or ():
        members = ",".join(sorted(each.get("values") or ()))
        forms = {
            "In": f"{each['key']} in ({members})",
            "NotIn": f"{each['key']} notin ({members})",
            "Exists": each["key"],
        }
        terms.append(forms.get(each["operator"], f"!{each['key']}"))
    return ",".join(terms) or NONE


def _state(title: str, state: Doc, level: int) -> str:
    if "running" in state:
        return line(level, f"{title}:\tRunning") + line(
            level + 1, f"Started:\t{date(state['running'].get('startedAt'))}"
        )
    if "waiting" in state:
        out = line(level, f"{title}:\tWaiting")
        reason, message = state["waiting"].get("reason"), state["waiting"].get("message")
        out += line(level + 1, f"Reason:\t{reason}") if reason else ""
        return out + (line(level + 1, f"Message:\t{message}") if message and title == "Last State" else "")
    if "terminated" in state:
        end = state["terminated"]
        out = line(level, f"{title}:\tTerminated")
        out += line(level + 1, f"Reason:\t{end['reason']}") if end.get("reason") else ""
        out += line(level + 1, f"Message:\t{end['message']}") if end.get("message") else ""
        out += line(level + 1, f"Exit Code:\t{end.get('exitCode', 0)}")
        out += line(level + 1, f"Started:\t{date(end.get('startedAt'))}")
        return out + line(level + 1, f"Finished:\t{date(end.get('finishedAt'))}")
    return line(level, f"{title}:\tWaiting")


def _probe(probe: Doc) -> str:
    times = (
        f"delay={probe.get('initialDelaySeconds', 0)}s timeout={probe.get('timeoutSeconds', 1)}s period={probe.get('periodSeconds', 10)}s "
        f"#success={probe.get('successThreshold', 1)} #failure={probe.get('failureThreshold', 3)}"
    )
    if "exec" in probe:
        return f"exec [{' '.join(probe['exec'].get('command') or ())}] {times}"
    if "httpGet" in probe:
        get = probe["httpGet"]
        return f"http-get {get.get('scheme', 'HTTP').lower()}://{get.get('host', '')}:{get['port']}{get.get('path', '')} {times}"
    if "tcpSocket" in probe:
        return f"tcp-socket {probe['tcpSocket'].get('host', '')}:{probe['tcpSocket']['port']} {times}"
    if "grpc" in probe:
        return f"grpc <pod>:{probe['grpc']['port']} {probe['grpc'].get('service', '')} {times}"
    return f"unknown {times}"


def _ports(ports: list[Doc], key: str) -> str:
    return ", ".join(f"{each.get(key, 0)}/{each.get('protocol', 'TCP')}" for each in ports) or NONE


def _environment(container: Doc) -> str:
    out = ""
    sources = container.get("envFrom") or ()
    if sources:
        out += line(2, "Environment Variables from:")
        for each in sources:
            kind, key = ("ConfigMap", "configMapRef") if "configMapRef" in each else ("Secret", "secretRef")
            optional = "true" if each[key].get("optional") else "false"
            out += line(3, f"{each[key].get('name', '')}\t{kind}\tOptional: {optional}")
    env = container.get("env") or ()
    if not env:
        return out + line(2, f"Environment:\t{NONE}")
    out += line(2, "Environment:")
    for each in env:
        source = each.get("valueFrom") or {}
        if "fieldRef" in source:
            text = f" ({source['fieldRef'].get('apiVersion', 'v1')}:{source['fieldRef']['fieldPath']})"
        elif "resourceFieldRef" in source:
            text = f" ({source['resourceFieldRef']['resource']})"
        elif "secretKeyRef" in source:
            ref = source["secretKeyRef"]
            text = f"<set to the key '{ref['key']}' in secret '{ref.get('name', '')}'>\tOptional: {'true' if ref.get('optional') else 'false'}"
        elif "configMapKeyRef" in source:
            ref = source["configMapKeyRef"]
            text = f"<set to the key '{ref['key']}' of config map '{ref.get('name', '')}'>\tOptional: {'true' if ref.get('optional') else 'false'}"
        else:
            text = each.get("value", "")
        out += line(3, f"{each['name']}:\t{text}")
    return out


def container(spec: Doc, status: Doc | None, *, name_indent: str = "") -> str:
    """One container, of a pod or (``status`` None) of a template."""
    out = line(1, f"{name_indent}{spec['name']}:")
    if status is not None:
        out += line(2, f"Container ID:\t{status.get('containerID', '')}")
    out += line(2, f"Image:\t{spec.get('image', '')}")
    if status is not None:
        out += line(2, f"Image ID:\t{status.get('imageID', '')}")
    ports = spec.get("ports") or []
    out += line(2, f"{'Ports' if len(ports) > 1 else 'Port'}:\t{_ports(ports, 'containerPort')}")
    out += line(2, f"{'Host Ports' if len(ports) > 1 else 'Host Port'}:\t{_ports(ports, 'hostPort')}")
    for title, key in (("Command", "command"), ("Args", "args")):
        if spec.get(key):
            out += line(2, f"{title}:") + "".join(line(3, word) for each in spec[key] for word in each.split("\n"))
    if status is not None:
        out += _state("State", status.get("state") or {}, 2)
        if status.get("lastState"):
            out += _state("Last State", status["lastState"], 2)
        out += line(2, f"Ready:\t{'True' if status.get('ready') else 'False'}")
        out += line(2, f"Restart Count:\t{status.get('restartCount', 0)}")
    resources = spec.get("resources") or {}
    for title, key in (("Limits", "limits"), ("Requests", "requests")):
        if resources.get(key):
            out += line(2, f"{title}:")
            out += "".join(
                line(3, f"{name}:\t{canonical(str(resources[key][name]))}") for name in sorted(resources[key])
            )
    for title, key in (("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")):
        if spec.get(key):
            out += line(2, f"{title}:\t{_probe(spec[key])}")
    out += _environment(spec)
    mounts = spec.get("volumeMounts") or ()
    if not mounts:
        return out + line(2, f"Mounts:\t{NONE}")
    out += line(2, "Mounts:")
    for each in sorted(mounts, key=lambda mount: mount["mountPath"]):
        flags = ["ro" if each.get("readOnly") else "rw"] + (
            [f'path="{each["subPath"]}"'] if each.get("subPath") else []
        )
        out += line(3, f"{each['mountPath']} from {each['name']} ({','.join(flags)})")
    return out


def volumes(found: list[Doc] | None, level: int = 0) -> str:
    """A pod's volumes."""
    if not found:
        return line(level, f"Volumes:\t{NONE}")
    out = line(level, "Volumes:")
    for each in found:
        kind = next((key for key in each if key != "name"), "emptyDir")
        source = each.get(kind) or {}
        out += line(1, f"{' ' if level else ''}{each['name']}:")
        if kind == "projected":
            out += line(2, "Type:\tProjected (a volume that contains injected data from multiple sources)")
            for part in source.get("sources") or ():
                if "secret" in part:
                    out += line(2, f"SecretName:\t{part['secret'].get('name', '')}") + line(
                        2, f"SecretOptionalName:\t{_optional(part['secret'])}"
                    )
                elif "downwardAPI" in part:
                    out += line(2, "DownwardAPI:\ttrue")
                elif "configMap" in part:
                    out += line(2, f"ConfigMapName:\t{part['configMap'].get('name', '')}")
                    out += line(2, f"ConfigMapOptional:\t{_optional(part['configMap'])}")
                elif "serviceAccountToken" in part:
                    out += line(
                        2, f"TokenExpirationSeconds:\t{part['serviceAccountToken'].get('expirationSeconds', 3600)}"
                    )
        elif kind == "configMap":
            out += line(2, "Type:\tConfigMap (a volume populated by a ConfigMap)") + line(
                2, f"Name:\t{source.get('name', '')}"
            )
            out += line(2, f"Optional:\t{'true' if source.get('optional') else 'false'}")
        elif kind == "secret":
            out += line(2, "Type:\tSecret (a volume populated by a Secret)") + line(
                2, f"SecretName:\t{source.get('secretName', '')}"
            )
            out += line(2, f"Optional:\t{'true' if source.get('optional') else 'false'}")
        elif kind == "emptyDir":
            out += line(2, "Type:\tEmptyDir (a temporary directory that shares a pod's lifetime)")
            out += line(2, f"Medium:\t{source.get('medium', '')}") + line(
                2, f"SizeLimit:\t{source.get('sizeLimit') or '<unset>'}"
            )
        elif kind == "hostPath":
            out += line(2, "Type:\tHostPath (bare host directory volume)") + line(2, f"Path:\t{source.get('path', '')}")
            out += line(2, f"HostPathType:\t{source.get('type', '')}")
        elif kind == "persistentVolumeClaim":
            out += line(
                2, "Type:\tPersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)"
            )
            out += line(2, f"ClaimName:\t{source.get('claimName', '')}") + line(
                2, f"ReadOnly:\t{'true' if source.get('readOnly') else 'false'}"
            )
        else:
            out += line(2, f"Type:\t{kind[:1].upper()}{kind[1:]}")
    return out


def _optional(source: Doc) -> str:
    return "<nil>" if source.get("optional") is None else "true" if source["optional"] else "false"


def tolerations(found: list[Doc] | None) -> list[str]:
    """One text a toleration."""
    out = []
    for each in found or ():
        text = each.get("key", "")
        if each.get("value"):
            text += f"={each['value']}"
        if each.get("effect"):
            text += f":{each['effect']}"
        if each.get("operator") == "Exists" and not each.get("value"):
            text += " op=Exists" if each.get("key") or each.get("effect") else "op=Exists"
        if each.get("tolerationSeconds") is not None:
            text += f" for {each['tolerationSeconds']}s"
        out.append(text)
    return sorted(out)


def scheduling(spec: Doc, indent: str = "") -> str:
    """Node selectors and tolerations."""
    pairs = spec.get("nodeSelector") or {}
    found = multiline("Node-Selectors", [f"{key}={pairs[key]}" for key in sorted(pairs)], indent)
    return found + multiline("Tolerations", tolerations(spec.get("tolerations")), indent)


def pod_template(template: Doc | None, *, tabs: bool = False) -> str:
    """``Pod Template:`` and what is in it. ``tabs``: as printed where nothing aligns them."""
    out = line(0, "Pod Template:")
    if template is None:
        return line(0, "  <unset>")
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    pairs = [f"{key}={metadata['labels'][key]}" for key in sorted(metadata.get("labels") or {})]
    first = "".join(
        f"  Labels:\t{each}\n" if place == 0 else f"{'' if tabs else '  '}\t{each}\n"
        for place, each in enumerate(pairs)
    )
    out += first or f"  Labels:\t{NONE}\n"
    if metadata.get("annotations"):
        out += annotations(metadata["annotations"], "  ")
    if spec.get("serviceAccountName"):
        out += line(1, f"Service Account:\t{spec['serviceAccountName']}")
    if spec.get("initContainers"):
        out += line(1, "Init Containers:") + "".join(
            container(each, None, name_indent=" ") for each in spec["initContainers"]
        )
    out += line(1, "Containers:") + "".join(
        container(each, None, name_indent=" ") for each in spec.get("containers") or ()
    )
    out += volumes(spec.get("volumes"), 1)
    return out + scheduling(spec, "  ")


def human(seconds: float) -> str:
    """``duration.HumanDuration`` for ages (as the server's printers)."""
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    total = int(seconds)
    if total < 120:
        return f"{total}s"
    minutes = total // 60
    if minutes < 10:
        return f"{minutes}m{total % 60}s" if total % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = total // 3600
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    return f"{days // 365}y{days % 365}d" if days < 2920 and days % 365 else f"{days // 365}y"


def age(timestamp: str | None, now: float) -> str:
    """How long ago."""
    return human(now - datetime.fromisoformat(timestamp).timestamp()) if timestamp else "<unknown>"


def event_age(event: Doc, now: float) -> str:
    """``4s``, or ``4s (x3 over 10s)`` for one that was seen more often."""
    first = event.get("firstTimestamp") or event.get("eventTime")
    last, count = event.get("lastTimestamp") or first, event.get("count", 1)
    if event.get("series"):
        last, count = event["series"].get("lastObservedTime"), event["series"].get("count", 1)
    return f"{age(last, now)} (x{count} over {age(first, now)})" if count > 1 else age(last, now)


def events(found: list[Doc], now: float) -> str:
    """The ``Events:`` part."""
    if not found:
        return line(0, f"Events:\t{NONE}")
    out = (
        line(0, "Events:") + line(1, "Type\tReason\tAge\tFrom\tMessage") + line(1, "----\t------\t----\t----\t-------")
    )

    def when(event: Doc) -> str:
        return event.get("lastTimestamp") or event.get("eventTime") or ""

    for each in sorted(found, key=when):
        source = (each.get("source") or {}).get("component") or each.get("reportingComponent", "")
        message = (each.get("message") or "").strip()
        out += line(1, f"{each.get('type', '')}\t{each.get('reason', '')}\t{event_age(each, now)}\t{source}\t{message}")
    return out


def rule_rows(rules: list[Doc]) -> list[str]:
    """RBAC rules as ``Resources, Non-Resource URLs, Resource Names, Verbs``: one row a resource, verbs gathered, in upstream's order.

    Upstream breaks rules into their smallest parts, joins those that differ in the verb only and sorts by the printed struct.
    """
    joined: dict[tuple[str, str, str], list[str]] = {}
    urls: list[tuple[str, str]] = []
    for rule in rules:
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or ("",):
                    verbs = joined.setdefault((group, resource, name), [])
                    verbs += [verb for verb in rule["verbs"] if verb not in verbs]
        urls += [(url, verb) for url in rule.get("nonResourceURLs") or () for verb in rule["verbs"]]
    keyed: list[tuple[str, str]] = []
    for (group, resource, name), verbs in joined.items():
        head, slash, tail = resource.partition("/")
        shown = head + (f".{group}" if group else "") + slash + tail
        key = f"Verbs:[{' '.join(verbs)}],APIGroups:[{group}],Resources:[{resource}],ResourceNames:[{name}],NonResourceURLs:[]"
        keyed.append((key, f"{shown}\t[]\t[{name}]\t[{' '.join(verbs)}]"))
    for url, verb in urls:
        key = f"Verbs:[{verb}],APIGroups:[],Resources:[],ResourceNames:[],NonResourceURLs:[{url}]"
        keyed.append((key, f"\t[{url}]\t[]\t[{verb}]"))
    return [row for _, row in sorted(keyed, key=lambda each: each[0])]
