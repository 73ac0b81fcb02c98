"""What a Kubernetes object is: kinds, schemas, defaults, selectors, patches, errors. Pure functions over JSON documents.

Nothing here knows of processes, time or storage. Documents (dicts) are never changed in place; every function that
changes one gives a new one (sharing what did not change).

Index (what other rooms call)
-----------------------------
``scheme`` — which kinds exist.
    ``builtin() -> Scheme`` (shared, immutable). ``Scheme.with_crds(crds: Iterable[doc]) -> Scheme`` (a new one).
    ``Scheme.resource(group, version, plural) -> Resource | None``; ``.kind(group, version, kind) -> Resource | None``;
    ``.resources() -> list[Resource]`` in discovery order; ``.groups() -> list[Group]`` (name, versions preferred first);
    ``.versions(group) -> tuple[str, ...]``; ``.schema(group, version, kind) -> Schema | None``;
    ``.convert(doc, to_group, to_version) -> doc`` (between served versions of one kind).
    ``Resource``: group, version, kind, plural, singular, list_kind, namespaced, short_names, categories, verbs,
    subresources (tuple of ``Subresource(name, kind, group, version, verbs, namespaced)``), storage_version_hash,
    prefix (e.g. ``/registry/services/specs``), storage_group, storage_version, crd (the CRD document or None),
    patch_types; ``.api_version``, ``.storage_api_version``, ``.group_resource`` ("deployments.apps"), ``.group_kind``,
    ``.key(namespace, name) -> str``, ``.subresource(name) -> Subresource | None``, ``.stored`` (False: virtual kinds).
``schema`` — ``Schema.decode(doc) -> Decoded(doc, problems)``: typed, pruned, in Go's field order, zero values dropped as
    Go's ``omitempty`` does; ``problems`` are the strict decoding texts (``unknown field "spec.x"``). Raises
    ``DecodeError`` with the text of Go's decoder. ``Schema.default(doc) -> doc``; ``Schema.validate(doc) -> [FieldError]``
    (CRD schemas only; built-in kinds are validated by their registry strategy). ``Schema.root`` is the ``Node`` tree.
``codec`` — ``decode_body(data: bytes, media_type, scheme, resource_gvk, field_validation) -> Body(doc, warnings, gvk)``:
    bytes of a request to a decoded document, or ApiError 400/415; ``decode_doc(doc, …)`` the same for documents.
    ``load(data, media_type) -> Any`` only parses (JSON or YAML); ``encode(doc, pretty=False) -> bytes`` (as Go does).
``status`` — ``ApiError(status)`` with ``.status`` ``.code`` ``.reason`` ``.message``; constructors: ``not_found(gr, name)``,
    ``already_exists(gr, name)``, ``conflict(gr, name, why)``, ``apply_conflict(causes, message)``,
    ``forbidden(gr, name, why)``, ``invalid(group, kind, name, errors)``, ``bad_request(why)``, ``unauthorized()``,
    ``method_not_supported(gr, action)``, ``method_not_allowed()``, ``not_acceptable(accepted)``,
    ``unsupported_media_type(accepted, body=True)``, ``request_entity_too_large(limit)``, ``expired(why)``, ``gone(why)``,
    ``timeout(why, retry)``, ``server_timeout(gr, op, retry)``, ``too_many_requests(why, retry, causes=())``,
    ``internal_error(why)``, ``service_unavailable(why)``, ``page_not_found()``, ``invalid_patch()``,
    ``resource_version_too_large(rv, current)``, ``plain_error(code, message)`` (no reason), ``generic(code, …)``;
    ``success(details=None, code=None) -> doc``. ``gr`` is "pods" or "deployments.apps".
``field`` — ``FieldError`` and ``required invalid not_supported duplicate forbidden too_long too_many not_found
    internal type_invalid``; ``go_value(v)`` (Go's ``%#v`` of lists, maps); ``aggregate(errors) -> str``.
``meta`` — getters (``name_of namespace_of uid_of labels_of annotations_of gvk_of owner_of``), ``with_meta(doc, **changes)``,
    ``validate_object_meta``, ``validate_object_meta_update``, ``dns1123_label dns1123_subdomain dns1035_label
    qualified_name label_value path_segment_name`` (each → list of the real texts).
``selectors`` — ``parse_labels(text) -> LabelSelector`` and ``parse_fields(text) -> FieldSelector`` (``SelectorError`` has
    the real text); ``from_struct(doc) -> LabelSelector``; ``.matches(mapping) -> bool``; ``.text()``; ``.empty``.
``quantity`` — ``Quantity`` (exact), ``parse(text) -> Quantity`` (``QuantityError``), ``canonical(text) -> str``, ``+ - <``,
    ``.milli()``, ``.value()``, ``from_milli(n, format)``; ``total(mapping, mapping)`` and friends for resource lists.
``intstr`` — ``scaled(value, total, round_up) -> int``.
``patch`` — ``json_patch(doc, ops)``, ``merge_patch(doc, patch)``, ``strategic_merge_patch(doc, patch, node)``; ``parse(data,
    kind)``; ``PatchError`` (``.answer() -> ApiError``); ``misfit(shown, why) -> ApiError``.
``fieldmanager`` — ``updated(schema, live, new, *, manager, subresource, api_version, now, reset) -> doc`` (managedFields of a
    create, update or patch), ``applied(schema, live, config, *, manager, force, …) -> doc`` (server-side apply; raises ApiError
    409), ``manager_name(field_manager, user_agent) -> str``.
``scale`` — ``scale_of(doc, resource) -> Scale doc``; ``with_scale(doc, scale_doc, resource) -> doc``.
``definitions`` — Kubernetes' own JSON definitions: ``names()``, ``definition(name)``, ``described(name)`` (with texts).

Registry (``cluster.apiserver.registry``)
-----------------------------------------
``strategy_for(resource, subresource="") -> Strategy``. A ``Strategy`` has
    ``prepare_for_create(doc, ctx) -> doc``, ``prepare_for_update(new, old, ctx) -> doc``,
    ``validate(doc, ctx) -> [FieldError]`` and ``validate_update(new, old, ctx) -> [FieldError]`` (object meta included),
    ``warnings(doc, old=None) -> [str]``, ``selectable_fields(doc) -> dict`` (and ``field_labels`` allowed in selectors),
    ``graceful_delete(doc, seconds: int | None) -> int | None`` (None: the kind knows no grace; 0: at once),
    ``reset_fields`` (paths a manager never owns), ``allow_create_on_update``, ``allow_unconditional_update``.
    ``ctx`` is ``Context(now, user, groups, dice, scheme)``; ``now`` is RFC 3339 text.
``service_ip`` — pure allocation of cluster IPs and node ports over sets of used ones:
    ``Ranges(cidr, used_ips, used_ports)``; ``allocate(doc, old, ranges, dice) -> Allocation(doc, taken, freed)``;
    ``held_by(doc) -> Held`` (what a stored Service holds).
``crd`` — CustomResourceDefinition's own rules and status (names accepted, established).
"""
