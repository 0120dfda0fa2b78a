"""An archive in a bucket of S3, or of another service that speaks its protocol (`endpoint_url`).

Credentials are boto3's business: they are found as it finds them, and never stored here. Nothing is made
public: no object gets an access list, so the bucket's own rules hold. What other services leave out of the
protocol is done without: no checksum or fact that a store keeps is needed, and a bulk delete that is rejected
is done one by one.
"""

from __future__ import annotations

import hashlib
import weakref
from base64 import b64encode
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArchiveError
from .store import MissingObject, Moved, Store

if TYPE_CHECKING:
    from ..config_models import Archive as Settings

# The services take 5 MiB as the smallest part and 10,000 parts at most.
PART = 8 << 20
MOST_PARTS = 9000
AT_ONCE = 4
# Tries of a request that the service throttles or fails; boto3 waits longer before each.
TRIES = 8
_PIECE = 1 << 20
_BULK = 1000

_MISSING = ("404", "NoSuchKey", "NotFound")
_FORBIDDEN = ("AccessDenied", "403", "Forbidden", "AllAccessDisabled")
_IDENTITY = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
)
_BUSY = (
    "SlowDown",
    "503",
    "ServiceUnavailable",
    "Throttling",
    "RequestLimitExceeded",
    "500",
    "InternalError",
)
_REGION = ("PermanentRedirect", "AuthorizationHeaderMalformed", "301", "IllegalLocationConstraintException")
# What services say that know no bulk delete, or not as boto3 asks for it.
_NO_BULK = (
    "MissingContentMD5",
    "NotImplemented",
    "MalformedXML",
    "InvalidRequest",
    "MethodNotAllowed",
    "BadDigest",
)


class S3Store(Store):
    """A bucket, or what is below a prefix of it.

    Args:
        client: of boto3.
        bucket: its name.
        prefix: what all names begin with; empty or with a `/` at the end.
    """

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._bulk = True
        self.where = f"s3://{bucket}/{prefix}"
        # Its connections stay open for the next request, and are closed with the store, whoever had it.
        weakref.finalize(self, client.close)

    @classmethod
    def open(cls, settings: Settings) -> S3Store:
        """The bucket of an entry of hosts.yaml; nothing is asked yet.

        Raises:
            ArchiveError: boto3 is not installed, or the profile is not known to it.
        """
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise ArchiveError(
                "archives of type s3 need boto3, which is not installed here",
                hint="pip install 'jupyter-remote-cells[aws]'",
            ) from None
        # Checksums that only some services know are left out; a digest goes with each upload all the same.
        options: dict[str, Any] = {
            "retries": {"max_attempts": TRIES, "mode": "standard"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            "max_pool_connections": 2 * AT_ONCE,
        }
        if settings.endpoint_url:
            options["s3"] = {"addressing_style": "path"}
        prefix = settings.prefix.strip("/")
        try:
            session = boto3.session.Session(profile_name=settings.profile, region_name=settings.region)
            client = session.client("s3", endpoint_url=settings.endpoint_url, config=Config(**options))
        except (BotoCoreError, ValueError) as error:
            raise ArchiveError(f"s3://{settings.bucket}/: {error}", hint=_CREDENTIALS) from None
        return cls(client, str(settings.bucket), f"{prefix}/" if prefix else "")

    def names(self, prefix: str) -> Iterator[str]:
        with self._told("s3:ListBucket"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for one in page.get("Contents", ()):
                    yield str(one["Key"])[len(self._prefix) :]

    def size(self, name: str) -> int | None:
        try:
            with self._told("s3:GetObject"):
                return int(self._client.head_object(**self._at(name))["ContentLength"])
        except MissingObject:
            return None

    def read(self, name: str) -> Iterator[bytes]:
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        offset = tries = 0
        while True:
            with self._told("s3:GetObject"):
                asked = {"Range": f"bytes={offset}-"} if offset else {}
                body = self._client.get_object(**self._at(name), **asked)["Body"]
                try:
                    for piece in body.iter_chunks(_PIECE):
                        offset += len(piece)
                        yield piece
                    return
                except (HTTPClientError, IncompleteReadError, OSError):
                    # boto3 tries a request again, but not an answer that broke in the middle.
                    tries += 1
                    if tries >= TRIES:
                        raise
                finally:
                    body.close()

    def put(self, name: str, content: bytes) -> None:
        with self._told("s3:PutObject"):
            self._client.put_object(**self._at(name), Body=content, ContentMD5=_md5(content)[1])

    def send(self, name: str, path: Path, moved: Moved) -> None:
        size = path.stat().st_size
        if size <= PART:
            self.put(name, path.read_bytes())
            moved(size)
            return
        part = max(PART, (size // MOST_PARTS // _PIECE + 1) * _PIECE)
        upload, there = self._unfinished(name)
        if upload is None:
            with self._told("s3:PutObject"):
                upload = str(self._client.create_multipart_upload(**self._at(name))["UploadId"])

        def send_part(number: int) -> dict[str, Any]:
            with path.open("rb") as file:
                file.seek((number - 1) * part)
                content = file.read(part)
            digest, encoded = _md5(content)
            tag = there.get(number)
            # A tag that is no MD5 (some services, some encryptions) only means that the part is sent again.
            if tag != digest:
                with self._told("s3:PutObject"):
                    where = {**self._at(name), "UploadId": upload, "PartNumber": number}
                    answer = self._client.upload_part(**where, Body=content, ContentMD5=encoded)
                tag = str(answer["ETag"]).strip('"')
            moved(len(content))
            return {"PartNumber": number, "ETag": f'"{tag}"'}

        # What a failure or an interrupt leaves is not aborted: the next try goes on with it.
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="jupyter-remote s3")
        try:
            parts = list(pool.map(send_part, range(1, -(-size // part) + 1)))
        finally:
            pool.shutdown(cancel_futures=True)
        with self._told("s3:PutObject"):
            self._client.complete_multipart_upload(
                **self._at(name), UploadId=upload, MultipartUpload={"Parts": parts}
            )

    def _unfinished(self, name: str) -> tuple[str | None, dict[int, str]]:
        """An upload of this very object that was cut, and the tags of its parts."""
        for upload in self._uploads(name):
            if upload["Key"] == self._prefix + name:
                with self._told("s3:ListMultipartUploadParts"):
                    pages = self._client.get_paginator("list_parts").paginate(
                        **self._at(name), UploadId=upload["UploadId"]
                    )
                    parts = [part for page in pages for part in page.get("Parts", ())]
                return str(upload["UploadId"]), {p["PartNumber"]: str(p["ETag"]).strip('"') for p in parts}
        return None, {}

    def _uploads(self, prefix: str) -> list[dict[str, Any]]:
        try:
            with self._told("s3:ListBucketMultipartUploads"):
                pages = self._client.get_paginator("list_multipart_uploads")
                found = pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
                return [upload for page in found for upload in page.get("Uploads", ())]
        except Forbidden:
            return []  # then nothing is gone on with, which works too

    def drop_unfinished(self, prefix: str) -> None:
        for upload in self._uploads(prefix):
            with self._told("s3:AbortMultipartUpload"):
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )

    def delete(self, names: Iterable[str]) -> None:
        rest = iter(names)
        while batch := list(islice(rest, _BULK)):
            if not (self._bulk and self._deleted_at_once(batch)):
                for name in batch:
                    with self._told("s3:DeleteObject"):
                        self._client.delete_object(**self._at(name))

    def _deleted_at_once(self, names: list[str]) -> bool:
        from botocore.exceptions import ClientError

        wanted = {"Objects": [{"Key": self._prefix + name} for name in names], "Quiet": True}
        with self._told("s3:DeleteObject"):
            try:
                answer = self._client.delete_objects(Bucket=self._bucket, Delete=wanted)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _NO_BULK:
                    raise
                self._bulk = False
                return False
        for failed in answer.get("Errors", ()):
            why = failed.get("Message") or failed.get("Code")
            raise ArchiveError(f"{self.where}: {failed.get('Key')} can't be removed: {why}")
        return True

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    @contextmanager
    def _told(self, permission: str) -> Iterator[None]:
        """Turns what boto3 raises into what a user can act on; `permission` is what the request needs."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise self._explained(error, permission) from None
        except BotoCoreError as error:
            name = type(error).__name__
            if "Credential" in name or "Token" in name or "Profile" in name:
                raise ArchiveError(f"{self.where}: {error}", hint=_CREDENTIALS) from None
            raise ArchiveError(
                f"{self.where} can't be reached: {error}",
                hint="Check the network and `endpoint_url`; the same command goes on where this one was cut.",
            ) from None
        except OSError as error:
            raise ArchiveError(f"{self.where}: the connection broke: {error}") from None

    def _explained(self, error: Any, permission: str) -> Exception:
        told = error.response.get("Error", {})
        code, text = str(told.get("Code", "")), str(told.get("Message", ""))
        if code == "NoSuchBucket":
            return ArchiveError(
                f"there is no bucket {self._bucket}",
                hint="Create it, or correct `bucket` or `endpoint_url` of the archive in hosts.yaml.",
            )
        if code in _MISSING:
            return MissingObject(text)
        if code in _FORBIDDEN:
            return Forbidden(
                f"{self.where}: no permission ({code}): {permission} is needed",
                hint="Ask who owns the bucket, or set another `profile` for the archive in hosts.yaml.",
            )
        if code in _IDENTITY:
            return ArchiveError(
                f"{self.where}: the credentials are refused: {text or code}", hint=_CREDENTIALS
            )
        if code in _REGION:
            return ArchiveError(
                f"{self.where}: it is in another region: {text or code}",
                hint="Set `region` of the archive in hosts.yaml.",
            )
        if code in _BUSY:
            return ArchiveError(
                f"{self.where}: the service is too busy ({code}), also after {TRIES} tries",
                hint="Try again later; the same command goes on where this one was cut.",
            )
        return ArchiveError(f"{self.where}: {text or code} ({permission})")


class Forbidden(ArchiveError):
    """The credentials are good, and not for this."""


_CREDENTIALS = (
    "boto3 looks for credentials in its environment variables (AWS_PROFILE, AWS_ACCESS_KEY_ID), in ~/.aws "
    "and in the machine's role; `profile` of the archive in hosts.yaml chooses."
)


def _md5(content: bytes) -> tuple[str, str]:
    """In hex, as tags have it, and in base64, as requests do: for transport only."""
    digest = hashlib.md5(content, usedforsecurity=False)
    return digest.hexdigest(), b64encode(digest.digest()).decode("ascii")
