"""HTTP beside the page: OpenAI-compatible chat, files, health, metrics, and the port's guard."""

from xnai.api.installation import install

__all__ = ["install"]
