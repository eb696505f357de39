"""The store over a bucket of S3, or a prefix of one, through boto3; imported only where a location is s3://."""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from .errors import CdcError
from .s3_error import Failure, is_absent, may_pass, outcome_of, s3_error, status_of
from .store import TEMPORARY, StoredObject, assert_key, to_bytes

T = TypeVar("T")
_WRITE_ID = "cdc-write"
"""In an object's metadata: the id of the conditional write that made it, by which it is known when its reply is lost."""
_TRIES = 12
_CLOCK_AGE_SECONDS = 5.0


def open_s3_store(location: str) -> S3Store:
    match = re.fullmatch(r"s3://([^/]+)(?:/(.*?))?/?", location)
    if match is None:
        raise CdcError("store.failed", f'opening "{location}": it is no place on S3', "write s3://BUCKET/PREFIX")
    # Tries are ours: a conditional write that was sent again unseen could take its own object for another's.
    retries = {"total_max_attempts": 1, "mode": "standard"}
    config = Config(retries=retries, connect_timeout=10, read_timeout=30, max_pool_connections=32)
    try:
        return S3Store(boto3.client("s3", config=config), match[1], match[2] or "")
    except BotoCoreError as error:
        raise s3_error(error, f"opening {location}", match[1], writes=False) from error


class S3Store:
    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        """`prefix`: without slashes at its ends."""
        self.location = f"s3://{bucket}/{prefix}".rstrip("/")
        self._client = client
        self._bucket = bucket
        self._root = f"{prefix}/" if prefix else ""
        self._answered: tuple[datetime, float] | None = None
        client.meta.events.register("after-call.s3", self._note_date)

    def list(self, prefix: str, after: str | None = None) -> Sequence[StoredObject]:
        start = {} if after is None else {"StartAfter": f"{self._root}{after}"}
        found = []
        for page in self._pages(prefix, **start):
            for one in page.get("Contents", ()):
                key = one["Key"][len(self._root) :]
                # The console makes empty objects for folders; what is hidden or no key of ours is somebody else's.
                if _is_key(key):
                    found.append(_stored(key, one["Size"], one["LastModified"], one["ETag"]))
        return found

    def list_folders(self, prefix: str) -> Sequence[str]:
        skip = len(self._root) + len(prefix)
        pages = self._pages(prefix, Delimiter="/")
        names = [one["Prefix"][skip:-1] for page in pages for one in page.get("CommonPrefixes", ())]
        # S3 sorts them with the slash at their end.
        return sorted(name for name in names if _is_key(name))

    def _pages(self, prefix: str, **request: str) -> Iterator[Any]:
        request |= {"Bucket": self._bucket, "Prefix": f"{self._root}{prefix}"}
        doing = f"listing {self.location}/{prefix}"
        while True:
            page = self._ask(doing, lambda: self._client.list_objects_v2(**request))
            yield page
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def stat(self, key: str) -> StoredObject | None:
        head = self._head(key)
        return head and _stored(key, head["ContentLength"], head["LastModified"], head["ETag"])

    def tag_of(self, key: str) -> str | None:
        found = self.stat(key)
        return None if found is None else found.tag

    def get(self, key: str) -> bytes:
        body = self.get_if_present(key)
        if body is None:
            raise self._not_found(key)
        return body

    def get_if_present(self, key: str) -> bytes | None:
        return self._read(key)

    def get_range(self, key: str, start: int, end: int) -> bytes:
        if end <= start:
            return b""
        body = self._read(key, Range=f"bytes={start}-{end - 1}")
        if body is None:
            raise self._not_found(key)
        return body

    def _read(self, key: str, **options: str) -> bytes | None:
        path = self._path(key)

        def read() -> bytes | None:
            try:
                # Read within the try: a body that breaks off is asked for again.
                body: bytes = self._client.get_object(Bucket=self._bucket, Key=path, **options)["Body"].read()
                return body
            except Failure as error:
                if is_absent(error):
                    return None
                # It ends before the range begins.
                if status_of(error) == 416:
                    return b""
                raise

        return self._ask(f"reading {self.location}/{key}", read)

    def put(self, key: str, body: bytes | str) -> None:
        request = {"Bucket": self._bucket, "Key": self._path(key), "Body": to_bytes(body)}
        self._ask(f"writing {self.location}/{key}", lambda: self._client.put_object(**request), writes=True)

    def put_if_absent(self, key: str, body: bytes | str) -> bool:
        return self._write_surely(key, body, {"IfNoneMatch": "*"})

    def put_if_match(self, key: str, body: bytes | str, tag: str) -> bool:
        return self._write_surely(key, body, {"IfMatch": f'"{tag}"'})

    def _write_surely(self, key: str, body: bytes | str, condition: dict[str, str]) -> bool:
        """One conditional write. "Something is there" may be our own whose reply was lost, and no answer may come after the
        write as well as before it: the object's metadata tell. With another id, or nothing there, a no is final."""
        doing, path, write_id = f"writing {self.location}/{key}", self._path(key), str(uuid.uuid4())
        self._assert_conditions(doing, condition)
        request = {"Bucket": self._bucket, "Key": path, "Body": to_bytes(body), "Metadata": {_WRITE_ID: write_id}}
        is_doubtful = False
        for attempt in range(1, _TRIES + 1):
            try:
                # Commit point: the service lets one writer through.
                self._client.put_object(**request, **condition)
                return True
            except Failure as error:
                outcome = outcome_of(error)
                is_doubtful = is_doubtful or outcome == "unknown"
                if is_doubtful:
                    found = self._head(key)
                    if found is not None and found["Metadata"].get(_WRITE_ID) == write_id:
                        return True
                if outcome == "refused" or (outcome == "gone" and "IfMatch" in condition):
                    return False
                if attempt == _TRIES or not (outcome in ("conflict", "gone") or may_pass(error)):
                    raise s3_error(error, doing, self._bucket, writes=True) from error
            _pause(attempt)
        raise AssertionError("the last try returns or raises")

    def _assert_conditions(self, doing: str, condition: dict[str, str]) -> None:
        """Without them two writers would both succeed."""
        known = self._client.meta.service_model.operation_model("PutObject").input_shape.members
        if not known.keys() >= condition.keys():
            raise CdcError(
                "store.no-put-if-absent",
                f"{doing}: this boto3 knows no conditional writes",
                "bring a newer one: pip install 'boto3>=1.35.70' (Glue: --additional-python-modules)",
            )

    def delete(self, key: str) -> None:
        request = {"Bucket": self._bucket, "Key": self._path(key)}
        self._ask(f"deleting {self.location}/{key}", lambda: self._client.delete_object(**request), writes=True)

    def now(self) -> datetime:
        """By the last answer of the service, whole seconds as its times of objects are; asked anew when that is a while ago."""
        if self._answered is None or time.monotonic() - self._answered[1] > _CLOCK_AGE_SECONDS:
            self._head("_cdc/clock")
        if self._answered is None:
            return _whole_seconds(datetime.now(timezone.utc))
        date, at = self._answered
        return _whole_seconds(date + timedelta(seconds=time.monotonic() - at))

    def _note_date(self, http_response: Any, **_: Any) -> None:
        date = http_response.headers.get("date")
        if date is not None:
            self._answered = (parsedate_to_datetime(date), time.monotonic())

    def uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._root}{key}"

    def _head(self, key: str) -> Any:
        path = self._path(key)

        def head() -> Any:
            try:
                return self._client.head_object(Bucket=self._bucket, Key=path)
            except Failure as error:
                if is_absent(error):
                    return None
                raise

        return self._ask(f"reading {self.location}/{key}", head)

    def _ask(self, doing: str, call: Callable[[], T], writes: bool = False) -> T:
        """Calls, and again while it may pass."""
        for attempt in range(1, _TRIES + 1):
            try:
                return call()
            except Failure as error:
                if attempt == _TRIES or not may_pass(error):
                    raise s3_error(error, doing, self._bucket, writes) from error
            _pause(attempt)
        raise AssertionError("the last try returns or raises")

    def _not_found(self, key: str) -> CdcError:
        return CdcError("store.not-found", f"reading {self.location}/{key}: it is not there")

    def _path(self, key: str) -> str:
        assert_key(key)
        return f"{self._root}{key}"


def _is_key(key: str) -> bool:
    return all(part not in ("", ".", "..") and not part.startswith(TEMPORARY) for part in key.split("/"))


def _stored(key: str, size: int, modified: datetime, etag: str) -> StoredObject:
    return StoredObject(key, size, _whole_seconds(modified), etag.strip('"'))


def _whole_seconds(time_of_object: datetime) -> datetime:
    """Times in headers are whole seconds; some stores list fractions, and one object must have one time."""
    return time_of_object.replace(microsecond=0)


def _pause(attempt: int) -> None:
    time.sleep(min(2.0, 0.02 * 2**attempt) * (0.5 + random.random()))
