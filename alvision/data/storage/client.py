"""Requests to an object store, and what its refusals mean to a person.

obstore repeats a request after a 5xx, a dropped connection or a truncated body, with back-off; the
rest of a truncated body is asked for under the same etag. Its threads do not survive a fork, and
nothing in alvision forks.
"""

from __future__ import annotations

import errno
import os
import re
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from alvision.core.errors import UserError
from alvision.core.uris import parts

RETRIES = 6
"""Waits double from 0.1 s, so some 6 s in all: what a store that asks to slow down may expect."""
PATIENCE = timedelta(seconds=60)
PAGE = 1000
"""Objects that a store names in one answer; S3 gives no more."""
VARIABLES = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
"""The first letters of the variables of the environment that a store's settings come from."""
CREDENTIALS = {
    "s3": (
        "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_METADATA_ENDPOINT",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SKIP_SIGNATURE",
    ),
    "gs": (
        "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH", "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SKIP_SIGNATURE",
    ),
}  # fmt: skip
"""Without one of these a store would ask a cloud's own network for them, for minutes."""
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired")
NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "InvalidBucketName")
DENIED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed")


class ChangedObject(UserError):
    """Say that an object is another one by now than the one that was listed."""


class StoredObject(NamedTuple):
    """An object as a store lists it: its key, its bytes, and its etag, which stands for these."""

    key: str
    size: int
    etag: str


def read(uri: str, etag: str = "", span: tuple[int, int] | None = None) -> bytes:
    """Return an object's content.

    Args:
        uri: Its address.
        etag: What it must be; empty: anything.
        span: Its first byte and the one after its last; None: all.

    Raises:
        ChangedObject: Its etag is another one.
        FileNotFoundError: There is no such object.
        UserError: The store refuses, or does not answer.
    """
    key = parts(uri)[2]
    options: Any = {"if_match": etag} if etag else {}
    if span is not None:
        options["range"] = span
    store = _store(uri)
    import obstore

    try:
        return bytes(obstore.get(store, key, options=options).bytes())
    except Exception as error:
        raise meaning(error, uri) from None  # its text may name an access key


def write(uri: str, data: bytes) -> None:
    """Put an object whole, or not at all; raises as `read` does."""
    store = _store(uri)
    import obstore

    try:
        obstore.put(store, parts(uri)[2], data)
    except Exception as error:
        raise meaning(error, uri) from None


def delete(uri: str, etag: str) -> None:
    """Take an object away if it still is what was listed; raises as `read` does.

    Stores have no deletion under a condition, so one that is replaced in the very moment between
    the look and the deletion is lost.
    """
    if head(uri).etag != etag:
        raise ChangedObject(f"{uri} has changed since it was listed, so it stays")
    store = _store(uri)
    import obstore

    try:
        obstore.delete(store, parts(uri)[2])
    except Exception as error:
        raise meaning(error, uri) from None


def head(uri: str) -> StoredObject:
    """Return what a store says of one object; raises as `read` does."""
    store = _store(uri)
    import obstore

    try:
        return _object(obstore.head(store, parts(uri)[2]))
    except Exception as error:
        raise meaning(error, uri) from None


def page(uri: str, after: str | None = None) -> list[StoredObject]:
    """Return the first PAGE objects below an address, in order of key, or those after a key.

    Raises:
        UserError: The store refuses, does not answer, or has no lists.
    """
    store, key = _store(uri), parts(uri)[2]
    import obstore

    try:
        for found in obstore.list(store, key or None, offset=after, chunk_size=PAGE):
            return [_object(one) for one in found]
    except Exception as error:
        if uri.startswith("https:"):
            raise UserError(
                f"{uri} has no list of its objects: name them in a table (data=csv, or "
                "data=manifest) whose paths are relative to data.root"
            ) from None
        raise meaning(error, uri) from None
    return []


def meaning(error: Exception, uri: str) -> Exception:
    """Return what a person should read in place of a store's own refusal."""
    if isinstance(error, UserError):
        return error
    text, kind = str(error), type(error).__name__
    scheme, bucket, _ = parts(uri)
    place = f"{scheme}://{bucket}"
    code = re.search(r"<Code>(\w+)</Code>", text)
    status = re.search(r"status code: (\d{3})", text)
    reason = code[1] if code else status[1] if status else kind
    if reason in NO_BUCKET:
        return UserError(f"{place}: there is no such bucket: check data.root or the manifest")
    if reason in EXPIRED:
        return UserError(
            f"the credentials for {place} have expired ({reason}): renew them in the environment "
            "and give the same command again"
        )
    if kind == "PreconditionError":
        return ChangedObject(
            f"{uri} has changed since it was listed: give the same command again, after "
            "alvision manifest where a manifest lists it"
        )
    if kind in ("PermissionDeniedError", "UnauthenticatedError") or reason in DENIED:
        return UserError(
            f"{place} refuses the credentials of the environment ({reason}): check "
            f"{VARIABLES.get(scheme, 'the server; AWS_, GOOGLE_, AZURE_')}... (docs/pools.md)"
        )
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, "there is no such object", uri)
    return UserError(
        f"{place} does not answer as it should ({reason}), after {RETRIES} retries: check the "
        "network and the address, and give the same command again"
    )


def _object(found: Any) -> StoredObject:
    etag = found["e_tag"] or f"{found['last_modified']:%Y%m%dT%H%M%S}"
    return StoredObject(found["path"], found["size"], etag)


def _store(uri: str) -> Any:
    scheme, bucket, _ = parts(uri)
    first = VARIABLES.get(scheme)
    names = sorted(name for name in os.environ if first and name.startswith(first))
    needed = CREDENTIALS.get(scheme)
    if needed and not set(needed) & set(names):
        raise UserError(
            f"{scheme}://{bucket} needs credentials, and the environment has none: set "
            f"{needed[0]}..., or {needed[-1]}=true where anybody may read (docs/pools.md)"
        )
    # Keyed by the settings as well: a renewed token is a store of its own.
    return _made(f"{scheme}://{bucket}", tuple((name, os.environ[name]) for name in names))


@lru_cache(maxsize=8)
def _made(base: str, settings: tuple[tuple[str, str], ...]) -> Any:
    try:
        from obstore.store import from_url
    except ImportError:
        raise UserError(f"{base} needs: pip install alvision[cloud]") from None
    try:
        return from_url(
            base,
            # http is spoken only where the environment's own endpoint says so.
            client_options={"allow_http": not base.startswith("https:")},
            retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE},
        )
    except Exception as error:
        raise UserError(
            f"{base} cannot be opened with the settings of the environment "
            f"({type(error).__name__}): check its variables (docs/pools.md)"
        ) from None
