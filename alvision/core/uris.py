"""Addresses of object storage: told apart from paths, and never with credentials in them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import platformdirs

from alvision.core.errors import UserError

SCHEMES = ("s3", "gs", "az", "https")
_URI = re.compile(r"([a-z][a-z0-9+.-]+)://([^/]*)(?:/(.*))?", re.DOTALL)


class Place(str):
    """A folder, a table or an address, as somebody typed it."""

    __slots__ = ()


def is_uri(text: object) -> bool:
    r"""Tell whether a text is an address and not a path.

    >>> is_uri("s3://bucket/line 3"), is_uri("photos"), is_uri("C:\\photos"), is_uri(None)
    (True, False, False, False)
    """
    return isinstance(text, str) and _URI.fullmatch(text) is not None


def parts(uri: str) -> tuple[str, str, str]:
    """Return the scheme, the bucket or host, and the key without slashes at its ends.

    >>> parts("s3://bucket/line 3/")
    ('s3', 'bucket', 'line 3')

    Raises:
        UserError: The scheme is unknown, there is no bucket, or credentials stand in the address.
    """
    match = _URI.fullmatch(uri)
    scheme, bucket, key = match.groups(default="") if match else ("", "", "")
    if "@" in bucket or (scheme == "https" and "?" in key):
        # Without the address: this line may go to a log.
        raise UserError(
            f"an address of {scheme}:// holds credentials: take them out of it; they come from the "
            "environment alone (docs/pools.md)"
        )
    if scheme not in SCHEMES or not bucket:
        raise UserError(
            f"{uri} is no address of a pool: use {', '.join(f'{one}://' for one in SCHEMES)}, or a "
            "folder"
        )
    return scheme, bucket, key.strip("/")


def tidied(uri: str) -> str:
    """Return an address in its one form, without a slash at its end.

    Raises:
        UserError: As `parts` says.
    """
    scheme, bucket, key = parts(uri)
    return f"{scheme}://{bucket}/{key}".rstrip("/")


def local_place(text: str) -> Path:
    """Return the place on this computer that a pool's labels lie beside.

    That is a folder or a table itself, and for an address a folder in the platform's folder for
    user data.

    Raises:
        UserError: As `parts` says.
    """
    if not is_uri(text):
        return Path(text)
    whole = tidied(text)
    digest = hashlib.blake2b(whole.encode(), digest_size=6).hexdigest()
    pools = platformdirs.user_data_path("alvision") / "pools"
    return pools / f"{whole.rsplit('/', 1)[-1]}-{digest}"


def make_local_place(text: str) -> None:
    """Make the folder that stands for an address, with a `root.txt` that names the address.

    Raises:
        UserError: It cannot be made.
    """
    folder = local_place(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "root.txt").write_text(f"{tidied(text)}\n", encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(
            f"{folder} cannot be made ({error.strerror}): say with labels.url where labels are kept"
        ) from None
