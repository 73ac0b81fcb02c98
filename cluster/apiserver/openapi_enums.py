"""The enumerations that Kubernetes' published definitions carry and our source file of them lost.

``kubectl explain deployment.spec.strategy`` shows ``enum: Recreate, RollingUpdate`` and a sentence for each. In the Go
source these are constants of a string type marked ``+enum``. ``ENUMS`` maps a definition to its enumerated fields; a value's
text may be empty (then only the value is listed).

Simplified here: the enumerated fields of the kinds people look up most; others stay plain strings.
Upstream: api/openapi-spec/v3 of kubernetes 1.32.
"""

_PROTOCOL = {
    "SCTP": "is the SCTP protocol.",
    "TCP": "is the TCP protocol.",
    "UDP": "is the UDP protocol.",
}
_TRAFFIC_POLICY = {
    "Cluster": "routes traffic to all endpoints.",
    "Local": "preserves the source IP of the traffic by routing only to endpoints on the same node as the traffic was "
    "received on (dropping the traffic if there are no local endpoints).",
}
_PULL_POLICY = {
    "Always": "means that kubelet always attempts to pull the latest image. Container will fail If the pull fails.",
    "IfNotPresent": "means that kubelet pulls if the image isn't present on disk. Container will fail if the image "
    "isn't present and the pull fails.",
    "Never": "means that kubelet never pulls an image, but only uses a local image. Container will fail if the image "
    "isn't present",
}
_MESSAGE_POLICY = {
    "FallbackToLogsOnError": "will read the most recent contents of the container logs for the container status message "
    "when the container exits with an error and the terminationMessagePath has no contents.",
    "File": "is the default behavior and will set the container status message to the contents of the container's "
    "terminationMessagePath when the container exits.",
}
_CONTAINER = {"imagePullPolicy": _PULL_POLICY, "terminationMessagePolicy": _MESSAGE_POLICY}
_TAINT_EFFECT = {
    "NoExecute": "Evict any already-running pods that do not tolerate the taint. Currently enforced by NodeController.",
    "NoSchedule": "Do not allow new pods to schedule onto the node unless they tolerate the taint, but allow all pods "
    "submitted to Kubelet without going through the scheduler to start, and allow all already-running pods to continue "
    "running. Enforced by the scheduler.",
    "PreferNoSchedule": "Like TaintEffectNoSchedule, but the scheduler tries not to schedule new pods onto the node, "
    "rather than prohibiting new pods from scheduling onto the node entirely. Enforced by the scheduler.",
}

ENUMS: dict[str, dict[str, dict[str, str]]] = {
    "io.k8s.api.apps.v1.DeploymentStrategy": {
        "type": {
            "Recreate": "Kill all existing pods before creating new ones.",
            "RollingUpdate": "Replace the old ReplicaSets by new one using rolling update i.e gradually scale down the "
            "old ReplicaSets and scale up the new one.",
        }
    },
    "io.k8s.api.apps.v1.DaemonSetUpdateStrategy": {
        "type": {
            "OnDelete": "Replace the old daemons only when it's killed",
            "RollingUpdate": "Replace the old daemons by new ones using rolling update i.e replace them on each node "
            "one after the other.",
        }
    },
    "io.k8s.api.apps.v1.StatefulSetUpdateStrategy": {
        "type": {
            "OnDelete": "triggers the legacy behavior. Version tracking and ordered rolling restarts are disabled. Pods "
            "are recreated from the StatefulSetSpec when they are manually deleted. When a scale operation is performed "
            "with this strategy,specification version indicated by the StatefulSet's currentRevision.",
            "RollingUpdate": "indicates that update will be applied to all Pods in the StatefulSet with respect to the "
            "StatefulSet ordering constraints. When a scale operation is performed with this strategy, new Pods will be "
            "created from the specification version indicated by the StatefulSet's updateRevision.",
        }
    },
    "io.k8s.api.apps.v1.StatefulSetSpec": {
        "podManagementPolicy": {
            "OrderedReady": "will create pods in strictly increasing order on scale up and strictly decreasing order on "
            "scale down, progressing only when the previous pod is ready or terminated. At most one pod will be changed "
            "at any time.",
            "Parallel": "will create and delete pods as soon as the stateful set replica count is changed, and will not "
            "wait for pods to be ready or complete termination.",
        }
    },
    "io.k8s.api.batch.v1.CronJobSpec": {
        "concurrencyPolicy": {
            "Allow": "allows CronJobs to run concurrently.",
            "Forbid": "forbids concurrent runs, skipping next run if previous hasn't finished yet.",
            "Replace": "cancels currently running job and replaces it with a new one.",
        }
    },
    "io.k8s.api.batch.v1.JobSpec": {
        "completionMode": {
            "Indexed": "is a Job completion mode. In this mode, the Pods of a Job get an associated completion index from "
            "0 to (.spec.completions - 1). The Job is considered complete when a Pod completes for each completion index.",
            "NonIndexed": "is a Job completion mode. In this mode, the Job is considered complete when there have been "
            ".spec.completions successfully completed Pods. Pod completions are homologous to each other.",
        },
        "podReplacementPolicy": {
            "Failed": "means to wait until a previously created Pod is fully terminated (has phase Failed or Succeeded) "
            "before creating a replacement Pod.",
            "TerminatingOrFailed": "means that we recreate pods when they are terminating (has a "
            "metadata.deletionTimestamp) or failed.",
        },
    },
    "io.k8s.api.core.v1.ServiceSpec": {
        "externalTrafficPolicy": _TRAFFIC_POLICY,
        "internalTrafficPolicy": {
            "Cluster": "routes traffic to all endpoints.",
            "Local": "routes traffic only to endpoints on the same node as the client pod (dropping the traffic if there "
            "are no local endpoints).",
        },
        "ipFamilyPolicy": {
            "PreferDualStack": "indicates that this service prefers dual-stack when the cluster is configured for "
            "dual-stack. If the cluster is not configured for dual-stack the service will be assigned a single IPFamily. "
            "If the IPFamily is not set in service.spec.ipFamilies then the service will be assigned the default IPFamily "
            "configured on the cluster",
            "RequireDualStack": "indicates that this service requires dual-stack. Using IPFamilyPolicyRequireDualStack "
            "on a single stack cluster will result in validation errors. The IPFamilies (and their order) assigned to "
            "this service is based on service.spec.ipFamilies. If service.spec.ipFamilies was not provided then it will "
            "be assigned according to how they are configured on the cluster. If service.spec.ipFamilies has only one "
            "entry then the alternative IPFamily will be added by apiserver",
            "SingleStack": "indicates that this service is required to have a single IPFamily. The IPFamily assigned is "
            "based on the default IPFamily used by the cluster or as identified by service.spec.ipFamilies field",
        },
        "sessionAffinity": {
            "ClientIP": "is the Client IP based.",
            "None": "- no session affinity.",
        },
        "type": {
            "ClusterIP": "means a service will only be accessible inside the cluster, via the cluster IP.",
            "ExternalName": "means a service consists of only a reference to an external name that kubedns or equivalent "
            "will return as a CNAME record, with no exposing or proxying of any pods involved.",
            "LoadBalancer": "means a service will be exposed via an external load balancer (if the cloud provider "
            "supports it), in addition to 'NodePort' type.",
            "NodePort": "means a service will be exposed on one port of every node, in addition to 'ClusterIP' type.",
        },
    },
    "io.k8s.api.core.v1.ServicePort": {"protocol": _PROTOCOL},
    "io.k8s.api.core.v1.ContainerPort": {"protocol": _PROTOCOL},
    "io.k8s.api.core.v1.EndpointPort": {"protocol": _PROTOCOL},
    "io.k8s.api.core.v1.Container": _CONTAINER,
    "io.k8s.api.core.v1.EphemeralContainer": _CONTAINER,
    "io.k8s.api.core.v1.PodSpec": {
        "dnsPolicy": {
            "ClusterFirst": "indicates that the pod should use cluster DNS first unless hostNetwork is true, if it is "
            "available, then fall back on the default (as determined by kubelet) DNS settings.",
            "ClusterFirstWithHostNet": "indicates that the pod should use cluster DNS first, if it is available, then "
            "fall back on the default (as determined by kubelet) DNS settings.",
            "Default": "indicates that the pod should use the default (as determined by kubelet) DNS settings.",
            "None": "indicates that the pod should use empty DNS settings. DNS parameters such as nameservers and search "
            "paths should be defined via DNSConfig.",
        },
        "preemptionPolicy": {
            "Never": "means that pod never preempts other pods with lower priority.",
            "PreemptLowerPriority": "means that pod can preempt other pods with lower priority.",
        },
        "restartPolicy": {"Always": "", "Never": "", "OnFailure": ""},
    },
    "io.k8s.api.core.v1.PodStatus": {
        "phase": {
            "Failed": "means that all containers in the pod have terminated, and at least one container has terminated in "
            "a failure (exited with a non-zero exit code or was stopped by the system).",
            "Pending": "means the pod has been accepted by the system, but one or more of the containers has not been "
            "started. This includes time before being bound to a node, as well as time spent pulling images onto the "
            "host.",
            "Running": "means the pod has been bound to a node and all of the containers have been started. At least one "
            "container is still running or is in the process of being restarted.",
            "Succeeded": "means that all containers in the pod have voluntarily terminated with a container exit code of "
            "0, and the system is not going to restart any of these containers.",
            "Unknown": "means that for some reason the state of the pod could not be obtained, typically due to an error "
            "in communicating with the host of the pod. Deprecated: It isn't being set since 2015 "
            "(74da3b14b0c0f658b3bb8d2def5094686d0e9095)",
        },
        "qosClass": {
            "BestEffort": "is the BestEffort qos class.",
            "Burstable": "is the Burstable qos class.",
            "Guaranteed": "is the Guaranteed qos class.",
        },
    },
    "io.k8s.api.core.v1.Taint": {"effect": _TAINT_EFFECT},
    "io.k8s.api.core.v1.Toleration": {
        "effect": _TAINT_EFFECT,
        "operator": {"Equal": "", "Exists": ""},
    },
    "io.k8s.api.core.v1.HTTPGetAction": {
        "scheme": {
            "HTTP": "means that the scheme used will be http://",
            "HTTPS": "means that the scheme used will be https://",
        }
    },
    "io.k8s.api.core.v1.NamespaceStatus": {
        "phase": {
            "Active": "means the namespace is available for use in the system",
            "Terminating": "means the namespace is undergoing graceful termination",
        }
    },
    "io.k8s.api.discovery.v1.EndpointSlice": {
        "addressType": {
            "FQDN": "represents a FQDN.",
            "IPv4": "represents an IPv4 Address.",
            "IPv6": "represents an IPv6 Address.",
        }
    },
    "io.k8s.api.networking.v1.HTTPIngressPath": {
        "pathType": {
            "Exact": "matches the URL path exactly and with case sensitivity.",
            "ImplementationSpecific": "matching is up to the IngressClass. Implementations can treat this as a separate "
            "PathType or treat it identically to Prefix or Exact path types.",
            "Prefix": "matches based on a URL path prefix split by '/'. Matching is case sensitive and done on a path "
            "element by element basis. A path element refers to the list of labels in the path split by the '/' "
            "separator. A request is a match for path p if every p is an element-wise prefix of p of the request path. "
            "Note that if the last element of the path is a substring of the last element in request path, it is not a "
            "match (e.g. /foo/bar matches /foo/bar/baz, but does not match /foo/barbaz). If multiple matching paths "
            "exist in an Ingress spec, the longest matching path is given priority. Examples: - /foo/bar does not match "
            "requests to /foo/barbaz - /foo/bar matches request to /foo/bar and /foo/bar/baz - /foo and /foo/ both match "
            "requests to /foo and /foo/. If both paths are present in an Ingress spec, the longest matching path (/foo/) "
            "is given priority.",
        }
    },
}


def described_enum(values: dict[str, str]) -> str:
    """The paragraph that closes an enumerated field's description."""
    lines = [f' - `"{value}"` {text}' if text else f' - `"{value}"`' for value, text in sorted(values.items())]
    return "\n\nPossible enum values:\n" + "\n".join(lines)
