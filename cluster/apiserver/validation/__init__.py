"""Rules that the specs of several kinds share, in the words of the real server: ``pod_spec`` and what it is made of.

What belongs to one kind stands with its strategy (``cluster.apiserver.registry``).
"""
