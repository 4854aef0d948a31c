"""The secret of a data set's page: addresses of images and the link's token are made from it."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from alvision.core.errors import UserError

_SECRET_BYTES = 32


def read_secret(path: Path) -> bytes:
    """Return the secret of a data set's page; make it at the first call, for its owner to read.

    It stays the same over restarts: an answer that waits in a browser names an image by its
    address, and a tablet keeps its link.

    Raises:
        UserError: The file cannot be written, or holds something else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        if not path.exists():
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_SECRET_BYTES))
            if path.exists():  # two servers started at once: keep the first one's secret
                beside.unlink()
            else:
                beside.replace(path)
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise UserError(f"{path} cannot be made ({error.strerror}): set labels.url") from error
    except ValueError:
        secret = b""
    if len(secret) != _SECRET_BYTES:
        raise UserError(f"{path} is damaged: delete it; open pages must then be loaded again")
    return secret


def keyed(secret: bytes, purpose: str, text: str, size: int = 12) -> str:
    """Hash a text under the secret, in hexadecimal; each purpose has hashes of its own.

    >>> keyed(b"key", "image", "a.png") == keyed(b"key", "token", "a.png")
    False
    """
    person = purpose.encode()
    return hashlib.blake2b(text.encode(), digest_size=size, key=secret, person=person).hexdigest()
