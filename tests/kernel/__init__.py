"""The real kernel as a judge: our rules loaded into network namespaces, read back, and real packets compared with our walk.

``make kernel-check`` (or ``python -m tests.kernel``) runs all of it; ``test_kernel.py`` a sample. Needs root, iproute2, iptables and nftables. Everything
happens in namespaces that begin with ``cp-`` and the process's number, and is removed at the end.
"""
