"""What kubeadm leaves in a new cluster where a user sees it: its RBAC, its ConfigMaps, the service account of kube-proxy.

Simplified here: bootstrap tokens, the CoreDNS add-on and the kube-proxy DaemonSet are not installed (kube-proxy runs as a
process of each node); ``kubeadm-config`` holds the fields that name and shape the cluster.
Upstream: cmd/kubeadm/app/phases/{bootstraptoken,addons,uploadconfig,kubelet}, 1.32.
"""

from typing import Any

from cluster.apiserver.bootstrap.rules import API_VERSION, GROUP, rule, subjects

Doc = dict[str, Any]

_JOINING = "group:system:bootstrappers:kubeadm:default-node-token"


def _binding(name: str, who: str, to: str, namespace: str = "", kind: str = "ClusterRole") -> Doc:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "apiVersion": API_VERSION,
        "metadata": metadata,
        "subjects": subjects(who),
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": to},
    }


def _role(name: str, namespace: str, rules: list[Doc]) -> Doc:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    kind = "Role" if namespace else "ClusterRole"
    return {"kind": kind, "apiVersion": API_VERSION, "metadata": metadata, "rules": rules}


def rbac() -> list[Doc]:
    """ClusterRoles, Roles and bindings named ``kubeadm:…`` (and ``kube-proxy``)."""
    found = [
        _role("kubeadm:get-nodes", "", [rule("get", "core", "nodes")]),
        _binding("kubeadm:cluster-admins", "group:kubeadm:cluster-admins", "cluster-admin"),
        _binding("kubeadm:get-nodes", _JOINING, "kubeadm:get-nodes"),
        _binding("kubeadm:kubelet-bootstrap", _JOINING, "system:node-bootstrapper"),
        _binding(
            "kubeadm:node-autoapprove-bootstrap",
            _JOINING,
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        ),
        _binding(
            "kubeadm:node-autoapprove-certificate-rotation",
            "group:system:nodes",
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        ),
        _binding("kubeadm:node-proxier", "sa:kube-system/kube-proxy", "system:node-proxier"),
    ]
    readers = f"{_JOINING} group:system:nodes"
    for name, config_map, who in (
        ("kube-proxy", "kube-proxy", _JOINING),
        ("kubeadm:kubelet-config", "kubelet-config", readers),
        ("kubeadm:nodes-kubeadm-config", "kubeadm-config", readers),
    ):
        found.append(_role(name, "kube-system", [rule("get", "core", "configmaps", config_map)]))
        found.append(_binding(name, who, name, "kube-system", "Role"))
    name = "kubeadm:bootstrap-signer-clusterinfo"
    found.append(_role(name, "kube-public", [rule("get", "core", "configmaps", "cluster-info")]))
    found.append(_binding(name, "user:system:anonymous", name, "kube-public", "Role"))
    return found


def _config_map(name: str, namespace: str, data: dict[str, str], labels: dict[str, str] | None = None) -> Doc:
    metadata: Doc = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = labels
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": data}


def objects(
    *, version: str, endpoint: str, ca_data: str, pod_cidr: str, service_cidr: str, proxy_mode: str
) -> list[Doc]:
    """ConfigMaps and service accounts. ``endpoint`` is host:port; ``ca_data`` the base64 of the cluster's CA."""
    kubeconfig = (
        "apiVersion: v1\nclusters:\n- cluster:\n"
        f"    certificate-authority-data: {ca_data}\n    server: https://{endpoint}\n"
        '  name: ""\ncontexts: null\ncurrent-context: ""\nkind: Config\npreferences: {}\nusers: null\n'
    )
    cluster_configuration = (
        "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4\ncaCertificateValidityPeriod: 87600h0m0s\n"
        "certificateValidityPeriod: 8760h0m0s\ncertificatesDir: /etc/kubernetes/pki\nclusterName: kubernetes\n"
        f"controlPlaneEndpoint: {endpoint}\ncontrollerManager: {{}}\ndns: {{}}\nencryptionAlgorithm: RSA-2048\n"
        "etcd:\n  local:\n    dataDir: /var/lib/etcd\nimageRepository: registry.k8s.io\nkind: ClusterConfiguration\n"
        f"kubernetesVersion: {version}\nnetworking:\n  dnsDomain: cluster.local\n  podSubnet: {pod_cidr}\n"
        f"  serviceSubnet: {service_cidr}\nproxy: {{}}\nscheduler: {{}}\n"
    )
    proxy_configuration = (
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nbindAddress: 0.0.0.0\nbindAddressHardFail: false\n"
        "clientConnection:\n  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf\n"
        f'clusterCIDR: {pod_cidr}\nkind: KubeProxyConfiguration\nmode: "{proxy_mode}"\nnodePortAddresses: null\n'
    )
    kubelet_configuration = (
        "apiVersion: kubelet.config.k8s.io/v1beta1\ncgroupDriver: systemd\nclusterDNS:\n- 10.96.0.10\n"
        "clusterDomain: cluster.local\nkind: KubeletConfiguration\nrotateCertificates: true\n"
        "staticPodPath: /etc/kubernetes/manifests\n"
    )
    accounts = [
        {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": name, "namespace": "kube-system"}}
        for name in ("kube-proxy",)
    ]
    return [
        _config_map("cluster-info", "kube-public", {"kubeconfig": kubeconfig}),
        _config_map("kubeadm-config", "kube-system", {"ClusterConfiguration": cluster_configuration}),
        _config_map("kubelet-config", "kube-system", {"kubelet": kubelet_configuration}),
        _config_map("kube-proxy", "kube-system", {"config.conf": proxy_configuration}, {"app": "kube-proxy"}),
        *accounts,
    ]
