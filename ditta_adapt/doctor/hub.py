"""Whether models can be downloaded."""

import os
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from ditta_adapt.doctor.finding import Finding, one_line

_SECONDS = 3.0
_TRUE = ("1", "ON", "YES", "TRUE")


def hub() -> Finding:
    """Whether the model hub answers, by one request; `HF_ENDPOINT` may name another one."""
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
        return Finding(
            endpoint, "missing", "not asked: HF_HUB_OFFLINE is set", "unset it to download models"
        )
    try:
        with urlopen(Request(endpoint, method="HEAD"), timeout=_SECONDS):
            return Finding(endpoint, "ok", "it answers")
    except HTTPError as error:
        with error:
            # A mirror may have nothing at its root.
            if error.code < 500:
                return Finding(endpoint, "ok", f"it answers, with status {error.code}")
            reason = one_line(error)
    # What urllib raises for an endpoint that is no address is a ValueError.
    except (OSError, HTTPException, ValueError) as error:
        reason = one_line(getattr(error, "reason", error))
    return Finding(
        endpoint,
        "missing",
        f"cannot be reached: {reason}",
        "name models by their folders, or a mirror with HF_ENDPOINT",
    )
