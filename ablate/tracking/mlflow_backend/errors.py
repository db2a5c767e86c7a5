"""What MLflow, its drivers and the network raise, as one line: what is wrong, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ablate.errors import StoreError, UnreachableError
from ablate.redaction import mask_secrets_of, mask_uri
from ablate.tracking.project import is_server

_ERROR_CODE = re.compile(r"(?:error code |too many )(\d{3})\b")
_UNTRUSTED = "give the authority's certificate by MLFLOW_TRACKING_SERVER_CERT_PATH=/path/to/ca.pem"


def explained(error: Exception, uri: str) -> StoreError:
    """Return what an exception of the store at `uri` means; passwords are masked."""
    place = mask_uri(uri)
    if is_server(uri) and (reason := _of_a_server(error)):
        return UnreachableError(f"the tracking server {place} {reason}")
    if "database is locked" in str(error):
        return UnreachableError(f"another process holds the tracking store {place} locked")
    if isinstance(error, ModuleNotFoundError):
        return StoreError(f"the tracking store {place} needs a driver that is not installed: pip install {error.name}")
    lines = str(error).strip().splitlines()[:1]
    text = mask_secrets_of(uri, lines[0] if lines else type(error).__name__)
    kind = UnreachableError if type(error).__name__ == "OperationalError" else StoreError  # of a database's driver
    return kind(f"the tracking store {place} failed: {text}")


def _of_a_server(error: Exception) -> str | None:
    """Return what is wrong with reaching a server, or None if the error is about something else."""
    from requests import exceptions as http

    for cause in _causes(error):
        if isinstance(cause, http.SSLError):
            return _of_tls(str(cause))
        if isinstance(cause, http.Timeout):
            return "does not answer in time (MLFLOW_HTTP_REQUEST_TIMEOUT gives it longer)"
        if isinstance(cause, http.ConnectionError):
            return _of_a_connection(str(cause))
    found = _ERROR_CODE.search(str(error))
    return _of_a_code(int(found[1])) if found else None


def _of_tls(text: str) -> str:
    if "wrong version number" in text.lower() or "record layer failure" in text.lower():
        return "speaks no TLS: its address begins with http://, not https://"
    if "mismatch" in text or "doesn't match" in text:
        return "has a certificate for another host name: use the name that the certificate is for"
    if "expired" in text:
        return "has a TLS certificate that has expired: renew it"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        own = "self-signed" if "self-signed" in text or "self signed" in text else "issued by an unknown authority"
        return f"has a TLS certificate that is not trusted ({own}): {_UNTRUSTED}"
    return "cannot be spoken to over TLS"


def _of_a_connection(text: str) -> str:
    if "refused" in text:
        return "does not answer (connection refused: is it running?)"
    if "resol" in text:  # NameResolutionError, Failed to resolve
        return "is not found: its host name has no address"
    if "timed out" in text:
        return "does not answer in time (MLFLOW_HTTP_REQUEST_TIMEOUT gives it longer)"
    return "does not answer (the connection broke)"


def _of_a_code(code: int) -> str | None:
    if code == 401:
        return "asks who you are: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (error 401)"
    if code == 403:
        return "does not let you do this: ask for the permission (error 403)"
    return f"fails (error {code}): its log says why" if code >= 500 else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
