"""HTTP beside the page: OpenAI-compatible chat, files, health, metrics, and the port's guard."""

from xnai.api.routes import install

__all__ = ["install"]
