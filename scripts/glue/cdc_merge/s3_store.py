"""The store over an S3 bucket or a prefix of one, through boto3: conditional puts, and what became of one whose reply was lost."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError

from .errors import CdcError
from .store import TEMPORARY, StoredObject, assert_key, to_bytes

T = TypeVar("T")
_ATTEMPTS = 8
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_CONFLICT = frozenset({"409", "ConditionalRequestConflict", "OperationAborted"})
_TAKEN = frozenset({"412", "PreconditionFailed"})


def open_s3_store(location: str) -> S3Store:
    match = re.fullmatch(r"s3://([^/]+)(?:/(.*?))?/?", location)
    if match is None:
        raise CdcError(
            "store.failed", f'"{location}" is not a place on S3', "write it as s3://BUCKET or s3://BUCKET/PREFIX"
        )
    # Retries are ours: a conditional put that was tried again unseen could take its own object for another's.
    client = boto3.client("s3", config=Config(retries={"total_max_attempts": 1, "mode": "standard"}))
    return S3Store(client, match[1], f"{match[2]}/" if match[2] else "")


class S3Store:
    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self.location = f"s3://{bucket}/{prefix}".rstrip("/")
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def list(self, prefix: str, after: str | None = None) -> Sequence[StoredObject]:
        request: dict[str, Any] = {"Bucket": self._bucket, "Prefix": f"{self._prefix}{prefix}"}
        if after is not None:
            request["StartAfter"] = f"{self._prefix}{after}"
        found: list[StoredObject] = []
        while True:
            page = self._ask(f"listing {self.location}/{prefix}", lambda: self._client.list_objects_v2(**request))
            for one in page.get("Contents", ()):
                key = one["Key"][len(self._prefix) :]
                # A name that ends in / is a folder some console made; the rest is as a folder's listing hides it.
                if not key.endswith("/") and not any(part.startswith(TEMPORARY) for part in key.split("/")):
                    found.append(StoredObject(key, one["Size"], one["LastModified"]))
            if not page.get("IsTruncated"):
                return found
            request["ContinuationToken"] = page["NextContinuationToken"]

    def list_folders(self, prefix: str) -> Sequence[str]:
        request: dict[str, Any] = {"Bucket": self._bucket, "Prefix": f"{self._prefix}{prefix}", "Delimiter": "/"}
        found: list[str] = []
        while True:
            page = self._ask(f"listing {self.location}/{prefix}", lambda: self._client.list_objects_v2(**request))
            found += [one["Prefix"].rstrip("/").rsplit("/", 1)[-1] for one in page.get("CommonPrefixes", ())]
            if not page.get("IsTruncated"):
                return [name for name in found if not name.startswith(TEMPORARY)]
            request["ContinuationToken"] = page["NextContinuationToken"]

    def stat(self, key: str) -> StoredObject | None:
        head = self._head(key)
        return None if head is None else StoredObject(key, head["ContentLength"], head["LastModified"])

    def get(self, key: str) -> bytes:
        body = self.get_if_present(key)
        if body is None:
            raise self._not_found(key)
        return body

    def get_if_present(self, key: str) -> bytes | None:
        return self._ask(f"reading {self._name(key)}", lambda: self._read(key), absent=None)

    def get_range(self, key: str, start: int, end: int) -> bytes:
        if end <= start:
            if self.stat(key) is None:
                raise self._not_found(key)
            return b""
        try:
            body = self._ask(
                f"reading {self._name(key)}", lambda: self._read(key, Range=f"bytes={start}-{end - 1}"), absent=None
            )
        except CdcError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and _code_of(cause) in ("416", "InvalidRange"):
                return b""
            raise
        if body is None:
            raise self._not_found(key)
        return body

    def _read(self, key: str, **options: str) -> bytes:
        reply = self._client.get_object(Bucket=self._bucket, Key=self._key(key), **options)
        # Read within the attempt: a body that breaks off is asked for again.
        body: bytes = reply["Body"].read()
        return body

    def put(self, key: str, body: bytes | str) -> None:
        content = to_bytes(body)
        self._ask(f"writing {self._name(key)}", lambda: self._put(key, content))

    def put_if_absent(self, key: str, body: bytes | str) -> bool:
        return self._put_on_condition(key, to_bytes(body), {"IfNoneMatch": "*"})

    def put_if_match(self, key: str, body: bytes | str, tag: str) -> bool:
        return self._put_on_condition(key, to_bytes(body), {"IfMatch": tag})

    def _put_on_condition(self, key: str, content: bytes, condition: dict[str, str]) -> bool:
        known = self._client.meta.service_model.operation_model("PutObject").input_shape.members
        if not known.keys() >= condition.keys():
            raise CdcError(
                "store.no-put-if-absent",
                f"writing {self._name(key)}: this boto3 knows no conditional writes",
                "give the job a newer one: --additional-python-modules boto3>=1.35.70",
            )
        unclear = False
        attempt = 1
        while True:
            try:
                self._put(key, content, **condition)
                return True
            except (ClientError, HTTPClientError) as error:
                code = _code_of(error)
                if code in _TAKEN or (code in _ABSENT and "IfMatch" in condition):
                    # An attempt whose reply was lost may have written what is there now.
                    return unclear and self.get_if_present(key) == content
                if attempt == _ATTEMPTS or not (code in _CONFLICT or _may_pass(error)):
                    raise self._failed(f"writing {self._name(key)}", error) from error
                # 409: another writer is at it, and nothing of ours was written; whatever else, nobody knows.
                unclear = unclear or code not in _CONFLICT
            _pause(attempt)
            attempt += 1

    def _put(self, key: str, content: bytes, **condition: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._key(key), Body=content, **condition)

    def delete(self, key: str) -> None:
        self._ask(
            f"deleting {self._name(key)}",
            lambda: self._client.delete_object(Bucket=self._bucket, Key=self._key(key)),
            absent=None,
        )

    def tag_of(self, key: str) -> str | None:
        head = self._head(key)
        return None if head is None else head["ETag"]

    def now(self) -> datetime:
        """S3's clock, as its replies tell it."""
        reply = self._ask(
            f"asking {self.location} for the time",
            lambda: self._client.list_objects_v2(Bucket=self._bucket, Prefix=f"{self._prefix}_cdc/", MaxKeys=1),
        )
        date: str = reply["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(date)

    def uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def _head(self, key: str) -> Any:
        return self._ask(
            f"reading {self._name(key)}",
            lambda: self._client.head_object(Bucket=self._bucket, Key=self._key(key)),
            absent=None,
        )

    def _ask(self, doing: str, call: Callable[[], T], **when_absent: None) -> T:
        """Calls, again while it may pass. `absent=None`: None instead of an error where there is no such object."""
        attempt = 1
        while True:
            try:
                return call()
            except (ClientError, HTTPClientError) as error:
                if when_absent and _code_of(error) in _ABSENT:
                    return when_absent["absent"]  # type: ignore[return-value]
                if attempt == _ATTEMPTS or not _may_pass(error):
                    raise self._failed(doing, error) from error
            except NoCredentialsError as error:
                raise self._failed(doing, error) from error
            _pause(attempt)
            attempt += 1

    def _failed(self, doing: str, error: Exception) -> CdcError:
        code = _code_of(error)
        if code in ("403", "AccessDenied"):
            kind = "store.not-writable" if doing.startswith(("writing", "deleting")) else "store.not-readable"
            return CdcError(
                kind, f"{doing}: access denied", "give the job's role the rights of cdc init, or init again"
            )
        return CdcError("store.failed", f"{doing}: {error}")

    def _not_found(self, key: str) -> CdcError:
        return CdcError("store.not-found", f"reading {self._name(key)}: it is not there")

    def _name(self, key: str) -> str:
        return f"{self.location}/{key}"

    def _key(self, key: str) -> str:
        assert_key(key)
        return f"{self._prefix}{key}"


def _code_of(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _may_pass(error: Exception) -> bool:
    """The network, or a server that is busy or ill."""
    if not isinstance(error, ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or status == 429 or _code_of(error) in ("SlowDown", "RequestTimeout", "ThrottlingException")


def _pause(attempt: int) -> None:
    time.sleep(min(0.05 * 2**attempt, 5.0))
