"""Content negotiation: which representation does the client want, and may the body be read?

In → Accept, Content-Type, User-Agent and the query; out → ``Accept`` or ApiError 406.

Simplified here: protobuf is never chosen (a client that accepts nothing else gets 406); quality values are ignored, the
order of the header counts, as it does in the real server for equal ones.

Upstream: apiserver/pkg/endpoints/handlers/negotiation/negotiate.go (v1.32).
"""

from functools import lru_cache

from cluster.api import status
from cluster.api.field import quote
from cluster.apiserver.job import Accept

MEDIA_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_FORMS = {"Table", "PartialObjectMetadata", "PartialObjectMetadataList"}
_PRETTY_AGENTS = ("curl", "Wget", "Mozilla/5.0")


@lru_cache(maxsize=1024)
def negotiate(accept: str, agent: str, pretty: str | None, include: str) -> Accept:
    """The first acceptable representation. ApiError 406 when there is none."""
    nice = pretty not in ("0", "f", "F", "false", "False", "FALSE") if pretty else agent.startswith(_PRETTY_AGENTS)
    if not accept:
        return Accept(pretty=nice)
    known = False
    for clause in accept.split(","):
        media, *parameters = (part.strip() for part in clause.split(";"))
        if media in ("*/*", "application/*"):
            media = "application/json"
        if media not in ("application/json", "application/yaml"):
            continue
        asked = {key: value for key, _, value in (p.partition("=") for p in parameters)}
        form = asked.get("as", "")
        if not form:
            return Accept(media, pretty=nice)
        if form in _FORMS and asked.get("g") == "meta.k8s.io" and asked.get("v") in ("v1", "v1beta1"):
            if form == "Table" and include not in ("Metadata", "Object", "None", ""):
                why = f"includeObject: Invalid value: {quote(include)}: must be 'Metadata', 'Object', 'None', or empty"
                raise status.bad_request(f"Unable to convert to Table as requested: {why}")
            return Accept(media, form.removesuffix("List") if form != "Table" else form, asked["v"], include, nice)
        known = True
    if known:  # a route has the media type, but nobody makes that form of an object
        raise status.not_acceptable_media(MEDIA_TYPES)
    raise status.not_acceptable(MEDIA_TYPES)
