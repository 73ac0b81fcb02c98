"""Deployments, ReplicaSets, DaemonSets, StatefulSets, ReplicationControllers: templates with a selector and a number.

Simplified here: nothing of what may change; percentages are checked for their form and for both being zero.

Upstream: pkg/registry/apps/*/strategy.go, pkg/apis/apps/validation/validation.go.
"""

from typing import Any

from cluster.api import field, intstr, meta, selectors
from cluster.api.field import FieldError, GoText
from cluster.apiserver.registry.strategy import Context, Strategy, nested, put_spec
from cluster.apiserver.validation.pod_spec import validate_template
from cluster.apiserver.validation.values import at_least_zero, validate_selector

Doc = dict[str, Any]


def go_map(value: Doc | None) -> GoText:
    """Go's ``%#v`` of a map[string]string."""
    return GoText(field.go_value(value)) if value else GoText("map[string]string(nil)")


def go_selector(selector: Doc | None) -> GoText:
    """Go's ``%#v`` of a metav1.LabelSelector."""
    if selector is None:
        return GoText('"null"')
    listed = selector.get("matchExpressions")
    parts = []
    for e in listed or ():
        values = ", ".join(field.quote(v) for v in e.get("values") or ())
        shown = f"[]string{{{values}}}" if e.get("values") else "[]string(nil)"
        parts.append(
            f"v1.LabelSelectorRequirement{{Key:{field.quote(e['key'])}, Operator:{field.quote(e['operator'])}, Values:{shown}}}"
        )
    expressions = (
        f"[]v1.LabelSelectorRequirement{{{', '.join(parts)}}}" if listed else "[]v1.LabelSelectorRequirement(nil)"
    )
    labels = selector.get("matchLabels")
    text = "map[string]string(nil)"
    if labels:
        pairs = ", ".join(f"{field.quote(k)}:{field.quote(labels[k])}" for k in sorted(labels))
        text = f"map[string]string{{{pairs}}}"
    return GoText(f"v1.LabelSelector{{MatchLabels:{text}, MatchExpressions:{expressions}}}")


def immutable(new: Any, old: Any, path: str, shown: Any = None) -> list[FieldError]:
    """``ValidateImmutableField``."""
    return [] if new == old else [field.invalid(path, new if shown is None else shown, meta.IMMUTABLE)]


def selector_errors(spec: Doc, kind: str) -> list[FieldError]:
    """The selector is there, not empty, well formed and selects the template, which is valid."""
    selector = spec.get("selector")
    errors: list[FieldError] = []
    if selector is None:
        errors.append(field.required("spec.selector"))
    else:
        errors += validate_selector(selector, "spec.selector")
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            errors.append(
                field.invalid("spec.selector", go_selector(selector), f"empty selector is invalid for {kind}")
            )
    template = spec.get("template") or {}
    try:
        parsed = selectors.from_struct(selector) if selector is not None else selectors.EVERYTHING
    except selectors.SelectorError:
        errors.append(field.invalid("spec.selector", go_selector(selector), "invalid label selector"))
        return errors
    labels = meta.labels_of(template)
    if not parsed.empty and not parsed.matches(labels):
        path = "spec.template.metadata.labels"
        errors.append(field.invalid(path, go_map(labels), "`selector` does not match template `labels`"))
    if kind == "statefulset":
        # Upstream leaves the pod's spec to the Pods themselves: their volumes come from claim templates.
        errors += meta.validate_labels(labels, "spec.template.labels")
        errors += meta.validate_annotations(meta.annotations_of(template), "spec.template.annotations")
    else:
        errors += validate_template(template, "spec.template")
    return errors + restart_errors(template, kind)


def restart_errors(template: Doc, kind: str) -> list[FieldError]:
    """Controllers that keep pods running want them restarted always."""
    spec = template.get("spec") or {}
    errors: list[FieldError] = []
    if spec.get("restartPolicy") != "Always":
        path = "spec.template.spec.restartPolicy"
        errors.append(field.not_supported(path, spec.get("restartPolicy", ""), ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        path = "spec.template.spec.activeDeadlineSeconds"
        name = {"deployment": "ReplicaSet", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}.get(
            kind, "ReplicaSet"
        )
        errors.append(field.forbidden(path, f"activeDeadlineSeconds in {name} is not Supported"))
    return errors


def int_or_percent(value: Any, path: str) -> list[FieldError]:
    """Not negative; a text must be a percentage."""
    if isinstance(value, int):
        return at_least_zero(value, path)
    if isinstance(value, str) and not intstr.is_percent(value):
        why = (
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used "
            "for validation is '[0-9]+%')"
        )
        return [field.invalid(path, value, why)]
    return []


def is_zero(value: Any) -> bool:
    """0 or "0%" (or not set)."""
    return value in (None, 0, "0%", "0")


class WorkloadStrategy(Strategy):
    """What the five have in common."""

    has_status = True
    counts_generation = True
    reset_fields = (("status",),)
    word = ""

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        selector = nested(new, "spec", "selector")
        return self.check(new, ctx) + immutable(
            selector, nested(old, "spec", "selector"), "spec.selector", go_selector(selector)
        )


class DeploymentStrategy(WorkloadStrategy):
    """Deployments."""

    kinds = (("apps", "Deployment"),)
    status_keeps = ("labels",)
    """The deployment controller writes its revision annotation together with the status (deploymentStatusStrategy)."""

    def desired_changed(self, new: Doc, old: Doc) -> bool:
        return new.get("spec") != old.get("spec") or meta.annotations_of(new) != meta.annotations_of(old)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors = at_least_zero(spec.get("replicas"), "spec.replicas")
        errors += selector_errors(spec, "deployment")
        errors += self._strategy(spec.get("strategy") or {})
        errors += at_least_zero(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
        errors += at_least_zero(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")
        deadline = spec.get("progressDeadlineSeconds")
        if deadline is not None:
            path = "spec.progressDeadlineSeconds"
            errors += at_least_zero(deadline, path)
            if deadline <= spec.get("minReadySeconds", 0):
                errors.append(field.invalid(path, deadline, "must be greater than minReadySeconds"))
        return errors

    @staticmethod
    def _strategy(strategy: Doc) -> list[FieldError]:
        kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
        if kind == "Recreate":
            if rolling is not None:
                why = "may not be specified when strategy `type` is 'Recreate'"
                return [field.forbidden("spec.strategy.rollingUpdate", why)]
            return []
        if kind != "RollingUpdate":
            return [field.not_supported("spec.strategy.type", kind, ("Recreate", "RollingUpdate"))]
        if rolling is None:
            return [field.required("spec.strategy.rollingUpdate", "this should be defaulted and never be nil")]
        at = "spec.strategy.rollingUpdate"
        unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
        errors = int_or_percent(unavailable, f"{at}.maxUnavailable") + int_or_percent(surge, f"{at}.maxSurge")
        if is_zero(unavailable) and is_zero(surge):
            errors.append(field.invalid(f"{at}.maxUnavailable", unavailable or 0, "may not be 0 when `maxSurge` is 0"))
        if intstr.is_percent(unavailable or 0) and intstr.percent(unavailable) > 100:
            errors.append(field.invalid(f"{at}.maxUnavailable", unavailable, "must not be greater than 100%"))
        return errors


class ReplicaSetStrategy(WorkloadStrategy):
    """ReplicaSets."""

    kinds = (("apps", "ReplicaSet"),)
    field_labels = ("metadata.name", "metadata.namespace", "status.replicas")

    def initial_status(self, doc: Doc) -> Doc:
        return {"replicas": 0}

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors = at_least_zero(spec.get("replicas"), "spec.replicas")
        errors += at_least_zero(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
        return errors + selector_errors(spec, "deployment")

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        replicas = nested(doc, "status", "replicas", default=0)
        return {**super().selectable_fields(doc), "status.replicas": str(replicas)}


class ReplicationControllerStrategy(ReplicaSetStrategy):
    """ReplicationControllers: their selector is a plain map."""

    kinds = (("", "ReplicationController"),)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors = at_least_zero(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
        selector = spec.get("selector") or {}
        if not selector:
            errors.append(field.required("spec.selector"))
        errors += at_least_zero(spec.get("replicas"), "spec.replicas")
        template = spec.get("template")
        if template is None:
            return [*errors, field.required("spec.template")]
        labels = meta.labels_of(template)
        if selector and any(labels.get(k) != v for k, v in selector.items()):
            path = "spec.template.metadata.labels"
            errors.append(field.invalid(path, go_map(labels), "`selector` does not match template `labels`"))
        return errors + validate_template(template, "spec.template") + restart_errors(template, "")

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        return self.check(new, ctx)


class DaemonSetStrategy(WorkloadStrategy):
    """DaemonSets."""

    kinds = (("apps", "DaemonSet"),)

    def initial_status(self, doc: Doc) -> Doc:
        names = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
        return dict.fromkeys(names, 0)

    def on_create(self, doc: Doc, ctx: Context) -> Doc:
        annotations = {"deprecated.daemonset.template.generation": "1", **meta.annotations_of(doc)}
        return meta.with_meta(doc, annotations=annotations)

    def on_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        name = "deprecated.daemonset.template.generation"
        generation = int(meta.annotations_of(old).get(name, "1"))
        if nested(new, "spec", "template") != nested(old, "spec", "template"):
            generation += 1
        if meta.annotations_of(new).get(name) == str(generation):
            return new
        return meta.with_meta(new, annotations={**meta.annotations_of(new), name: str(generation)})

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors = selector_errors(spec, "daemonset")
        errors += at_least_zero(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
        strategy = spec.get("updateStrategy") or {}
        kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
        if kind == "RollingUpdate":
            at = "spec.updateStrategy.rollingUpdate"
            if rolling is None:
                errors.append(field.required(at))
            else:
                unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
                errors += int_or_percent(unavailable, f"{at}.maxUnavailable")
                errors += int_or_percent(surge, f"{at}.maxSurge")
                if is_zero(unavailable) and is_zero(surge):
                    errors.append(field.required(f"{at}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
        elif kind != "OnDelete":
            errors.append(field.not_supported("spec.updateStrategy.type", kind, ("RollingUpdate", "OnDelete")))
        return errors + at_least_zero(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")


_STATEFUL_MUTABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "minReadySeconds", "persistentVolumeClaimRetentionPolicy",
)  # fmt: skip


class StatefulSetStrategy(WorkloadStrategy):
    """StatefulSets: most of the spec is fixed."""

    kinds = (("apps", "StatefulSet"),)

    def initial_status(self, doc: Doc) -> Doc:
        return {"replicas": 0, "availableReplicas": 0}

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors: list[FieldError] = []
        policy = spec.get("podManagementPolicy", "")
        if policy not in ("OrderedReady", "Parallel"):
            why = "must be 'OrderedReady' or 'Parallel'"
            errors.append(field.invalid("spec.podManagementPolicy", policy, why))
        strategy = spec.get("updateStrategy") or {}
        kind = strategy.get("type", "")
        if kind not in ("OnDelete", "RollingUpdate"):
            why = "must be 'RollingUpdate' or 'OnDelete'"
            shown = f"apps.StatefulSetUpdateStrategy{{Type:{field.quote(kind)}, RollingUpdate:(*apps.RollingUpdateStatefulSetStrategy)(nil)}}"
            errors.append(field.invalid("spec.updateStrategy", GoText(shown), why))
        elif kind == "OnDelete" and strategy.get("rollingUpdate") is not None:
            why = "only allowed for updateStrategy 'RollingUpdate'"
            errors.append(field.invalid("spec.updateStrategy.rollingUpdate", GoText("rollingUpdate"), why))
        rolling = strategy.get("rollingUpdate") or {}
        errors += at_least_zero(rolling.get("partition"), "spec.updateStrategy.rollingUpdate.partition")
        errors += at_least_zero(spec.get("replicas"), "spec.replicas")
        errors += at_least_zero(spec.get("minReadySeconds", 0), "spec.minReadySeconds")
        return errors + selector_errors(spec, "statefulset")

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = self.check(new, ctx)
        spec, before = new.get("spec") or {}, old.get("spec") or {}
        names = set(spec) | set(before)
        if any(spec.get(n) != before.get(n) for n in names if n not in _STATEFUL_MUTABLE):
            why = (
                "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
                "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
            )
            errors.append(field.forbidden("spec", why))
        return errors


def _status_of(strategy: type[Strategy]) -> Strategy:
    made = strategy()
    made.subresource = "status"
    made.counts_generation = False
    made.reset_fields = (("spec",),)
    return made


class JobStrategy(Strategy):
    """Jobs: the server makes the selector from the uid, unless told not to."""

    kinds = (("batch", "Job"),)
    has_status = True
    counts_generation = True
    reset_fields = (("status",),)
    field_labels = ("metadata.name", "metadata.namespace", "status.successful")

    def on_create(self, doc: Doc, ctx: Context) -> Doc:
        spec = doc.get("spec") or {}
        if spec.get("manualSelector"):
            return doc
        metadata = meta.meta_of(doc)
        uid, name = metadata.get("uid", ""), metadata.get("name", "")
        template = spec.get("template") or {}
        labels = dict(meta.labels_of(template))
        for key, value in (
            ("controller-uid", uid), ("job-name", name),
            ("batch.kubernetes.io/controller-uid", uid), ("batch.kubernetes.io/job-name", name),
        ):  # fmt: skip
            labels.setdefault(key, value)
        labels = {key: labels[key] for key in sorted(labels)}
        selector = spec.get("selector") or {}
        matched = {"batch.kubernetes.io/controller-uid": uid, **(selector.get("matchLabels") or {})}
        template = {**template, "metadata": {**meta.meta_of(template), "labels": labels}}  # its null timestamp stays
        doc = put_spec(doc, selector={**selector, "matchLabels": matched}, template=template)
        if not meta.labels_of(doc):
            # Upstream sees this when it reads the object back: defaulting copies the template's labels.
            doc = meta.with_meta(doc, labels=labels)
        return doc

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors = job_errors(spec, "spec")
        if spec.get("selector") is None:
            errors.append(field.required("spec.selector"))
        else:
            errors += validate_selector(spec["selector"], "spec.selector")
            labels = meta.labels_of(spec.get("template") or {})
            if not selectors.from_struct(spec["selector"]).matches(labels):
                path = "spec.template.metadata.labels"
                errors.append(field.invalid(path, go_map(labels), "`selector` does not match template `labels`"))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        spec, before = new.get("spec") or {}, old.get("spec") or {}
        errors = job_errors(spec, "spec")
        indexed = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
        if not indexed:
            errors += immutable(spec.get("completions"), before.get("completions"), "spec.completions")
        errors += immutable(
            spec.get("selector"), before.get("selector"), "spec.selector", go_selector(spec.get("selector"))
        )
        template, known = spec.get("template") or {}, before.get("template") or {}
        if before.get("suspend") and not nested(old, "status", "startTime"):
            template = _with_scheduling(template, known)
        errors += immutable(template, known, "spec.template", GoText("core.PodTemplateSpec{…}"))
        errors += immutable(spec.get("completionMode"), before.get("completionMode"), "spec.completionMode")
        return errors + immutable(
            spec.get("backoffLimitPerIndex"), before.get("backoffLimitPerIndex"), "spec.backoffLimitPerIndex"
        )

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        succeeded = nested(doc, "status", "succeeded", default=0)
        return {**super().selectable_fields(doc), "status.successful": str(succeeded)}


def _with_scheduling(template: Doc, known: Doc) -> Doc:
    """A suspended job that never started may still change where its pods go."""
    spec, before = dict(template.get("spec") or {}), known.get("spec") or {}
    for name in ("nodeSelector", "tolerations", "affinity", "schedulingGates"):
        spec.pop(name, None)
        if name in before:
            spec[name] = before[name]
    return {**template, "metadata": known.get("metadata"), "spec": spec}


def job_errors(spec: Doc, path: str) -> list[FieldError]:
    """``validateJobSpec``, for a Job or inside a CronJob."""
    errors: list[FieldError] = []
    for name in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
                 "maxFailedIndexes", "backoffLimitPerIndex"):  # fmt: skip
        errors += at_least_zero(spec.get(name), f"{path}.{name}")
    mode = spec.get("completionMode")
    if mode is not None:
        if mode not in ("NonIndexed", "Indexed"):
            errors.append(field.not_supported(f"{path}.completionMode", mode, ("Indexed", "NonIndexed")))
        if mode == "Indexed" and spec.get("completions") is None:
            errors.append(field.required(f"{path}.completions", f"when completion mode is {mode}"))
    template = spec.get("template") or {}
    errors += validate_template(template, f"{path}.template")
    policy = nested(template, "spec", "restartPolicy", default="")
    if policy in ("Always", ""):
        why = 'valid values: "OnFailure", "Never"'
        errors.append(field.required(f"{path}.template.spec.restartPolicy", why))
    return errors


class CronJobStrategy(Strategy):
    """CronJobs."""

    kinds = (("batch", "CronJob"),)
    has_status = True
    counts_generation = True
    reset_fields = (("status",),)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors: list[FieldError] = []
        schedule = spec.get("schedule", "")
        if not schedule:
            errors.append(field.required("spec.schedule"))
        else:
            why = schedule_error(schedule)
            if why:
                errors.append(field.invalid("spec.schedule", schedule, why))
            if "TZ" in schedule:
                why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
                errors.append(field.invalid("spec.schedule", schedule, why))
        errors += at_least_zero(spec.get("startingDeadlineSeconds"), "spec.startingDeadlineSeconds")
        policy = spec.get("concurrencyPolicy", "")
        if policy not in ("Allow", "Forbid", "Replace"):
            errors.append(field.not_supported("spec.concurrencyPolicy", policy, ("Allow", "Forbid", "Replace")))
        if spec.get("timeZone") == "":
            errors.append(field.invalid("spec.timeZone", "", "timeZone must be nil or non-empty string"))
        template = spec.get("jobTemplate") or {}
        errors += job_errors(template.get("spec") or {}, "spec.jobTemplate.spec")
        for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
            errors += at_least_zero(spec.get(name), f"spec.{name}")
        name = meta.name_of(doc)
        if len(name) > 52:
            errors.append(field.invalid("metadata.name", name, "must be no more than 52 characters"))
        return errors


_RANGES = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))
_NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "weekday": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


def schedule_error(schedule: str) -> str:
    """What the cron parser says against it, "" when it is a schedule (robfig/cron, standard fields)."""
    if schedule.startswith("@"):
        if schedule in _DESCRIPTORS or schedule.startswith("@every "):
            return ""
        return f"unrecognized descriptor: {schedule}"
    parts = schedule.split()
    if parts and parts[0].startswith(("TZ=", "CRON_TZ=")):
        parts = parts[1:]
    if len(parts) != 5:
        return f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]"
    for part, (name, low, high) in zip(parts, _RANGES, strict=True):
        for piece in part.split(","):
            why = _cron_piece(piece, name, low, high)
            if why:
                return why
    return ""


def _cron_number(text: str, name: str) -> int | None:
    names = _NAMES.get(name, ())
    if text.lower() in names:
        return names.index(text.lower()) + (1 if name == "month" else 0)
    return int(text) if text.isdigit() else None


def _cron_piece(piece: str, name: str, low: int, high: int) -> str:
    span, _, step = piece.partition("/")
    if "/" in piece and (not step.isdigit() or int(step) == 0):
        if step == "0":
            return f"step of range should be a positive number: {piece}"
        return f"failed to parse int from {step}: strconv.Atoi: parsing {field.quote(step)}: invalid syntax"
    if span in ("*", "?"):
        return ""
    ends = span.split("-")
    if len(ends) > 2:
        return f"too many hyphens: {piece}"
    numbers = []
    for end in ends:
        number = _cron_number(end, name)
        if number is None:
            return f"failed to parse int from {end}: strconv.Atoi: parsing {field.quote(end)}: invalid syntax"
        numbers.append(number)
    first, last = numbers[0], numbers[-1]
    if first < low:
        return f"beginning of range ({first}) below minimum ({low}): {piece}"
    if last > high:
        return f"end of range ({last}) above maximum ({high}): {piece}"
    if first > last:
        return f"beginning of range ({first}) beyond end of range ({last}): {piece}"
    return ""


STRATEGIES = (
    DeploymentStrategy(), _status_of(DeploymentStrategy), ReplicaSetStrategy(), _status_of(ReplicaSetStrategy),
    ReplicationControllerStrategy(), _status_of(ReplicationControllerStrategy), DaemonSetStrategy(),
    _status_of(DaemonSetStrategy), StatefulSetStrategy(), _status_of(StatefulSetStrategy), JobStrategy(),
    _status_of(JobStrategy), CronJobStrategy(), _status_of(CronJobStrategy),
)  # fmt: skip
