"""Who speaks, as OpenTelemetry wants to know it."""

import uuid

from opentelemetry.sdk.resources import Resource

import xnai

_INSTANCE = uuid.uuid4().hex


def resource() -> Resource:
    """Name, version and a random id of this process; ``OTEL_SERVICE_NAME`` and others add to it."""
    ours = Resource({"service.version": xnai.__version__, "service.instance.id": _INSTANCE}).merge(
        Resource.create({})
    )
    if ours.attributes.get("service.name", "unknown_service") == "unknown_service":
        return ours.merge(Resource({"service.name": "xnai"}))
    return ours
