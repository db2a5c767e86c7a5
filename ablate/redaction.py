"""Redaction: passwords, tokens and secret environment variables are replaced by `***` before a text is written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ablate.secret_forms import HIDDEN, is_random, is_secret_field, mask_forms

_URI = re.compile(r"[a-z][a-z0-9+.\-]*://[^\s\"'<>]+", re.IGNORECASE)
_USER_INFO = re.compile(
    r"""^(?P<kept>[a-z][a-z0-9+.\-]*://[^/@:]*:)(?P<secret>.+)@   # scheme://user:password@, up to the last @
    |  ^(?P<scheme>[a-z][a-z0-9+.\-]*://)(?P<token>[^/@:]+):?@   # scheme://token@ or scheme://token:@
    |  ^(?P<user>[^/@:\s]+:)(?!/)(?P<bare>.+)@                    # user:password@host, the scheme forgotten""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_OPTION = r"(?P<kept>[?&;][^=&;]*(?:password|passwd|pwd|token|secret|key|signature)[^=&;]*=|[?&;]sig=)"
_WEB_OPTION = re.compile(_OPTION + r"(?P<secret>[^&#]+)", re.IGNORECASE)  # a URL's fragment follows "#"
_DATABASE_OPTION = re.compile(_OPTION + r"(?P<secret>[^&]+)", re.IGNORECASE)

_SECRET_VARIABLE = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|_PASS(?![A-Z])|SECRET|API_?KEY|ACCESS_?KEY|CREDENTIAL|TOKEN(?![A-Z])", re.IGNORECASE
)
_programs: set[str] = set()
"""Secret values in the environments of the programs that this process has started."""

_NUMBER = re.compile(r"[-+]?[\d.,]+(?:e[-+]?\d+)?", re.IGNORECASE)
_SHORTEST_VARIABLE = 6
"""Shorter values of variables are not masked: they may be ordinary words."""

_CHUNK = 2**20
_LONGEST_SECRET = 2**15
"""Characters at the end of a chunk of a file that are masked with the next one: a private key may begin there."""


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
        text = text.replace(secret, HIDDEN)
    return text


def mask_tokens(text: str) -> str:
    """Return a text without secrets that are recognised by their form or the name before them.

    These are passwords and tokens in URIs, tokens of well-known services, private keys, HTTP credentials, passwords,
    and random values that are assigned to a secret name. Masking the result again does not change it.
    """
    return mask_forms(mask_uris(text))


def mask_secrets(text: str) -> str:
    """Return a text as `mask_tokens` does, also without the values of secret environment variables.

    A variable is secret if its name indicates it (`MLFLOW_TRACKING_PASSWORD`, `AWS_SECRET_ACCESS_KEY`). Do not use it
    for names that are compared later: such a value may be an ordinary word.
    """
    text = mask_tokens(text)
    for secret in _secret_variables():
        text = text.replace(secret, HIDDEN)
    return text


def mask_variables_of(environment: Mapping[str, str]) -> None:
    """Let `mask_secrets` also mask the secret variables of a program, which may print them."""
    _programs.update(_secrets_in(environment))


def mask_values(value: Any, mask: Callable[[str], str] = mask_secrets) -> Any:
    """Return plain data with every text in it masked, keys included."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {mask_values(name, mask): mask_values(item, mask) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [mask_values(item, mask) for item in value]
    return value


def mask_fields(fields: Mapping[str, Any], kept: str = "") -> dict[str, Any]:
    """Return named values, such as settings, with masked secrets. Mappings among the values are masked alike.

    Texts are masked as `mask_tokens` does, as a whole if the name is that of a password, or the name is secret and the
    value random. Numbers stay, and so do texts that occur in `kept`, such as the levels in the name of a variant.
    """
    return {name: _masked_field(name, value, kept) for name, value in fields.items()}


def _masked_field(name: str, value: Any, kept: str) -> Any:
    if isinstance(value, Mapping):
        return mask_fields(value, kept)
    if not isinstance(value, str):
        return mask_values(value, mask_tokens)
    if value in kept:
        return value
    return HIDDEN if is_secret_field(name, value) else mask_tokens(value)


def mask_file(path: Path) -> None:
    """Mask the secrets in a text file, such as the printed output of a program. Other bytes stay unchanged."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        if all(masked == text for text, masked in _masked_chunks(file)):
            return
        file.seek(0)
        copy = path.with_name(f"{path.name}.masked")
        with copy.open("w", encoding="utf-8", errors="surrogateescape", newline="") as written:
            written.writelines(masked for _, masked in _masked_chunks(file))
    copy.replace(path)


def _masked_chunks(file: IO[str]) -> Iterator[tuple[str, str]]:
    """Yield the chunks of a file, which end at line breaks outside private keys, and the same chunks masked."""
    rest = ""
    while text := file.read(_CHUNK):
        text = rest + text
        end = text.rfind("\n", 0, max(0, len(text) - _LONGEST_SECRET)) + 1 or len(text)
        key = text.rfind("-----BEGIN ", max(0, end - _LONGEST_SECRET), end)
        if key > 0 and "-----END" not in text[key:end]:
            end = text.rfind("\n", 0, key) + 1 or end
        yield text[:end], mask_secrets(text[:end])
        rest = text[end:]
    yield rest, mask_secrets(rest)


def _option(uri: str) -> re.Pattern[str]:
    return _WEB_OPTION if uri.lower().startswith("http") else _DATABASE_OPTION


def _secret_variables() -> list[str]:
    """Return the secret values in the environment, longest first, so that no secret is masked in part."""
    return sorted(_programs | _secrets_in(os.environ), key=len, reverse=True)


def _secrets_in(variables: Mapping[str, str]) -> set[str]:
    return {
        value
        for name, value in variables.items()
        if _SECRET_VARIABLE.search(name) and len(value) >= _SHORTEST_VARIABLE and not _is_plain(name, value)
    }


def _is_plain(name: str, value: str) -> bool:
    """Return whether the value of a variable is a number, or a word that is not a password."""
    is_word = value.isalpha() and "PASSW" not in name.upper() and not is_random(value)
    return is_word or bool(_NUMBER.fullmatch(value))
