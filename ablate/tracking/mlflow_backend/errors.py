"""Explain errors of MLflow, database drivers and the network in one line: the problem and the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ablate.errors import StoreError, UnreachableError
from ablate.redaction import mask_secrets_of, mask_uri
from ablate.tracking.project import is_server

_ERROR_CODE = re.compile(r"(?:error code |too many )(\d{3})\b")
_UNTRUSTED = "Set MLFLOW_TRACKING_SERVER_CERT_PATH=/path/to/ca.pem to the authority's certificate"
_NOT_MLFLOW = "does not answer like an MLflow server. Check the address, and whether a proxy requires a login"


def explain_error(error: Exception, uri: str) -> StoreError:
    """Return an exception of the store at `uri` as a StoreError; passwords are masked."""
    place = mask_uri(uri)
    if is_server(uri) and (reason := _server_reason(error)):
        return UnreachableError(f"Tracking server {place} {reason}")
    if "database is locked" in str(error):
        return UnreachableError(f"Another process holds a lock on the tracking store {place}")
    if isinstance(error, ModuleNotFoundError):
        return StoreError(f"Tracking store {place} needs a missing driver. Run `pip install {error.name}`")
    lines = str(error).strip().splitlines()[:1]
    text = mask_secrets_of(uri, lines[0] if lines else type(error).__name__)
    kind = UnreachableError if type(error).__name__ == "OperationalError" else StoreError  # of a database's driver
    return kind(f"Tracking store {place} failed: {text}")


def _server_reason(error: Exception) -> str | None:
    """Return why a server cannot be used, or None if the error has another cause."""
    from requests import exceptions as http

    for cause in _causes(error):
        if isinstance(cause, http.SSLError):
            return _tls_reason(str(cause))
        if isinstance(cause, http.Timeout):
            return "does not answer in time (MLFLOW_HTTP_REQUEST_TIMEOUT raises the limit)"
        if isinstance(cause, http.ConnectionError):
            return _connection_reason(str(cause))
    found = _ERROR_CODE.search(str(error))
    if found:
        return _status_reason(int(found[1]))
    foreign = http.TooManyRedirects | http.ContentDecodingError | http.ChunkedEncodingError
    is_foreign = "in a valid JSON format" in str(error) or any(isinstance(one, foreign) for one in _causes(error))
    return _NOT_MLFLOW if is_foreign else None


def _tls_reason(text: str) -> str:
    if "wrong version number" in text.lower() or "record layer failure" in text.lower():
        return "does not support TLS. Use http:// instead of https://"
    if "mismatch" in text or "doesn't match" in text:
        return "has a certificate for another host name. Use the host name in the certificate"
    if "expired" in text:
        return "has an expired TLS certificate. Renew it"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        own = "self-signed" if "self-signed" in text or "self signed" in text else "issued by an unknown authority"
        return f"has an untrusted TLS certificate ({own}). {_UNTRUSTED}"
    return "failed the TLS handshake"


def _connection_reason(text: str) -> str:
    if "refused" in text:
        return "does not answer (connection refused). Check that it is running"
    if "resol" in text:  # NameResolutionError, Failed to resolve
        return "was not found: its host name cannot be resolved"
    if "timed out" in text:
        return "does not answer in time (MLFLOW_HTTP_REQUEST_TIMEOUT raises the limit)"
    return "does not answer (connection lost)"


def _status_reason(code: int) -> str | None:
    if code == 401:
        return "requires a login (error 401). Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    if code == 403:
        return "denies permission (error 403). Ask its administrator for access"
    if code == 404:
        return _NOT_MLFLOW
    if code == 429:
        return "refuses requests because there are too many (error 429). Repeat the command later"
    return f"failed (error {code}). See its log" if code >= 500 else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
