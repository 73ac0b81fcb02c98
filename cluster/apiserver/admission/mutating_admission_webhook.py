"""MutatingAdmissionWebhook: somebody else may change the object before it is checked. See ``webhooks``.

Upstream: apiserver/pkg/admission/plugin/webhook/mutating (v1.32).
"""

from typing import Any

from cluster.apiserver.admission import Attributes, Context, webhooks

NAME = "MutatingAdmissionWebhook"
MUTATES, VALIDATES = True, False
RESOURCE = "mutatingwebhookconfigurations.admissionregistration.k8s.io"


def handles(attributes: Attributes) -> bool:
    """Everything; ``applies`` says when."""
    return True


def applies(attributes: Attributes, ctx: Context) -> bool:
    """Whether any hook is there: without one there is no stage."""
    return webhooks.any_of(RESOURCE, attributes, ctx)


def mutate(attributes: Attributes, ctx: Context) -> tuple[Any, str]:
    """The object as it was, and what came of the calls. ApiError."""
    return attributes.doc, webhooks.call_all(RESOURCE, attributes, ctx)
