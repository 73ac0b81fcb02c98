"""The documents, as kubeadm 1.32 writes them (``cmd/kubeadm/app/phases/addons/*/manifests.go`` and ``uploadconfig``)."""

from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.kubeadm.init import KubeadmConfig

Doc = dict[str, Any]
SYSTEM = "kube-system"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def documents(config: "KubeadmConfig") -> list[tuple[str, Doc]]:
    """(collection path, document) in the order in which they are created."""
    out = [*_config(config), *_access()]
    if config.addons:
        out += [*_coredns(), *_kube_proxy(config)]
    return out + [_mark_control_plane(node) for node in config.control_planes]


def _mark_control_plane(node: str) -> tuple[str, Doc]:
    """(the Node's path, what to merge into it): phase mark-control-plane. The taint is the kubelet's own flag."""
    labels = {
        "node-role.kubernetes.io/control-plane": "",
        "node.kubernetes.io/exclude-from-external-load-balancers": "",
    }
    return f"/api/v1/nodes/{node}", {"apiVersion": "v1", "kind": "Node", "metadata": {"labels": labels}}


def _meta(name: str, namespace: str = "", labels: dict[str, str] | None = None) -> Doc:
    meta: Doc = {"name": name}
    if namespace:
        meta["namespace"] = namespace
    if labels:
        meta["labels"] = labels
    return meta


def _configmap(name: str, data: dict[str, str], namespace: str = SYSTEM, labels: dict[str, str] | None = None):
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    return path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(name, namespace, labels), "data": data}


def _config(config: "KubeadmConfig") -> list[tuple[str, Doc]]:
    ca = b64encode(config.ca_pem).decode()
    cluster_configuration = (
        "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4\ncaCertificateValidityPeriod: 87600h0m0s\n"
        "certificateValidityPeriod: 8760h0m0s\ncertificatesDir: /etc/kubernetes/pki\nclusterName: kubernetes\n"
        f"controlPlaneEndpoint: {config.server_url.removeprefix('https://')}\ncontrollerManager: {{}}\ndns: {{}}\n"
        "encryptionAlgorithm: RSA-2048\netcd:\n  local:\n    dataDir: /var/lib/etcd\n"
        f"imageRepository: registry.k8s.io\nkind: ClusterConfiguration\nkubernetesVersion: {config.version}\n"
        f"networking:\n  dnsDomain: cluster.local\n  podSubnet: {config.pod_cidr}\n"
        f"  serviceSubnet: {config.service_cidr}\nproxy: {{}}\nscheduler: {{}}\n"
    )
    kubelet_configuration = (
        "apiVersion: kubelet.config.k8s.io/v1beta1\nauthentication:\n  anonymous:\n    enabled: false\n"
        "  webhook:\n    enabled: true\nauthorization:\n  mode: Webhook\ncgroupDriver: systemd\n"
        "clusterDNS:\n- 10.96.0.10\nclusterDomain: cluster.local\nkind: KubeletConfiguration\nrotateCertificates: true\n"
        "staticPodPath: /etc/kubernetes/manifests\n"
    )
    kubeconfig = (
        f"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: {config.server_url}\n"
        '  name: ""\ncontexts: null\ncurrent-context: ""\nkind: Config\npreferences: {}\nusers: null\n'
    )
    return [
        _configmap("kubeadm-config", {"ClusterConfiguration": cluster_configuration}),
        _configmap("kubelet-config", {"kubelet": kubelet_configuration}),
        _configmap("cluster-info", {"kubeconfig": kubeconfig}, "kube-public"),
    ]


def _rule(verbs: list[str], resources: list[str], group: str = "", names: list[str] | None = None) -> Doc:
    rule: Doc = {"verbs": verbs, "apiGroups": [group], "resources": resources}
    if names:
        rule["resourceNames"] = names
    return rule


def _role(name: str, rules: list[Doc], namespace: str = "") -> tuple[str, Doc]:
    kind = "Role" if namespace else "ClusterRole"
    path = f"{RBAC}/namespaces/{namespace}/roles" if namespace else f"{RBAC}/clusterroles"
    doc = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": _meta(name, namespace),
        "rules": rules,
    }
    return path, doc


def _binding(name: str, role: str, subjects: list[Doc], namespace: str = "", role_kind: str = "") -> tuple[str, Doc]:
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    path = f"{RBAC}/namespaces/{namespace}/rolebindings" if namespace else f"{RBAC}/clusterrolebindings"
    return path, {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": _meta(name, namespace),
        "subjects": subjects,
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": role_kind or ("Role" if namespace else "ClusterRole"),
            "name": role,
        },
    }


def _group(name: str) -> Doc:
    return {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": name}


def _user(name: str) -> Doc:
    return {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}


def _account(name: str) -> Doc:
    return {"kind": "ServiceAccount", "name": name, "namespace": SYSTEM}


def _access() -> list[tuple[str, Doc]]:
    joiners = _group("system:bootstrappers:kubeadm:default-node-token")
    nodes = _group("system:nodes")
    nodes_config = "kubeadm:nodes-kubeadm-config"
    client = "system:certificates.k8s.io:certificatesigningrequests"
    return [
        _binding("kubeadm:cluster-admins", "cluster-admin", [_group("kubeadm:cluster-admins")]),
        _role("kubeadm:get-nodes", [_rule(["get"], ["nodes"])]),
        _binding("kubeadm:get-nodes", "kubeadm:get-nodes", [joiners]),
        _binding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", [joiners]),
        _binding("kubeadm:node-autoapprove-bootstrap", f"{client}:nodeclient", [joiners]),
        _binding("kubeadm:node-autoapprove-certificate-rotation", f"{client}:selfnodeclient", [nodes]),
        _role(nodes_config, [_rule(["get"], ["configmaps"], names=["kubeadm-config"])], SYSTEM),
        _binding(nodes_config, nodes_config, [joiners, nodes], SYSTEM),
        _role("kubeadm:kubelet-config", [_rule(["get"], ["configmaps"], names=["kubelet-config"])], SYSTEM),
        _binding("kubeadm:kubelet-config", "kubeadm:kubelet-config", [nodes, joiners], SYSTEM),
        _role(
            "kubeadm:bootstrap-signer-clusterinfo",
            [_rule(["get"], ["configmaps"], names=["cluster-info"])],
            "kube-public",
        ),
        _binding(
            "kubeadm:bootstrap-signer-clusterinfo",
            "kubeadm:bootstrap-signer-clusterinfo",
            [_user("system:anonymous")],
            "kube-public",
        ),
    ]


COREFILE = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""


def _coredns() -> list[tuple[str, Doc]]:
    labels = {"k8s-app": "kube-dns"}
    ports = [
        {"containerPort": 53, "name": "dns", "protocol": "UDP"},
        {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
        {"containerPort": 9153, "name": "metrics", "protocol": "TCP"},
    ]
    container = {
        "name": "coredns",
        "image": "registry.k8s.io/coredns/coredns:v1.11.3",
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": ports,
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": 8080, "scheme": "HTTP"},
            "initialDelaySeconds": 60,
            "timeoutSeconds": 5,
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181, "scheme": "HTTP"}},
        "volumeMounts": [{"mountPath": "/etc/coredns", "name": "config-volume", "readOnly": True}],
    }
    spread = {
        "weight": 100,
        "podAffinityTerm": {
            "labelSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
            "topologyKey": "kubernetes.io/hostname",
        },
    }
    pod_spec = {
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
        ],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [spread]}},
        "containers": [container],
        "volumes": [
            {
                "name": "config-volume",
                "configMap": {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]},
            }
        ],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta("coredns", SYSTEM, labels),
        "spec": {
            "replicas": 2,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            **_meta(
                "kube-dns",
                SYSTEM,
                {**labels, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
            ),
            "annotations": {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
        },
        "spec": {
            "clusterIP": "10.96.0.10",
            "selector": labels,
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
            ],
        },
    }
    rules = [
        _rule(["list", "watch"], ["endpoints", "services", "pods", "namespaces"]),
        _rule(["list", "watch"], ["endpointslices"], "discovery.k8s.io"),
    ]
    return [
        _configmap("coredns", {"Corefile": COREFILE}),
        _role("system:coredns", rules),
        _binding("system:coredns", "system:coredns", [_account("coredns")]),
        _service_account("coredns"),
        (f"/apis/apps/v1/namespaces/{SYSTEM}/deployments", deployment),
        (f"/api/v1/namespaces/{SYSTEM}/services", service),
    ]


def _service_account(name: str) -> tuple[str, Doc]:
    return f"/api/v1/namespaces/{SYSTEM}/serviceaccounts", {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _meta(name, SYSTEM),
    }


def _kube_proxy(config: "KubeadmConfig") -> list[tuple[str, Doc]]:
    labels = {"k8s-app": "kube-proxy"}
    mode = "" if config.proxy_mode == "iptables" else config.proxy_mode
    proxy_conf = (
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nbindAddress: 0.0.0.0\nclientConnection:\n"
        f"  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf\nclusterCIDR: {config.pod_cidr}\n"
        "iptables:\n  localhostNodePorts: null\n  masqueradeAll: false\n  masqueradeBit: null\n  minSyncPeriod: 0s\n"
        f'  syncPeriod: 0s\nkind: KubeProxyConfiguration\nmetricsBindAddress: ""\nmode: "{mode}"\n'
    )
    kubeconfig = (
        "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n"
        "    certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt\n"
        f"    server: {config.server_url}\n  name: default\ncontexts:\n- context:\n    cluster: default\n"
        "    namespace: default\n    user: default\n  name: default\ncurrent-context: default\nusers:\n"
        "- name: default\n  user:\n    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token\n"
    )
    container = {
        "name": "kube-proxy",
        "image": f"registry.k8s.io/kube-proxy:{config.version}",
        "imagePullPolicy": "IfNotPresent",
        "command": [
            "/usr/local/bin/kube-proxy",
            "--config=/var/lib/kube-proxy/config.conf",
            "--hostname-override=$(NODE_NAME)",
        ],
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "securityContext": {"privileged": True},
        "volumeMounts": [
            {"mountPath": "/var/lib/kube-proxy", "name": "kube-proxy"},
            {"mountPath": "/run/xtables.lock", "name": "xtables-lock"},
            {"mountPath": "/lib/modules", "name": "lib-modules", "readOnly": True},
        ],
    }
    daemonset = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": _meta("kube-proxy", SYSTEM, labels),
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "priorityClassName": "system-node-critical",
                    "containers": [container],
                    "hostNetwork": True,
                    "serviceAccountName": "kube-proxy",
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "tolerations": [{"operator": "Exists"}],
                    "volumes": [
                        {"name": "kube-proxy", "configMap": {"name": "kube-proxy"}},
                        {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}},
                        {"name": "lib-modules", "hostPath": {"path": "/lib/modules"}},
                    ],
                },
            },
        },
    }
    reader = [_rule(["get"], ["configmaps"], names=["kube-proxy"])]
    return [
        _service_account("kube-proxy"),
        _binding("kubeadm:node-proxier", "system:node-proxier", [_account("kube-proxy")]),
        _configmap(
            "kube-proxy", {"config.conf": proxy_conf, "kubeconfig.conf": kubeconfig}, labels={"app": "kube-proxy"}
        ),
        _role("kube-proxy", reader, SYSTEM),
        _binding("kube-proxy", "kube-proxy", [_group("system:bootstrappers:kubeadm:default-node-token")], SYSTEM),
        (f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets", daemonset),
    ]
