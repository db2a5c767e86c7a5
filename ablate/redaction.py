"""No secret is written down: what records keep of a text is the text with `***` for passwords and tokens."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_CREDENTIALS = re.compile(r"([a-z][a-z0-9+.\-]*://[^\s/@:\"'<>]*:)[^\s\"'<>]+@", re.IGNORECASE)
_TOKEN_ALONE = re.compile(r"([a-z][a-z0-9+.\-]*://)[^\s/@:\"'<>]+@", re.IGNORECASE)
_OPTION = re.compile(r"([?&][^=&\s]*(?:password|passwd|pwd|token|secret|key)[^=&\s]*=)[^&\s\"'#]+", re.IGNORECASE)
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|TOKEN|SECRET|API_?KEY|ACCESS_KEY|CREDENTIAL", re.IGNORECASE)
_SHORTEST = 6
"""A variable's value that is shorter may be a word of its own, which must not vanish from every text."""


def masked_addresses(text: str) -> str:
    """Return a text without the passwords and tokens of the addresses in it."""
    if "://" not in text:
        return text
    return _OPTION.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", _TOKEN_ALONE.sub(r"\1***@", text)))


def masked_text(text: str) -> str:
    """Return a text without the passwords of addresses in it and without the values of secret variables.

    A variable of the environment is secret if its name says so (`MLFLOW_TRACKING_PASSWORD`, `AWS_SECRET_ACCESS_KEY`).
    Not for names that are compared later: such a value may be a plain word.
    """
    text = masked_addresses(text)
    for secret in _secrets():
        text = text.replace(secret, "***")
    return text


def masked_values(value: Any, mask: Callable[[str], str] = masked_text) -> Any:
    """Return plain data with every text in it masked, names included."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {masked_values(name, mask): masked_values(item, mask) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [masked_values(item, mask) for item in value]
    return value


def _secrets() -> list[str]:
    """Return the secrets of the environment, longest first, so that none is left in part."""
    found = {value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST}
    return sorted(found, key=len, reverse=True)
