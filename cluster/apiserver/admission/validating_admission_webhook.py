"""ValidatingAdmissionWebhook: somebody else may refuse the object as it is going to be stored. See ``webhooks``.

Simplified here: the hooks are called one after the other, so that the first failure is always the same one.

Upstream: apiserver/pkg/admission/plugin/webhook/validating (v1.32).
"""

from cluster.apiserver.admission import Attributes, Context, webhooks

NAME = "ValidatingAdmissionWebhook"
MUTATES, VALIDATES = False, True
RESOURCE = "validatingwebhookconfigurations.admissionregistration.k8s.io"


def handles(attributes: Attributes) -> bool:
    """Everything; ``applies`` says when."""
    return True


def applies(attributes: Attributes, ctx: Context) -> bool:
    """Whether any hook is there: without one there is no stage."""
    return webhooks.any_of(RESOURCE, attributes, ctx)


def validate(attributes: Attributes, ctx: Context) -> str:
    """What came of the calls. ApiError."""
    return webhooks.call_all(RESOURCE, attributes, ctx)
