"""Who speaks, as OpenTelemetry wants to know it."""

import uuid

from opentelemetry.sdk.resources import Resource

import xnai

_INSTANCE = uuid.uuid4().hex
_UNKNOWN = "unknown_service"  # what the SDK calls who has no name


def resource() -> Resource:
    """Name, version and a random id of this process; ``OTEL_SERVICE_NAME`` and others add to it."""
    ours = Resource({"service.version": xnai.__version__, "service.instance.id": _INSTANCE}).merge(
        Resource.create({})
    )
    if str(ours.attributes.get("service.name", "")).startswith(_UNKNOWN):
        return ours.merge(Resource({"service.name": "xnai"}))
    return ours
