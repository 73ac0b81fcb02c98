"""What each verb does once a request is authorized. ``dispatch`` finds the handler; one file a family of verbs.

A handler is a function ``(server, job, out)``; it answers through ``respond``, waits through ``storage`` or
``server.wait_for``, refuses by raising ``ApiError``.

Upstream: apiserver/pkg/endpoints/handlers (v1.32).
"""
