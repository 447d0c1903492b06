"""Where models come from, told before anybody is asked: the name of a host alone."""

import os
from urllib.parse import urlsplit

_HUB = "https://huggingface.co"  # what ``huggingface_hub`` asks unless HF_ENDPOINT names another


def hub_host() -> str:
    """Return the host of the hub; its library, which takes a while to import, is left alone."""
    return urlsplit(os.environ.get("HF_ENDPOINT") or _HUB).netloc
