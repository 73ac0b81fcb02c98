"""The columns of every kind's table: name, type, priority and where its description comes from.

A description is either a sentence of its own or a reference ``Type:field`` to the text of a field in Kubernetes'
definitions, which is how the Go source does it too (``SwaggerDoc()``). Priority 1 columns are those of ``-o wide``.

In → (group, kind); out → column definitions as documents, made once. A kind without an entry gets Name and Created At.
Upstream: kubernetes pkg/printers/internalversion/printers.go ``AddHandlers``, 1.32.
"""

from functools import cache
from typing import Any

from cluster.api import definitions

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_API = "io.k8s.api."

Column = tuple[str, str, str] | tuple[str, str, str, int] | tuple[str, str, str, int, str]
"""name, type, description, priority, format."""

NAME: Column = ("Name", "string", "meta/ObjectMeta:name", 0, "name")
AGE: Column = ("Age", "string", "meta/ObjectMeta:creationTimestamp")
CREATED: Column = ("Created At", "date", "meta/ObjectMeta:creationTimestamp")
_NAMES: Column = ("Containers", "string", "Names of each container in the template.", 1)
_IMAGES: Column = ("Images", "string", "Images referenced by each container in the template.", 1)
_READY: Column = ("Ready", "string", "Number of the pod with ready state")
_WEBHOOKS: Column = (
    "Webhooks", "integer", "Webhooks indicates the number of webhooks registered in this configuration",
)  # fmt: skip


def _binding(kind: str) -> list[Column]:
    return [
        NAME,
        ("Role", "string", f"rbac.v1.{kind}:roleRef"),
        AGE,
        ("Users", "string", f"Users in the {kind[0].lower()}{kind[1:]}", 1),
        ("Groups", "string", f"Groups in the {kind[0].lower()}{kind[1:]}", 1),
        ("ServiceAccounts", "string", f"ServiceAccounts in the {kind[0].lower()}{kind[1:]}", 1),
    ]


_EVENT: list[Column] = [
    ("Last Seen", "string", "core.v1.Event:lastTimestamp"),
    ("Type", "string", "core.v1.Event:type"),
    ("Reason", "string", "core.v1.Event:reason"),
    ("Object", "string", "core.v1.Event:involvedObject"),
    ("Subobject", "string", "core.v1.ObjectReference:fieldPath", 1),
    ("Source", "string", "core.v1.Event:source", 1),
    ("Message", "string", "core.v1.Event:message"),
    ("First Seen", "string", "core.v1.Event:firstTimestamp", 1),
    ("Count", "string", "core.v1.Event:count", 1),
    ("Name", "string", "meta/ObjectMeta:name", 1, "name"),
]

COLUMNS: dict[tuple[str, str], list[Column]] = {
    ("", "Pod"): [
        NAME,
        ("Ready", "string", "The aggregate readiness state of this pod for accepting traffic."),
        ("Status", "string", "The aggregate status of the containers in this pod."),
        (
            "Restarts",
            "string",
            "The number of times the containers in this pod have been restarted and when the last container in this "
            "pod has restarted.",
        ),
        AGE,
        ("IP", "string", "core.v1.PodStatus:podIP", 1),
        ("Node", "string", "core.v1.PodSpec:nodeName", 1),
        ("Nominated Node", "string", "core.v1.PodStatus:nominatedNodeName", 1),
        ("Readiness Gates", "string", "core.v1.PodSpec:readinessGates", 1),
    ],
    ("", "PodTemplate"): [
        NAME,
        ("Containers", "string", "Names of each container in the template."),
        ("Images", "string", "Images referenced by each container in the template."),
        ("Pod Labels", "string", "The labels for the pod template."),
    ],
    ("policy", "PodDisruptionBudget"): [
        NAME,
        ("Min Available", "string", "The minimum number of pods that must be available."),
        ("Max Unavailable", "string", "The maximum number of pods that may be unavailable."),
        ("Allowed Disruptions", "integer", "Calculated number of pods that may be disrupted at this time."),
        AGE,
    ],
    ("", "ReplicationController"): [
        NAME,
        ("Desired", "integer", "core.v1.ReplicationControllerSpec:replicas"),
        ("Current", "integer", "core.v1.ReplicationControllerStatus:replicas"),
        ("Ready", "integer", "core.v1.ReplicationControllerStatus:readyReplicas"),
        AGE,
        _NAMES,
        _IMAGES,
        ("Selector", "string", "core.v1.ReplicationControllerSpec:selector", 1),
    ],
    ("apps", "ReplicaSet"): [
        NAME,
        ("Desired", "integer", "apps.v1.ReplicaSetSpec:replicas"),
        ("Current", "integer", "apps.v1.ReplicaSetStatus:replicas"),
        ("Ready", "integer", "apps.v1.ReplicaSetStatus:readyReplicas"),
        AGE,
        _NAMES,
        _IMAGES,
        ("Selector", "string", "apps.v1.ReplicaSetSpec:selector", 1),
    ],
    ("apps", "DaemonSet"): [
        NAME,
        ("Desired", "integer", "apps.v1.DaemonSetStatus:desiredNumberScheduled"),
        ("Current", "integer", "apps.v1.DaemonSetStatus:currentNumberScheduled"),
        ("Ready", "integer", "apps.v1.DaemonSetStatus:numberReady"),
        ("Up-to-date", "integer", "apps.v1.DaemonSetStatus:updatedNumberScheduled"),
        ("Available", "integer", "apps.v1.DaemonSetStatus:numberAvailable"),
        ("Node Selector", "string", "core.v1.PodSpec:nodeSelector"),
        AGE,
        _NAMES,
        _IMAGES,
        ("Selector", "string", "apps.v1.DaemonSetSpec:selector", 1),
    ],
    ("batch", "Job"): [
        NAME,
        ("Status", "string", "Status of the job."),
        ("Completions", "string", "batch.v1.JobStatus:succeeded"),
        ("Duration", "string", "Time required to complete the job."),
        AGE,
        _NAMES,
        _IMAGES,
        ("Selector", "string", "batch.v1.JobSpec:selector", 1),
    ],
    ("batch", "CronJob"): [
        NAME,
        ("Schedule", "string", "batch.v1.CronJobSpec:schedule"),
        ("Timezone", "string", "batch.v1.CronJobSpec:timeZone"),
        ("Suspend", "boolean", "batch.v1.CronJobSpec:suspend"),
        ("Active", "integer", "batch.v1.CronJobStatus:active"),
        ("Last Schedule", "string", "batch.v1.CronJobStatus:lastScheduleTime"),
        AGE,
        _NAMES,
        _IMAGES,
        ("Selector", "string", "batch.v1.JobSpec:selector", 1),
    ],
    ("", "Service"): [
        NAME,
        ("Type", "string", "core.v1.ServiceSpec:type"),
        ("Cluster-IP", "string", "core.v1.ServiceSpec:clusterIP"),
        ("External-IP", "string", "core.v1.ServiceSpec:externalIPs"),
        ("Port(s)", "string", "core.v1.ServiceSpec:ports"),
        AGE,
        ("Selector", "string", "core.v1.ServiceSpec:selector", 1),
    ],
    ("networking.k8s.io", "Ingress"): [
        NAME,
        (
            "Class",
            "string",
            "The name of the IngressClass resource that should be used for additional configuration",
        ),
        ("Hosts", "string", "Hosts that incoming requests are matched against before the ingress rule"),
        ("Address", "string", "Address is a list containing ingress points for the load-balancer"),
        ("Ports", "string", "Ports of TLS configurations that open"),
        AGE,
    ],
    ("networking.k8s.io", "IngressClass"): [
        NAME,
        ("Controller", "string", "Controller that is responsible for handling this class"),
        ("Parameters", "string", "A reference to a resource with additional parameters"),
        AGE,
    ],
    ("apps", "StatefulSet"): [NAME, _READY, AGE, _NAMES, _IMAGES],
    ("", "Endpoints"): [NAME, ("Endpoints", "string", "core.v1.Endpoints:subsets"), AGE],
    ("", "Node"): [
        NAME,
        ("Status", "string", "The status of the node"),
        ("Roles", "string", "The roles of the node"),
        AGE,
        ("Version", "string", "core.v1.NodeSystemInfo:kubeletVersion"),
        ("Internal-IP", "string", "core.v1.NodeStatus:addresses", 1),
        ("External-IP", "string", "core.v1.NodeStatus:addresses", 1),
        ("OS-Image", "string", "core.v1.NodeSystemInfo:osImage", 1),
        ("Kernel-Version", "string", "core.v1.NodeSystemInfo:kernelVersion", 1),
        ("Container-Runtime", "string", "core.v1.NodeSystemInfo:containerRuntimeVersion", 1),
    ],
    ("", "Event"): _EVENT,
    ("events.k8s.io", "Event"): _EVENT,
    ("", "Namespace"): [NAME, ("Status", "string", "The status of the namespace"), AGE],
    ("", "Secret"): [NAME, ("Type", "string", "core.v1.Secret:type"), ("Data", "string", "core.v1.Secret:data"), AGE],
    ("", "ServiceAccount"): [NAME, ("Secrets", "string", "core.v1.ServiceAccount:secrets"), AGE],
    ("", "PersistentVolume"): [
        NAME,
        ("Capacity", "string", "core.v1.PersistentVolumeSpec:capacity"),
        ("Access Modes", "string", "core.v1.PersistentVolumeSpec:accessModes"),
        ("Reclaim Policy", "string", "core.v1.PersistentVolumeSpec:persistentVolumeReclaimPolicy"),
        ("Status", "string", "core.v1.PersistentVolumeStatus:phase"),
        ("Claim", "string", "core.v1.PersistentVolumeSpec:claimRef"),
        ("StorageClass", "string", "StorageClass of the pv"),
        ("VolumeAttributesClass", "string", "VolumeAttributesClass of the pv"),
        ("Reason", "string", "core.v1.PersistentVolumeStatus:reason"),
        AGE,
        ("VolumeMode", "string", "core.v1.PersistentVolumeSpec:volumeMode", 1),
    ],
    ("", "PersistentVolumeClaim"): [
        NAME,
        ("Status", "string", "core.v1.PersistentVolumeClaimStatus:phase"),
        ("Volume", "string", "core.v1.PersistentVolumeClaimSpec:volumeName"),
        ("Capacity", "string", "core.v1.PersistentVolumeClaimStatus:capacity"),
        ("Access Modes", "string", "core.v1.PersistentVolumeClaimStatus:accessModes"),
        ("StorageClass", "string", "StorageClass of the pvc"),
        ("VolumeAttributesClass", "string", "VolumeAttributesClass of the pvc"),
        AGE,
        ("VolumeMode", "string", "core.v1.PersistentVolumeClaimSpec:volumeMode", 1),
    ],
    ("", "ComponentStatus"): [
        NAME,
        ("Status", "string", "Status of the component conditions"),
        ("Message", "string", "Message of the component conditions"),
        ("Error", "string", "Error of the component conditions"),
    ],
    ("apps", "Deployment"): [
        NAME,
        _READY,
        ("Up-to-date", "string", "apps.v1.DeploymentStatus:updatedReplicas"),
        ("Available", "string", "apps.v1.DeploymentStatus:availableReplicas"),
        AGE,
        _NAMES,
        _IMAGES,
        ("Selector", "string", "apps.v1.DeploymentSpec:selector", 1),
    ],
    ("autoscaling", "HorizontalPodAutoscaler"): [
        NAME,
        ("Reference", "string", "autoscaling.v2.HorizontalPodAutoscalerSpec:scaleTargetRef"),
        ("Targets", "string", "autoscaling.v2.HorizontalPodAutoscalerSpec:metrics"),
        ("MinPods", "string", "autoscaling.v2.HorizontalPodAutoscalerSpec:minReplicas"),
        ("MaxPods", "string", "autoscaling.v2.HorizontalPodAutoscalerSpec:maxReplicas"),
        ("Replicas", "string", "autoscaling.v2.HorizontalPodAutoscalerStatus:currentReplicas"),
        AGE,
    ],
    ("", "ConfigMap"): [NAME, ("Data", "string", "core.v1.ConfigMap:data"), AGE],
    ("networking.k8s.io", "NetworkPolicy"): [
        NAME,
        ("Pod-Selector", "string", "networking.v1.NetworkPolicySpec:podSelector"),
        AGE,
    ],
    ("rbac.authorization.k8s.io", "RoleBinding"): _binding("RoleBinding"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _binding("ClusterRoleBinding"),
    ("certificates.k8s.io", "CertificateSigningRequest"): [
        NAME,
        AGE,
        ("SignerName", "string", "certificates.v1.CertificateSigningRequestSpec:signerName"),
        ("Requestor", "string", "certificates.v1.CertificateSigningRequestSpec:request"),
        ("RequestedDuration", "string", "certificates.v1.CertificateSigningRequestSpec:expirationSeconds"),
        ("Condition", "string", "certificates.v1.CertificateSigningRequestStatus:conditions"),
    ],
    ("coordination.k8s.io", "Lease"): [NAME, ("Holder", "string", "coordination.v1.LeaseSpec:holderIdentity"), AGE],
    ("storage.k8s.io", "StorageClass"): [
        NAME,
        ("Provisioner", "string", "storage.v1.StorageClass:provisioner"),
        ("ReclaimPolicy", "string", "storage.v1.StorageClass:reclaimPolicy"),
        ("VolumeBindingMode", "string", "storage.v1.StorageClass:volumeBindingMode"),
        ("AllowVolumeExpansion", "string", "storage.v1.StorageClass:allowVolumeExpansion"),
        AGE,
    ],
    ("apps", "ControllerRevision"): [
        NAME,
        ("Controller", "string", "Controller of the object"),
        ("Revision", "string", "apps.v1.ControllerRevision:revision"),
        AGE,
    ],
    ("", "ResourceQuota"): [
        NAME,
        ("Request", "string", "Request represents a minimum amount of cpu/memory that a container may consume."),
        (
            "Limit",
            "string",
            "Limits control the maximum amount of cpu/memory that a container may use independent of contention on "
            "the node.",
        ),
        AGE,
    ],
    ("scheduling.k8s.io", "PriorityClass"): [
        NAME,
        ("Value", "integer", "scheduling.v1.PriorityClass:value"),
        ("Global-Default", "boolean", "scheduling.v1.PriorityClass:globalDefault"),
        AGE,
        ("PreemptionPolicy", "string", "scheduling.v1.PriorityClass:preemptionPolicy"),
    ],
    # ObjectMeta has no "handler": upstream looks the text up in the wrong type and sends an empty one.
    ("node.k8s.io", "RuntimeClass"): [NAME, ("Handler", "string", ""), AGE],
    ("storage.k8s.io", "VolumeAttachment"): [
        NAME,
        ("Attacher", "string", "storage.v1.VolumeAttachmentSpec:attacher", 0, "name"),
        ("PV", "string", "storage.v1.VolumeAttachmentSource:persistentVolumeName"),
        ("Node", "string", "storage.v1.VolumeAttachmentSpec:nodeName"),
        ("Attached", "boolean", "storage.v1.VolumeAttachmentStatus:attached"),
        AGE,
    ],
    ("discovery.k8s.io", "EndpointSlice"): [
        NAME,
        ("AddressType", "string", "discovery.v1.EndpointSlice:addressType"),
        ("Ports", "string", "discovery.v1.EndpointSlice:ports"),
        ("Endpoints", "string", "discovery.v1.EndpointSlice:endpoints"),
        AGE,
    ],
    ("storage.k8s.io", "CSINode"): [
        NAME,
        ("Drivers", "integer", "Drivers indicates the number of CSI drivers registered on the node"),
        AGE,
    ],
    ("storage.k8s.io", "CSIDriver"): [
        NAME,
        ("AttachRequired", "boolean", "storage.v1.CSIDriverSpec:attachRequired"),
        ("PodInfoOnMount", "boolean", "storage.v1.CSIDriverSpec:podInfoOnMount"),
        ("StorageCapacity", "boolean", "storage.v1.CSIDriverSpec:storageCapacity"),
        ("TokenRequests", "string", "storage.v1.CSIDriverSpec:tokenRequests"),
        ("RequiresRepublish", "boolean", "storage.v1.CSIDriverSpec:requiresRepublish"),
        ("Modes", "string", "storage.v1.CSIDriverSpec:volumeLifecycleModes"),
        AGE,
    ],
    ("storage.k8s.io", "CSIStorageCapacity"): [
        NAME,
        ("StorageClassName", "string", "storage.v1.CSIStorageCapacity:storageClassName"),
        ("Capacity", "string", "storage.v1.CSIStorageCapacity:capacity"),
    ],
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): [NAME, _WEBHOOKS, AGE],
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): [NAME, _WEBHOOKS, AGE],
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): [
        NAME,
        (
            "Validations",
            "integer",
            "Validations indicates the number of validation rules defined in this configuration",
        ),
        ("ParamKind", "string", "ParamKind specifies the kind of resources used to parameterize this policy"),
        AGE,
    ],
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): [
        NAME,
        ("PolicyName", "string", "PolicyName indicates the policy definition which the policy binding binded to"),
        ("ParamRef", "string", "ParamRef indicates the param resource which sets the configration param"),
        AGE,
    ],
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): [
        NAME,
        ("PriorityLevel", "string", "flowcontrol.v1.PriorityLevelConfigurationReference:name"),
        ("MatchingPrecedence", "string", "flowcontrol.v1.FlowSchemaSpec:matchingPrecedence"),
        ("DistinguisherMethod", "string", "flowcontrol.v1.FlowSchemaSpec:distinguisherMethod"),
        AGE,
        ("MissingPL", "string", "references a broken or non-existent PriorityLevelConfiguration"),
    ],
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): [
        NAME,
        ("Type", "string", "flowcontrol.v1.PriorityLevelConfigurationSpec:type"),
        (
            "NominalConcurrencyShares",
            "string",
            "flowcontrol.v1.LimitedPriorityLevelConfiguration:nominalConcurrencyShares",
        ),
        ("Queues", "string", "flowcontrol.v1.QueuingConfiguration:queues"),
        ("HandSize", "string", "flowcontrol.v1.QueuingConfiguration:handSize"),
        ("QueueLengthLimit", "string", "flowcontrol.v1.QueuingConfiguration:queueLengthLimit"),
        AGE,
    ],
    ("apiregistration.k8s.io", "APIService"): [
        NAME,
        ("Service", "string", "The reference to the service that hosts this API endpoint."),
        ("Available", "string", "Whether this service is available."),
        AGE,
    ],
    ("autoscaling", "Scale"): [
        ("Name", "string", "meta/ObjectMeta:name"),
        ("Desired", "integer", "autoscaling.v1.ScaleSpec:replicas"),
        ("Available", "integer", "autoscaling.v1.ScaleStatus:replicas"),
        AGE,
    ],
}


def description(reference: str) -> str:
    """The text behind ``meta/ObjectMeta:name`` or ``core.v1.PodStatus:podIP``; anything else is itself the text."""
    type_name, colon, field = reference.partition(":")
    if not colon or " " in type_name:
        return reference
    full = _META + type_name[5:] if type_name.startswith("meta/") else _API + type_name
    return definitions.described(full)["properties"][field].get("description", "")


def documents(columns: list[Column]) -> list[dict[str, Any]]:
    """Columns as the ``columnDefinitions`` of a Table."""
    found = []
    for column in columns:
        name, type_, reference = column[:3]
        priority = column[3] if len(column) > 3 else 0
        format_ = column[4] if len(column) > 4 else ""
        found.append(
            {
                "name": name,
                "type": type_,
                "format": format_,
                "description": description(reference),
                "priority": priority,
            }
        )
    return found


@cache
def of_kind(group: str, kind: str) -> list[dict[str, Any]]:
    """The column definitions of a built-in kind (do not change them)."""
    return documents(COLUMNS.get((group, kind), [NAME, CREATED]))
