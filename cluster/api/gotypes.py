"""What the Go types of Kubernetes know and its OpenAPI document does not: order of fields, pointers, value structs.

It decides how a document looks after it went through the server: in which order its keys stand, which zero values
``omitempty`` drops (``hostNetwork: false``) and which are always shown (``resources: {}``, ``lastProbeTime: null``).

In → a definition's short name (``PodSpec``; ``v2.…`` prefixed where versions differ); out → tables.

Simplified here: structs that are not listed in ``ORDER`` show their fields alphabetically; pointers to strings that
nobody sets to "" are treated as values; named string types (``v1.PullPolicy``) are known only for those in ``NAMED``.

Upstream: staging/src/k8s.io/api/*/v1/types.go.
"""


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """``Type: a b c`` lines to a dict; a type named twice gets both lists."""
    table: dict[str, tuple[str, ...]] = {}
    for line in text.strip().splitlines():
        name, _, fields = line.partition(":")
        table[name.strip()] = table.get(name.strip(), ()) + tuple(fields.split())
    return table


ORDER = _table("""
ObjectMeta: name generateName namespace selfLink uid resourceVersion generation creationTimestamp deletionTimestamp
ObjectMeta: deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields
OwnerReference: apiVersion kind name uid controller blockOwnerDeletion
ManagedFieldsEntry: manager operation apiVersion time fieldsType fieldsV1 subresource
LabelSelector: matchLabels matchExpressions
LabelSelectorRequirement: key operator values
Condition: type status observedGeneration lastTransitionTime reason message
DeleteOptions: kind apiVersion gracePeriodSeconds preconditions orphanDependents propagationPolicy dryRun
Preconditions: uid resourceVersion
PodSpec: volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds
PodSpec: activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName serviceAccount automountServiceAccountToken
PodSpec: nodeName hostNetwork hostPID hostIPC shareProcessNamespace securityContext imagePullSecrets hostname subdomain
PodSpec: affinity schedulerName tolerations hostAliases priorityClassName priority dnsConfig readinessGates
PodSpec: runtimeClassName enableServiceLinks preemptionPolicy overhead topologySpreadConstraints setHostnameAsFQDN os
PodSpec: hostUsers schedulingGates resourceClaims resources
PodStatus: phase conditions message reason nominatedNodeName hostIP hostIPs podIP podIPs startTime
PodStatus: initContainerStatuses containerStatuses qosClass ephemeralContainerStatuses resize resourceClaimStatuses
PodCondition: type status lastProbeTime lastTransitionTime reason message
Container: name image command args workingDir ports envFrom env resources resizePolicy restartPolicy volumeMounts
Container: volumeDevices livenessProbe readinessProbe startupProbe lifecycle terminationMessagePath
Container: terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty
EphemeralContainer: name image command args workingDir ports envFrom env resources resizePolicy restartPolicy
EphemeralContainer: volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle
EphemeralContainer: terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty
EphemeralContainer: targetContainerName
ContainerPort: name hostPort containerPort protocol hostIP
EnvVar: name value valueFrom
EnvVarSource: fieldRef resourceFieldRef configMapKeyRef secretKeyRef
ObjectFieldSelector: apiVersion fieldPath
ResourceFieldSelector: containerName resource divisor
ConfigMapKeySelector: name key optional
SecretKeySelector: name key optional
EnvFromSource: prefix configMapRef secretRef
ResourceRequirements: limits requests claims
VolumeMount: name readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr
VolumeMountStatus: name mountPath readOnly recursiveReadOnly
Probe: exec httpGet tcpSocket grpc initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold
Probe: terminationGracePeriodSeconds
HTTPGetAction: path port host scheme httpHeaders
TCPSocketAction: port host
GRPCAction: port service
HTTPHeader: name value
Lifecycle: postStart preStop
LifecycleHandler: exec httpGet tcpSocket sleep
SecurityContext: capabilities privileged seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot
SecurityContext: readOnlyRootFilesystem allowPrivilegeEscalation procMount seccompProfile appArmorProfile
PodSecurityContext: seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups
PodSecurityContext: supplementalGroupsPolicy fsGroup sysctls fsGroupChangePolicy seccompProfile appArmorProfile
PodSecurityContext: seLinuxChangePolicy
Toleration: key operator value effect tolerationSeconds
Taint: key value effect timeAdded
Volume: name hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs
Volume: persistentVolumeClaim rbd flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap vsphereVolume
Volume: quobyte azureDisk photonPersistentDisk projected portworxVolume scaleIO storageos csi ephemeral image
HostPathVolumeSource: path type
EmptyDirVolumeSource: medium sizeLimit
SecretVolumeSource: secretName items defaultMode optional
ConfigMapVolumeSource: name items defaultMode optional
ProjectedVolumeSource: sources defaultMode
VolumeProjection: secret downwardAPI configMap serviceAccountToken clusterTrustBundle
SecretProjection: name items optional
ConfigMapProjection: name items optional
ServiceAccountTokenProjection: audience expirationSeconds path
KeyToPath: key path mode
DownwardAPIVolumeFile: path fieldRef resourceFieldRef mode
PersistentVolumeClaimVolumeSource: claimName readOnly
ContainerStatus: name state lastState ready restartCount image imageID containerID started allocatedResources
ContainerStatus: resources volumeMounts user allocatedResourcesStatus
ContainerState: waiting running terminated
ContainerStateWaiting: reason message
ContainerStateTerminated: exitCode signal reason message startedAt finishedAt containerID
Affinity: nodeAffinity podAffinity podAntiAffinity
NodeSelectorTerm: matchExpressions matchFields
NodeSelectorRequirement: key operator values
PodAffinityTerm: labelSelector namespaces topologyKey namespaceSelector matchLabelKeys mismatchLabelKeys
WeightedPodAffinityTerm: weight podAffinityTerm
PreferredSchedulingTerm: weight preference
TopologySpreadConstraint: maxSkew topologyKey whenUnsatisfiable labelSelector minDomains nodeAffinityPolicy
TopologySpreadConstraint: nodeTaintsPolicy matchLabelKeys
PodTemplateSpec: metadata spec
ServiceSpec: ports selector clusterIP clusterIPs type externalIPs sessionAffinity loadBalancerIP
ServiceSpec: loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses
ServiceSpec: sessionAffinityConfig ipFamilies ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass
ServiceSpec: internalTrafficPolicy trafficDistribution
ServicePort: name protocol appProtocol port targetPort nodePort
ServiceStatus: loadBalancer conditions
LoadBalancerIngress: ip hostname ipMode ports
ConfigMap: kind apiVersion metadata immutable data binaryData
Secret: kind apiVersion metadata immutable data stringData type
ServiceAccount: kind apiVersion metadata secrets imagePullSecrets automountServiceAccountToken
EndpointSubset: addresses notReadyAddresses ports
EndpointAddress: ip hostname nodeName targetRef
EndpointPort: name port protocol appProtocol
discovery.EndpointPort: name protocol port appProtocol
EndpointSlice: kind apiVersion metadata addressType endpoints ports
Endpoint: addresses conditions hostname targetRef deprecatedTopology nodeName zone hints
EndpointConditions: ready serving terminating
ObjectReference: kind namespace name uid apiVersion resourceVersion fieldPath
Event: kind apiVersion metadata involvedObject reason message source firstTimestamp lastTimestamp count type eventTime
Event: series action related reportingComponent reportingInstance
events.Event: kind apiVersion metadata eventTime series reportingController reportingInstance action reason regarding
events.Event: related note type deprecatedSource deprecatedFirstTimestamp deprecatedLastTimestamp deprecatedCount
NodeSpec: podCIDR podCIDRs providerID unschedulable taints configSource externalID
NodeStatus: capacity allocatable phase conditions addresses daemonEndpoints nodeInfo images volumesInUse
NodeStatus: volumesAttached config runtimeHandlers features
NodeCondition: type status lastHeartbeatTime lastTransitionTime reason message
NodeAddress: type address
NodeSystemInfo: machineID systemUUID bootID kernelVersion osImage containerRuntimeVersion kubeletVersion
NodeSystemInfo: kubeProxyVersion operatingSystem architecture
NamespaceStatus: phase conditions
NamespaceCondition: type status lastTransitionTime reason message
DeploymentSpec: replicas selector template strategy minReadySeconds revisionHistoryLimit paused progressDeadlineSeconds
DeploymentStrategy: type rollingUpdate
RollingUpdateDeployment: maxUnavailable maxSurge
DeploymentStatus: observedGeneration replicas updatedReplicas readyReplicas availableReplicas unavailableReplicas
DeploymentStatus: conditions collisionCount
DeploymentCondition: type status lastUpdateTime lastTransitionTime reason message
ReplicaSetSpec: replicas minReadySeconds selector template
ReplicaSetStatus: replicas fullyLabeledReplicas readyReplicas availableReplicas observedGeneration conditions
ReplicaSetCondition: type status lastTransitionTime reason message
ReplicationControllerSpec: replicas minReadySeconds selector template
ReplicationControllerStatus: replicas fullyLabeledReplicas readyReplicas availableReplicas observedGeneration conditions
DaemonSetSpec: selector template updateStrategy minReadySeconds revisionHistoryLimit
DaemonSetUpdateStrategy: type rollingUpdate
RollingUpdateDaemonSet: maxUnavailable maxSurge
DaemonSetStatus: currentNumberScheduled numberMisscheduled desiredNumberScheduled numberReady observedGeneration
DaemonSetStatus: updatedNumberScheduled numberAvailable numberUnavailable collisionCount conditions
StatefulSetSpec: replicas selector template volumeClaimTemplates serviceName podManagementPolicy updateStrategy
StatefulSetSpec: revisionHistoryLimit minReadySeconds persistentVolumeClaimRetentionPolicy ordinals
StatefulSetUpdateStrategy: type rollingUpdate
StatefulSetStatus: observedGeneration replicas readyReplicas currentReplicas updatedReplicas currentRevision
StatefulSetStatus: updateRevision collisionCount conditions availableReplicas
ControllerRevision: kind apiVersion metadata data revision
JobSpec: parallelism completions activeDeadlineSeconds podFailurePolicy successPolicy backoffLimit backoffLimitPerIndex
JobSpec: maxFailedIndexes selector manualSelector template ttlSecondsAfterFinished completionMode suspend
JobSpec: podReplacementPolicy managedBy
JobStatus: conditions startTime completionTime active succeeded failed terminating completedIndexes failedIndexes
JobStatus: uncountedTerminatedPods ready
JobCondition: type status lastProbeTime lastTransitionTime reason message
CronJobSpec: schedule timeZone startingDeadlineSeconds concurrencyPolicy suspend jobTemplate
CronJobSpec: successfulJobsHistoryLimit failedJobsHistoryLimit
CronJobStatus: active lastScheduleTime lastSuccessfulTime
JobTemplateSpec: metadata spec
HorizontalPodAutoscalerSpec: scaleTargetRef minReplicas maxReplicas targetCPUUtilizationPercentage metrics behavior
HorizontalPodAutoscalerStatus: observedGeneration lastScaleTime currentReplicas desiredReplicas
HorizontalPodAutoscalerStatus: currentCPUUtilizationPercentage currentMetrics conditions
CrossVersionObjectReference: kind name apiVersion
MetricSpec: type object pods resource containerResource external
MetricTarget: type value averageValue averageUtilization
LeaseSpec: holderIdentity leaseDurationSeconds acquireTime renewTime leaseTransitions strategy preferredHolder
Role: kind apiVersion metadata rules
ClusterRole: kind apiVersion metadata rules aggregationRule
RoleBinding: kind apiVersion metadata subjects roleRef
ClusterRoleBinding: kind apiVersion metadata subjects roleRef
PolicyRule: verbs apiGroups resources resourceNames nonResourceURLs
Subject: kind apiGroup name namespace
RoleRef: apiGroup kind name
IngressSpec: ingressClassName defaultBackend tls rules
IngressRule: host http
HTTPIngressPath: path pathType backend
IngressBackend: service resource
IngressServiceBackend: name port
ServiceBackendPort: name number
IngressTLS: hosts secretName
NetworkPolicySpec: podSelector ingress egress policyTypes
NetworkPolicyIngressRule: ports from
NetworkPolicyEgressRule: ports to
NetworkPolicyPort: protocol port endPort
NetworkPolicyPeer: podSelector namespaceSelector ipBlock
PodDisruptionBudgetSpec: minAvailable selector maxUnavailable unhealthyPodEvictionPolicy
PodDisruptionBudgetStatus: observedGeneration disruptedPods disruptionsAllowed currentHealthy desiredHealthy
PodDisruptionBudgetStatus: expectedPods conditions
ResourceQuotaSpec: hard scopes scopeSelector
ResourceQuotaStatus: hard used
LimitRangeItem: type max min default defaultRequest maxLimitRequestRatio
PersistentVolumeSpec: capacity
PersistentVolumeStatus: phase message reason lastPhaseTransitionTime
PersistentVolumeClaimSpec: accessModes selector resources volumeName storageClassName volumeMode dataSource
PersistentVolumeClaimSpec: dataSourceRef volumeAttributesClassName
PersistentVolumeClaimStatus: phase accessModes capacity conditions
StorageClass: kind apiVersion metadata provisioner parameters reclaimPolicy mountOptions allowVolumeExpansion
StorageClass: volumeBindingMode allowedTopologies
PriorityClass: kind apiVersion metadata value globalDefault description preemptionPolicy
CustomResourceDefinitionSpec: group names scope versions conversion preserveUnknownFields
CustomResourceDefinitionNames: plural singular shortNames kind listKind categories
CustomResourceDefinitionVersion: name served storage deprecated deprecationWarning schema subresources
CustomResourceDefinitionVersion: additionalPrinterColumns selectableFields
CustomResourceDefinitionStatus: conditions acceptedNames storedVersions
CustomResourceDefinitionCondition: type status lastTransitionTime reason message
CustomResourceColumnDefinition: name type format description priority jsonPath
TokenRequestSpec: audiences expirationSeconds boundObjectRef
TokenRequestStatus: token expirationTimestamp
UserInfo: username uid groups extra
ResourceAttributes: namespace verb group version resource subresource name fieldSelector labelSelector
SubjectAccessReviewSpec: resourceAttributes nonResourceAttributes user groups extra uid
SubjectAccessReviewStatus: allowed denied reason evaluationError
TokenReviewSpec: token audiences
TokenReviewStatus: authenticated user audiences error
""")

# Structs whose field list above is only a prefix: the rest follows alphabetically, as for all others.

VALUE_STRUCTS = _table("""
*: metadata spec status
PodTemplateSpec: metadata spec
JobTemplateSpec: metadata spec
ReplicaSetSpec: template
PodTemplate: template
Container: resources
EphemeralContainer: resources
PersistentVolumeClaimSpec: resources
DeploymentSpec: strategy
DaemonSetSpec: updateStrategy
StatefulSetSpec: updateStrategy
ContainerStatus: state lastState
NodeStatus: daemonEndpoints nodeInfo
NodeDaemonEndpoints: kubeletEndpoint
Event: source deprecatedSource regarding
ServiceStatus: loadBalancer
IngressStatus: loadBalancer
IngressServiceBackend: port
Endpoint: conditions
TokenReviewStatus: user
SelfSubjectReviewStatus: userInfo
CustomResourceDefinitionStatus: acceptedNames
LimitedPriorityLevelConfiguration: limitResponse
""")
"""Optional struct fields that are not pointers: always shown, ``{}`` when empty. ``*``: of every top-level kind."""

VALUE_TIMES = _table("""
ObjectMeta: creationTimestamp
DaemonSetCondition: lastTransitionTime
DeploymentCondition: lastTransitionTime lastUpdateTime
ReplicaSetCondition: lastTransitionTime
ReplicationControllerCondition: lastTransitionTime
StatefulSetCondition: lastTransitionTime
HorizontalPodAutoscalerCondition: lastTransitionTime
JobCondition: lastProbeTime lastTransitionTime
CertificateSigningRequestCondition: lastTransitionTime lastUpdateTime
ContainerStateRunning: startedAt
ContainerStateTerminated: finishedAt startedAt
Event: eventTime firstTimestamp lastTimestamp deprecatedFirstTimestamp deprecatedLastTimestamp
EventSeries: lastObservedTime
NamespaceCondition: lastTransitionTime
NodeCondition: lastHeartbeatTime lastTransitionTime
PersistentVolumeClaimCondition: lastProbeTime lastTransitionTime
PodCondition: lastProbeTime lastTransitionTime
FlowSchemaCondition: lastTransitionTime
PriorityLevelConfigurationCondition: lastTransitionTime
VolumeError: time
CustomResourceDefinitionCondition: lastTransitionTime
APIServiceCondition: lastTransitionTime
TokenRequestStatus: expirationTimestamp
""")
"""Times that are not pointers: ``null`` when never set."""

ALWAYS = _table("""
Role: rules
ClusterRole: rules
StatefulSetStatus: availableReplicas
v2.HorizontalPodAutoscalerStatus: currentMetrics
FlowSchemaSpec: matchingPrecedence
QueuingConfiguration: handSize queueLengthLimit queues
CustomResourceDefinitionStatus: conditions storedVersions
Event: reportingComponent reportingInstance
EndpointSlice: ports
""")
"""Optional by the document, but without ``omitempty`` in Go."""

NULL_WHEN_MISSING = frozenset(
    {
        ("DeploymentSpec", "selector"), ("ReplicaSetSpec", "selector"), ("DaemonSetSpec", "selector"),
        ("StatefulSetSpec", "selector"), ("NodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
        ("HTTPIngressPath", "pathType"),
    }
)  # fmt: skip
"""Required pointers: ``null`` when never set (others are shown as an empty value)."""

VALUE_SCALARS = _table("""
DaemonSetSpec: minReadySeconds
DaemonSetStatus: numberAvailable numberUnavailable observedGeneration updatedNumberScheduled
DeploymentSpec: minReadySeconds paused
DeploymentStatus: availableReplicas observedGeneration readyReplicas replicas unavailableReplicas updatedReplicas
ReplicaSetSpec: minReadySeconds
ReplicaSetStatus: availableReplicas fullyLabeledReplicas observedGeneration readyReplicas
ReplicationControllerSpec: minReadySeconds
ReplicationControllerStatus: availableReplicas fullyLabeledReplicas observedGeneration readyReplicas
StatefulSetOrdinals: start
StatefulSetSpec: minReadySeconds
StatefulSetStatus: currentReplicas observedGeneration readyReplicas updatedReplicas
TokenReviewStatus: authenticated
SubjectAccessReviewStatus: denied
ScaleSpec: replicas
v2.HorizontalPodAutoscalerStatus: currentReplicas
JobStatus: active failed succeeded
AWSElasticBlockStoreVolumeSource: partition readOnly
AzureFilePersistentVolumeSource: readOnly
AzureFileVolumeSource: readOnly
CSIPersistentVolumeSource: readOnly
CephFSPersistentVolumeSource: readOnly
CephFSVolumeSource: readOnly
CinderPersistentVolumeSource: readOnly
CinderVolumeSource: readOnly
Container: stdin stdinOnce tty
EphemeralContainer: stdin stdinOnce tty
ContainerImage: sizeBytes
ContainerPort: hostPort
ContainerStateTerminated: signal
Event: count deprecatedCount
EventSeries: count
FCVolumeSource: readOnly
FlexPersistentVolumeSource: readOnly
FlexVolumeSource: readOnly
GCEPersistentDiskVolumeSource: partition readOnly
GlusterfsVolumeSource: readOnly
ISCSIPersistentVolumeSource: chapAuthDiscovery chapAuthSession readOnly
ISCSIVolumeSource: chapAuthDiscovery chapAuthSession readOnly
NFSVolumeSource: readOnly
NodeSpec: unschedulable
PersistentVolumeClaimVolumeSource: readOnly
PodSpec: hostIPC hostNetwork hostPID
Probe: failureThreshold initialDelaySeconds periodSeconds successThreshold timeoutSeconds
PortworxVolumeSource: readOnly
QuobyteVolumeSource: readOnly
RBDPersistentVolumeSource: readOnly
RBDVolumeSource: readOnly
ScaleIOPersistentVolumeSource: readOnly sslEnabled
ScaleIOVolumeSource: readOnly sslEnabled
ServicePort: nodePort
ServiceSpec: healthCheckNodePort publishNotReadyAddresses
StorageOSPersistentVolumeSource: readOnly
StorageOSVolumeSource: readOnly
VolumeMount: readOnly
VolumeMountStatus: readOnly
ResourcePolicyRule: clusterScope
ServiceBackendPort: number
PodDisruptionBudgetStatus: observedGeneration
PriorityClass: globalDefault
CustomResourceColumnDefinition: priority
CustomResourceDefinitionSpec: preserveUnknownFields
CustomResourceDefinitionVersion: deprecated
JSONSchemaProps: exclusiveMaximum exclusiveMinimum nullable uniqueItems x-kubernetes-embedded-resource
JSONSchemaProps: x-kubernetes-int-or-string
Condition: observedGeneration
ObjectMeta: generation
Status: code
StatusDetails: retryAfterSeconds
APIServiceSpec: insecureSkipTLSVerify
FlowSchemaSpec: matchingPrecedence
QueuingConfiguration: handSize queueLengthLimit queues
ValidatingAdmissionPolicyStatus: observedGeneration
""")
"""Numbers and booleans that are not pointers: 0 and false are dropped by ``omitempty``."""

POINTER_STRINGS = _table("""
PersistentVolumeClaimSpec: storageClassName volumeMode volumeAttributesClassName
IngressSpec: ingressClassName
ServicePort: appProtocol
EndpointPort: appProtocol
discovery.EndpointPort: name protocol appProtocol
Endpoint: hostname nodeName zone
EndpointAddress: nodeName
LeaseSpec: holderIdentity
PodDNSConfigOption: value
TypedLocalObjectReference: apiGroup
TypedObjectReference: apiGroup namespace
HostPathVolumeSource: type
PodSpec: runtimeClassName preemptionPolicy
GRPCAction: service
NetworkPolicyPort: protocol
""")
"""Strings that are pointers, so that "" is kept."""

NAMED = {
    ("PodSpec", "restartPolicy"): "v1.RestartPolicy",
    ("PodSpec", "dnsPolicy"): "v1.DNSPolicy",
    ("PodSpec", "preemptionPolicy"): "v1.PreemptionPolicy",
    ("Container", "imagePullPolicy"): "v1.PullPolicy",
    ("Container", "terminationMessagePolicy"): "v1.TerminationMessagePolicy",
    ("Container", "restartPolicy"): "v1.ContainerRestartPolicy",
    ("ContainerPort", "protocol"): "v1.Protocol",
    ("ServicePort", "protocol"): "v1.Protocol",
    ("EndpointPort", "protocol"): "v1.Protocol",
    ("ServiceSpec", "type"): "v1.ServiceType",
    ("ServiceSpec", "sessionAffinity"): "v1.ServiceAffinity",
    ("ServiceSpec", "externalTrafficPolicy"): "v1.ServiceExternalTrafficPolicy",
    ("ServiceSpec", "internalTrafficPolicy"): "v1.ServiceInternalTrafficPolicy",
    ("ServiceSpec", "ipFamilyPolicy"): "v1.IPFamilyPolicy",
    ("Toleration", "operator"): "v1.TolerationOperator",
    ("Toleration", "effect"): "v1.TaintEffect",
    ("Taint", "effect"): "v1.TaintEffect",
    ("HTTPGetAction", "scheme"): "v1.URIScheme",
    ("DeploymentStrategy", "type"): "v1.DeploymentStrategyType",
    ("DaemonSetUpdateStrategy", "type"): "v1.DaemonSetUpdateStrategyType",
    ("StatefulSetUpdateStrategy", "type"): "v1.StatefulSetUpdateStrategyType",
    ("StatefulSetSpec", "podManagementPolicy"): "v1.PodManagementPolicyType",
    ("CronJobSpec", "concurrencyPolicy"): "v1.ConcurrencyPolicy",
    ("JobSpec", "completionMode"): "v1.CompletionMode",
    ("PodStatus", "phase"): "v1.PodPhase",
    ("PodStatus", "qosClass"): "v1.PodQOSClass",
    ("NamespaceStatus", "phase"): "v1.NamespacePhase",
    ("PodCondition", "status"): "v1.ConditionStatus",
    ("PodCondition", "type"): "v1.PodConditionType",
    ("NodeCondition", "status"): "v1.ConditionStatus",
    ("NodeCondition", "type"): "v1.NodeConditionType",
    ("Secret", "type"): "v1.SecretType",
    ("EmptyDirVolumeSource", "medium"): "v1.StorageMedium",
    ("LabelSelectorRequirement", "operator"): "v1.LabelSelectorOperator",
    ("NodeSelectorRequirement", "operator"): "v1.NodeSelectorOperator",
    ("ObjectMeta", "uid"): "types.UID",
    ("OwnerReference", "uid"): "types.UID",
    ("HTTPIngressPath", "pathType"): "v1.PathType",
    ("ResourceRequirements", "limits"): "v1.ResourceList",
    ("ResourceRequirements", "requests"): "v1.ResourceList",
    ("ResourceQuotaSpec", "hard"): "v1.ResourceList",
    ("NodeStatus", "capacity"): "v1.ResourceList",
    ("NodeStatus", "allocatable"): "v1.ResourceList",
}
"""Fields whose Go type has a name of its own, for the texts of type errors."""
