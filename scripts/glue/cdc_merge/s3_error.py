"""What S3 and boto3 say, as errors a user can act on; and what an answer means for a conditional write (as src/core/store/s3-error.ts)."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from .errors import CdcError

Failure = (ClientError, BotoCoreError)
"""Whatever boto3 raises; HTTPClientError, a reply that never came or broke off, is one of the second."""

_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "TokenRefreshRequired",
        "RequestExpired",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "AuthorizationHeaderMalformed",
        "RequestTimeTooSkewed",
    }
)


def s3_error(error: Exception, doing: str, bucket: str, writes: bool) -> CdcError:
    """`doing`: `reading s3://bucket/key`."""
    code, status = code_of(error), status_of(error)
    why = error.response["Error"].get("Message") or code if isinstance(error, ClientError) else str(error)
    if isinstance(error, NoRegionError):
        return CdcError("store.credentials", f"{doing}: no region is chosen", "export AWS_REGION=…")
    if code in _CREDENTIALS or isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        hint = "sign in (aws sso login, or export AWS_PROFILE=…)"
        return CdcError("store.credentials", f"{doing}: {why}", hint)
    if code == "NoSuchBucket":
        return CdcError("store.no-bucket", f"{doing}: there is no bucket {bucket}", f"aws s3 mb s3://{bucket}   # with target aws: cdc init")
    if code == "PermanentRedirect" or status == 301:
        return CdcError("store.region", f"{doing}: the bucket is in another region", "export AWS_REGION=… with it")
    if status == 403:
        rights = "s3:PutObject and s3:DeleteObject" if writes else "s3:ListBucket and s3:GetObject"
        return CdcError(
            "store.not-writable" if writes else "store.not-readable",
            f"{doing}: access is denied ({why})",
            f"give this principal {rights} on the bucket {bucket}",
        )
    if isinstance(error, HTTPClientError):
        hint = "check the network and AWS_ENDPOINT_URL, then run the command again"
        return CdcError("store.unreachable", f"{doing}: {why}", hint)
    if status in (429, 503):
        hint = "wait a minute and run the command again"
        return CdcError("store.throttled", f"{doing}: S3 asks to slow down ({why})", hint)
    return CdcError("store.failed", f"{doing}: S3 answers {why}", "run the command again")


def outcome_of(error: Exception) -> str:
    """What an error says of a write that was conditional: `refused`, `conflict`, `gone`, `failed`, or `unknown`: no answer, or
    a failure of the service, which may stand before or behind the write."""
    status = status_of(error)
    if status == 412:
        return "refused"
    if status == 409:
        return "conflict"
    if status == 404:
        return "failed" if code_of(error) == "NoSuchBucket" else "gone"
    if status is None:
        return "unknown" if isinstance(error, HTTPClientError) else "failed"
    return "unknown" if status >= 500 else "failed"


def may_pass(error: Exception) -> bool:
    """The network, or a service that is busy or ill: the same call may be answered in a moment."""
    status = status_of(error)
    if status is None:
        return isinstance(error, HTTPClientError)
    return status >= 500 or status == 429 or code_of(error) in ("RequestTimeout", "ThrottlingException")


def is_absent(error: Exception) -> bool:
    return status_of(error) == 404 and code_of(error) != "NoSuchBucket"


def code_of(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def status_of(error: Exception) -> int | None:
    if not isinstance(error, ClientError):
        return None
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None
