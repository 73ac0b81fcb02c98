"""``kubectl create``: from files, or objects built from flags (deployment, namespace, configmap, secret, RBAC, job, token …)."""

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from cluster.shell.commands.kubectl import builders, printers
from cluster.shell.commands.kubectl.command import Kubectl, finish
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure, text
from cluster.shell.commands.kubectl.flags import (
    ARRAY,
    BOOL,
    DRY_RUN,
    FILES,
    LIST,
    OUTPUT,
    SELECTOR,
    STRING,
    VALIDATE,
    Flag,
    duration,
)
from cluster.shell.interpreter import Run
from cluster.shell.session import FileError

NAMES = ("create",)
COMMON = {**DRY_RUN, **OUTPUT, **VALIDATE, "save-config": BOOL}
FLAGS = {**COMMON, **FILES, **SELECTOR, "raw": STRING, "edit": BOOL}

Doc = dict[str, Any]


def run(k: Kubectl) -> Run:
    """``create -f``."""
    if not k.flags["filename"]:
        raise Failure("must specify one of -f and -k\nSee 'kubectl create -h' for help and examples")
    if k.args:
        raise Failure(f"Unexpected args: [{' '.join(k.args)}]\nSee 'kubectl create -h' for help and examples")
    status = 0
    for target in (yield from k.file_targets()):
        try:
            doc = target.doc or {}
            if k.dry_run != "client":
                where = target.mapping.path(target.namespace)
                prefix = f'error when creating "{target.source}": '
                doc = yield from k.client.call("POST", where, k.write_query("kubectl-create"), doc, prefix=prefix)
            finish(k, target, doc, "created")
        except ApiFailure as error:
            k.err(text(error))
            status = 1
    return status


def submit(k: Kubectl, doc: Doc, what: str) -> Run:
    """Create an object built from flags."""
    namespaced = doc["kind"] not in ("Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass")
    if k.dry_run == "client":
        if namespaced and k.given.get("namespace"):
            doc = {**doc, "metadata": {**doc["metadata"], "namespace": k.namespace}}
        if k.flags["output"]:
            k.out(printers.structured(doc, k.flags["output"], k.flags))
        else:
            group = doc["apiVersion"].rpartition("/")[0]
            shown = doc["kind"].lower() + (f".{group}" if group else "")
            k.out(f"{shown}/{doc['metadata']['name']} created (dry run)\n")
        return 0
    mapping = yield from k.client.mapping_of(doc)
    where = mapping.path(k.namespace if mapping.namespaced else "")
    if mapping.namespaced:
        doc = {**doc, "metadata": {**doc["metadata"], "namespace": k.namespace}}
    try:
        made = yield from k.client.call("POST", where, k.write_query("kubectl-create"), doc)
    except ApiFailure as error:
        if error.reason in ("Invalid",) or not what:
            raise
        raise Failure(f"failed to create {what}: {error.message}") from None
    finish(k, k.target(mapping, doc["metadata"]["name"]), made, "created")
    return 0


def _name(k: Kubectl) -> str:
    if len(k.args) != 1:
        raise Failure(f"exactly one NAME is required, got {len(k.args)}\nSee '{k.trail} -h' for help and examples")
    return k.args[0]


def _deployment(k: Kubectl) -> Run:
    name = _name(k)
    if not k.flags["image"]:
        raise Failure('required flag(s) "image" not set')
    command = k.args[1:] if k.dash >= 0 else []
    doc = builders.deployment(name, k.flags["image"], k.flags["replicas"], k.flags["port"], command)
    return (yield from submit(k, doc, "deployment"))


def _namespace(k: Kubectl) -> Run:
    doc = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"creationTimestamp": None, "name": _name(k)},
        "spec": {},
        "status": {},
    }
    return (yield from submit(k, doc, ""))


def _service_account(k: Kubectl) -> Run:
    doc = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"creationTimestamp": None, "name": _name(k)}}
    return (yield from submit(k, doc, "serviceaccount"))


def _pairs(k: Kubectl) -> dict[str, str]:
    """``--from-literal``, ``--from-file``, ``--from-env-file``."""
    data: dict[str, str] = {}

    def put(key: str, value: str) -> None:
        if not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
            raise Failure(
                f'"{key}" is not a valid key name for a ConfigMap: a valid config key must consist of alphanumeric characters, '
                "'-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
            )
        if key in data:
            raise Failure(
                f'cannot add key "{key}", another key by that name already exists in Data for ConfigMap "{k.args[-1]}"'
            )
        data[key] = value

    for each in k.flags["from-literal"]:
        key, equals, value = each.partition("=")
        if not equals:
            raise Failure(f"invalid literal source {each}, expected key=value")
        put(key, value)
    for each in k.flags["from-file"]:
        key, equals, name = each.partition("=")
        name = name if equals else each
        put(key if equals else name.rsplit("/", 1)[-1], _read(k, name))
    for name in k.flags["from-env-file"]:
        for line in _read(k, name).splitlines():
            line = line.strip()
            if line and not line.startswith("#"):
                key, _, value = line.partition("=")
                put(key, value)
    return data


def _read(k: Kubectl, name: str) -> str:
    try:
        return k.ctx.files.read(name)
    except FileError:
        raise Failure(f"error reading {name}: no such file or directory") from None


def _config_map(k: Kubectl) -> Run:
    doc: Doc = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"creationTimestamp": None, "name": _name(k)}}
    data = _pairs(k)
    return (yield from submit(k, {**doc, "data": data} if data else doc, "configmap"))


def _secret(k: Kubectl) -> Run:
    if not k.args or k.args[0] not in ("generic", "tls", "docker-registry"):
        raise Failure(
            "must specify the type of secret: generic, tls or docker-registry\nSee 'kubectl create secret -h' for help and examples"
        )
    kind = k.args.pop(0)
    name = _name(k)
    if kind == "docker-registry":
        raise Failure("docker-registry secrets are not supported in this console")
    if kind == "tls":
        if not (k.flags["cert"] and k.flags["key"]):
            raise Failure("key and cert must be specified")
        data, type_ = {"tls.crt": _read(k, k.flags["cert"]), "tls.key": _read(k, k.flags["key"])}, "kubernetes.io/tls"
    else:
        data, type_ = _pairs(k), k.flags["type"] or "Opaque"
    encoded = {key: b64encode(value.encode("utf-8", "surrogateescape")).decode() for key, value in data.items()}
    doc: Doc = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"creationTimestamp": None, "name": name},
        "type": type_,
    }
    return (yield from submit(k, {**doc, "data": encoded} if encoded else doc, "secret " + name))


def _subjects(k: Kubectl) -> list[Doc]:
    group = "rbac.authorization.k8s.io"
    found: list[Doc] = [{"apiGroup": group, "kind": "User", "name": name} for name in k.flags["user"]]
    found += [{"apiGroup": group, "kind": "Group", "name": name} for name in k.flags["group"]]
    for each in k.flags["serviceaccount"]:
        namespace, colon, name = each.partition(":")
        if not colon or not name or not namespace or ":" in name:
            raise Failure("serviceaccount must be <namespace>:<name>")
        found.append({"kind": "ServiceAccount", "name": name, "namespace": namespace})
    return found


def _binding(kind: str) -> Callable[[Kubectl], Run]:
    def make(k: Kubectl) -> Run:
        cluster_role, role = k.flags["clusterrole"], k.flags.get("role", "")
        if kind == "ClusterRoleBinding" and not cluster_role:
            raise Failure('required flag(s) "clusterrole" not set')
        name = _name(k)
        if kind == "RoleBinding" and bool(cluster_role) == bool(role):
            raise Failure("exactly one of clusterrole or role must be specified")
        doc: Doc = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": {"creationTimestamp": None, "name": name},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole" if cluster_role else "Role",
                "name": cluster_role or role,
            },
        }
        subjects = _subjects(k)
        return (yield from submit(k, {**doc, "subjects": subjects} if subjects else doc, kind.lower()))

    return make


def _role(kind: str) -> Callable[[Kubectl], Run]:
    def make(k: Kubectl) -> Run:
        name = _name(k)
        if not k.flags["verb"]:
            raise Failure("at least one verb must be specified")
        rules: list[Doc] = []
        grouped: dict[str, list[str]] = {}
        for each in k.flags["resource"]:
            resource, _, sub = each.partition("/")
            group = ""
            if resource != "*":
                mapping = yield from k.client.mapping(resource)
                resource, group = mapping.plural, mapping.group
            grouped.setdefault(group, []).append(resource + (f"/{sub}" if sub else ""))
        urls = k.flags.get("non-resource-url") or []
        if not grouped and not urls:
            raise Failure(
                "at least one resource must be specified"
                if kind == "Role"
                else "one of resource, nonResourceURL or aggregationRule must be specified"
            )
        for group, resources in grouped.items():
            rule: Doc = {"apiGroups": [group], "resources": resources, "verbs": list(k.flags["verb"])}
            if k.flags["resource-name"]:
                rule["resourceNames"] = list(k.flags["resource-name"])
            rules.append(rule)
        if urls:
            rules.append({"nonResourceURLs": list(urls), "verbs": list(k.flags["verb"])})
        metadata = {"creationTimestamp": None, "name": name}
        doc = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules}
        return (yield from submit(k, doc, ""))

    return make


def _job(k: Kubectl) -> Run:
    if not k.args:
        raise Failure("exactly one NAME is required, got 0\nSee 'kubectl create job -h' for help and examples")
    name, command = k.args[0], k.args[1:]
    if k.flags["from"]:
        kind, _, cron = k.flags["from"].partition("/")
        mapping = yield from k.client.mapping(kind)
        if mapping.kind != "CronJob":
            raise Failure("from must be an existing cronjob")
        source = yield from k.client.call("GET", mapping.path(k.namespace, cron))
        template = source["spec"]["jobTemplate"]
        annotations = {
            "cronjob.kubernetes.io/instantiate": "manual",
            **(template.get("metadata") or {}).get("annotations", {}),
        }
        owner = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": cron,
            "uid": source["metadata"]["uid"],
            "controller": True,
        }
        metadata = {"annotations": annotations, "creationTimestamp": None, "name": name, "ownerReferences": [owner]}
        if (template.get("metadata") or {}).get("labels"):
            metadata["labels"] = template["metadata"]["labels"]
        doc = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"], "status": {}}
    else:
        if not k.flags["image"]:
            raise Failure("either --image or --from must be specified")
        doc = builders.job(name, k.flags["image"], command)
    return (yield from submit(k, doc, "job"))


def _token(k: Kubectl) -> Run:
    name = _name(k)
    spec: Doc = {}
    if k.flags["audience"]:
        spec["audiences"] = list(k.flags["audience"])
    if k.flags["duration"]:
        seconds = duration(k.flags["duration"])
        if seconds is None:
            raise Failure(
                f'invalid argument "{k.flags["duration"]}" for "--duration" flag: time: invalid duration "{k.flags["duration"]}"'
            )
        spec["expirationSeconds"] = seconds // 1_000_000_000
    doc = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"creationTimestamp": None},
        "spec": spec,
    }
    try:
        made = yield from k.client.call(
            "POST", f"/api/v1/namespaces/{k.namespace}/serviceaccounts/{name}/token", doc=doc
        )
    except ApiFailure as error:
        raise Failure(f"failed to create token: {error.message}") from None
    if k.flags["output"]:
        k.out(printers.structured(made, k.flags["output"], k.flags))
    else:
        k.out(made["status"]["token"] + "\n")
    return 0


def _service(k: Kubectl) -> Run:
    kinds = {
        "clusterip": "ClusterIP",
        "nodeport": "NodePort",
        "loadbalancer": "LoadBalancer",
        "externalname": "ExternalName",
    }
    if not k.args or k.args[0] not in kinds:
        raise Failure("must specify the type of service: clusterip, nodeport, loadbalancer or externalname")
    kind = kinds[k.args.pop(0)]
    name = _name(k)
    ports: list[Doc] = []
    for each in k.flags["tcp"]:
        port, _, target = each.partition(":")
        target = target or port
        ports.append({
            "name": each.replace(":", "-"), "port": int(port), "protocol": "TCP",
            "targetPort": int(target) if target.isdigit() else target,
            **({"nodePort": k.flags["node-port"]} if kind == "NodePort" and k.flags["node-port"] else {}),
        })  # fmt: skip
    if not ports and kind != "ExternalName" and k.flags["clusterip"] != "None":
        raise Failure("at least one tcp port specifier must be provided")
    spec: Doc = {"type": kind}
    if ports:
        spec["ports"] = ports
    if kind == "ExternalName":
        spec["externalName"] = k.flags["external-name"]
    else:
        spec["selector"] = {"app": name}
    if k.flags["clusterip"]:
        spec["clusterIP"] = k.flags["clusterip"]
    metadata = {"creationTimestamp": None, "labels": {"app": name}, "name": name}
    doc = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec, "status": {"loadBalancer": {}}}
    return (yield from submit(k, doc, f"{kind} service"))


_BIND = {**COMMON, "clusterrole": STRING, "user": ARRAY, "group": ARRAY, "serviceaccount": ARRAY}
_RULES = {**COMMON, "verb": LIST, "resource": LIST, "resource-name": LIST}
_DATA = {**COMMON, "from-literal": ARRAY, "from-file": ARRAY, "from-env-file": ARRAY, "append-hash": BOOL}
_SERVICE = {**COMMON, "tcp": LIST, "external-name": STRING, "clusterip": STRING, "node-port": Flag("int", default=0)}
_DEPLOYMENT = {**COMMON, "image": STRING, "replicas": Flag("int", "r", 1), "port": Flag("int", default=0)}

SUBCOMMANDS = {
    "deployment": (_DEPLOYMENT, _deployment),
    "deploy": (_DEPLOYMENT, _deployment),
    "namespace": (COMMON, _namespace),
    "ns": (COMMON, _namespace),
    "serviceaccount": (COMMON, _service_account),
    "sa": (COMMON, _service_account),
    "configmap": (_DATA, _config_map),
    "cm": (_DATA, _config_map),
    "secret": ({**_DATA, "type": STRING, "cert": STRING, "key": STRING}, _secret),
    "clusterrolebinding": (_BIND, _binding("ClusterRoleBinding")),
    "rolebinding": ({**_BIND, "role": STRING}, _binding("RoleBinding")),
    "role": (_RULES, _role("Role")),
    "clusterrole": ({**_RULES, "non-resource-url": LIST}, _role("ClusterRole")),
    "job": ({**COMMON, "image": STRING, "from": STRING}, _job),
    "token": ({**COMMON, "audience": ARRAY, "duration": STRING}, _token),
    "service": (_SERVICE, _service),
    "svc": (_SERVICE, _service),
}
