"""kube-proxy: on every node it turns Services and EndpointSlices into the kernel's rules. It carries no traffic itself.

``change_tracker`` reads the API objects into service ports and endpoints and remembers what changed; ``endpoints`` decides which
endpoints a node uses; ``modes`` holds one file per way of writing rules; ``proxy`` is the process that watches and syncs;
``offline`` does the same for a file of objects.

Upstream: kubernetes cmd/kube-proxy, pkg/proxy (1.32).
"""
