"""Redaction: passwords, tokens and secret environment variables are replaced by `***` before a text is written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_URI = re.compile(r"[a-z][a-z0-9+.\-]*://[^\s\"'<>]+", re.IGNORECASE)
_USER_INFO = re.compile(
    r"""^(?P<kept>[a-z][a-z0-9+.\-]*://[^/@:]*:)(?P<secret>.+)@   # scheme://user:password@, up to the last @
    |  ^(?P<scheme>[a-z][a-z0-9+.\-]*://)(?P<token>[^/@:]+)@
    |  ^(?P<user>[^/@:\s]+:)(?!/)(?P<bare>.+)@                    # user:password@host, the scheme forgotten""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_OPTION = r"(?P<kept>[?&;][^=&;]*(?:password|passwd|pwd|token|secret|key)[^=&;]*=)"
_WEB_OPTION = re.compile(_OPTION + r"(?P<secret>[^&#]+)", re.IGNORECASE)  # a URL's fragment follows "#"
_DATABASE_OPTION = re.compile(_OPTION + r"(?P<secret>[^&]+)", re.IGNORECASE)
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|TOKEN|SECRET|API_?KEY|ACCESS_KEY|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 6
"""Shorter values of variables are not masked: they may be ordinary words."""


def mask_uri(uri: str) -> str:
    """Return a URI with `***` in place of its password or token, and of query options like `password`."""
    masked = _USER_INFO.sub(lambda found: f"{found['kept'] or found['scheme'] or found['user']}***@", uri)
    return _option(uri).sub(lambda found: f"{found['kept']}***", masked)


def mask_uris(text: str) -> str:
    """Return a text with every URI in it masked as `mask_uri` does."""
    return _URI.sub(lambda found: mask_uri(found[0]), text) if "://" in text else text


def mask_secrets_of(uri: str, text: str) -> str:
    """Return a text, for instance an error message, without the secrets of `uri`, wherever they occur."""
    text = text.replace(uri, mask_uri(uri))
    secrets = [found["secret"] or found["token"] or found["bare"] for found in _USER_INFO.finditer(uri)]
    secrets += [found["secret"] for found in _option(uri).finditer(uri)]
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def mask_secrets(text: str) -> str:
    """Return a text without the secrets of URIs and without the values of secret environment variables.

    A variable is secret if its name indicates it (`MLFLOW_TRACKING_PASSWORD`, `AWS_SECRET_ACCESS_KEY`). Do not use it
    for names that are compared later: such a value may be an ordinary word.
    """
    text = mask_uris(text)
    for secret in _secret_variables():
        text = text.replace(secret, "***")
    return text


def mask_values(value: Any, mask: Callable[[str], str] = mask_secrets) -> Any:
    """Return plain data with every text in it masked, keys included."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {mask_values(name, mask): mask_values(item, mask) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [mask_values(item, mask) for item in value]
    return value


def _option(uri: str) -> re.Pattern[str]:
    return _WEB_OPTION if uri.lower().startswith("http") else _DATABASE_OPTION


def _secret_variables() -> list[str]:
    """Return the secret values in the environment, longest first, so that no secret is masked in part."""
    secret = {
        value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
    }
    return sorted(secret, key=len, reverse=True)
