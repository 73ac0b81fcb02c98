"""CertificateSigningRequests: who asks is written down by the server; approval and issuing are subresources.

Simplified here: the request must be a PEM block of the right type; its content is not parsed.

Upstream: pkg/registry/certificates/certificates/strategy.go, pkg/apis/certificates/validation.
"""

from base64 import b64decode
from typing import Any

from cluster.api import field, meta
from cluster.api.field import FieldError
from cluster.apiserver.registry.strategy import Context, Strategy, nested, put, put_spec

Doc = dict[str, Any]

_VERDICTS = ("Approved", "Denied", "Failed")


def _conditions(doc: Doc) -> list[Doc]:
    return list(nested(doc, "status", "conditions", default=()) or ())


class CertificateRequestStrategy(Strategy):
    """The request itself: its spec never changes."""

    kinds = (("certificates.k8s.io", "CertificateSigningRequest"),)
    namespaced = False
    has_status = True
    name_check = staticmethod(meta.path_segment_name)
    reset_fields = (("status",),)
    field_labels = ("metadata.name", "spec.signerName")

    def on_create(self, doc: Doc, ctx: Context) -> Doc:
        return put(put_spec(doc, username=ctx.user or None, groups=list(ctx.groups) or None), "status", {})

    def on_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        return put(new, "spec", old.get("spec"))

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        spec = doc.get("spec") or {}
        if b"-----BEGIN CERTIFICATE REQUEST-----" not in b64decode(spec.get("request") or ""):
            said = b64decode(spec.get("request") or "")
            shown = field.GoText(f"[]byte{{{', '.join(f'{byte:#x}' for byte in said)}}}" if said else "[]byte(nil)")
            errors.append(field.invalid("spec.request", shown, "PEM block type must be CERTIFICATE REQUEST"))
        if not spec.get("usages"):
            errors.append(field.required("spec.usages"))
        name = spec.get("signerName", "")
        if not name:
            errors.append(field.required("spec.signerName"))
        elif "/" not in name:
            why = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
            errors.append(field.invalid("spec.signerName", name, why))
        seconds = spec.get("expirationSeconds")
        if seconds is not None and seconds < 600:
            errors.append(
                field.invalid(
                    "spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)"
                )
            )
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        return []

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        return {"metadata.name": meta.name_of(doc), "spec.signerName": nested(doc, "spec", "signerName", default="")}


class CertificateApprovalStrategy(CertificateRequestStrategy):
    """``…/approval``: the conditions, and nothing else."""

    subresource = "approval"
    has_status = False
    reset_fields = (("spec",),)

    def on_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        conditions = [{**c, "lastUpdateTime": c.get("lastUpdateTime") or ctx.now} for c in _conditions(new)]
        known = {c.get("type"): c for c in _conditions(old)}
        for condition in conditions:
            if not condition.get("lastTransitionTime"):
                before = known.get(condition.get("type"), {})
                condition["lastTransitionTime"] = before.get("lastTransitionTime") or ctx.now
        status = {**(old.get("status") or {}), "conditions": conditions}
        return put({**old, "metadata": new["metadata"]}, "status", {k: v for k, v in status.items() if v})

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        kinds = [c.get("type") for c in _conditions(new)]
        errors: list[FieldError] = []
        if "Approved" in kinds and "Denied" in kinds:
            why = "Approved and Denied conditions are mutually exclusive"
            errors.append(field.invalid("status.conditions", kinds, why))
        for kind in _VERDICTS:
            if any(c.get("type") == kind for c in _conditions(old)) and kind not in kinds:
                why = f"updates may not remove a condition of type {field.quote(kind)}"
                errors.append(field.forbidden("status.conditions", why))
        return errors


class CertificateStatusStrategy(CertificateRequestStrategy):
    """``…/status``: the certificate; verdicts stay as they are."""

    subresource = "status"
    reset_fields = (("spec",),)

    def on_status(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        verdicts = [c for c in _conditions(old) if c.get("type") in ("Approved", "Denied")]
        rest = [c for c in _conditions(new) if c.get("type") not in ("Approved", "Denied")]
        status = {**(new.get("status") or {}), "conditions": [*verdicts, *rest]}
        return put(new, "status", {k: v for k, v in status.items() if v})


STRATEGIES = (CertificateRequestStrategy(), CertificateApprovalStrategy(), CertificateStatusStrategy())
