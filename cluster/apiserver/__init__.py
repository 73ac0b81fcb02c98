"""kube-apiserver: "just a REST API server", and all that stands between a request and the database.

Read it in the order in which a request passes:

- ``server`` the actor: messages in, messages out.  ``config`` its flags.  ``job`` what is remembered about one request.
- ``request_info`` what the path means.  ``pipeline`` **the list of stages**: start here.
- ``authentication/`` ``user`` ``impersonation`` who is it?  ``priority_and_fairness`` may it come in now?
  ``authorization/`` may it do this?
- ``handlers/`` what each verb does (``dispatch`` finds it).  ``negotiation`` ``options`` ``protobuf`` what the client said and wants.
- ``admission/`` does the cluster want this object?  ``registry/`` each kind's own rules.
- ``storage`` objects as etcd keys.  ``watch_cache`` ``watching`` one etcd watch for a hundred clients.
- ``respond`` ``table`` ``printers/`` ``discovery`` ``openapi`` ``health`` what goes back.
- ``kubelet_proxy`` logs and exec.  ``post_start`` ``bootstrap/`` what the server does by itself.  ``view`` what plug-ins may see.

Other rooms import ``server`` only, and that only to build a world (``cluster.topology``).
"""
