"""Post verdicts to a web server, signed as Standard Webhooks says (standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import IO
from urllib.parse import urlsplit

from alvision.core.errors import UserError
from alvision.watch.outbox import Message, NotDelivered

KEY = "ALVISION_WEBHOOK_KEY"
_PREFIX = "whsec_"
_SHORTEST = 24
"""Bytes of a key, at least, as Standard Webhooks asks."""
_TIMEOUT = 10.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Webhook:
    """Post each verdict, and take any status of 200 to 299 as its confirmation.

    The headers are `webhook-id`, `webhook-timestamp` and `webhook-signature`. Redirections are not
    followed: a signed verdict goes where it was sent, or nowhere.

    Args:
        url: The address, http or https.
        key: The key that signs, at least 24 bytes.

    Raises:
        UserError: The address cannot be used.
    """

    name = "webhook"

    def __init__(self, url: str, key: bytes) -> None:
        wrong = UserError(f"webhook={url} is not an address: give one like https://mes/verdicts")
        try:
            parts = urlsplit(url)
            usable = parts.port != 0 and parts.scheme in ("http", "https") and parts.hostname
        except ValueError:  # a bracket is missing, or the port is no number up to 65535
            raise wrong from None
        if parts.password is not None:
            raise UserError(f"webhook=: take the password out of the address; {KEY} signs instead")
        if not usable or not url.isascii() or not url.isprintable() or " " in url:
            raise wrong
        self._url, self._key = url, key
        # A proxy of the company would not reach this machine.
        proxies: dict[str, str] | None = {} if parts.hostname in _LOOPBACK else None
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(proxies), _NoRedirection()
        )

    def send(self, message: Message) -> None:
        """Post a verdict.

        Raises:
            NotDelivered: No server answers, or it answers with another status.
        """
        now = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": now,
            "webhook-signature": signature(self._key, message, now),
        }
        request = urllib.request.Request(self._url, message.body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=_TIMEOUT):
                return
        except urllib.error.HTTPError as error:
            error.close()
            raise NotDelivered(f"{self._url} answers {error.code}") from None
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise NotDelivered(f"{self._url} cannot be reached ({reason})") from None

    def close(self) -> None:
        """Do nothing: each verdict has a connection of its own."""


def signature(key: bytes, message: Message, timestamp: str) -> str:
    """Return the signature: version 1, HMAC-SHA256 over id, time and body, in base64.

    Args:
        key: The key that both sides have.
        message: What is sent.
        timestamp: Seconds since 1970, as in the header.
    """
    content = f"{message.id}.{timestamp}.".encode() + message.body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def key_of_environment() -> bytes:
    """Return the key in ALVISION_WEBHOOK_KEY: base64, with or without `whsec_` before it.

    Raises:
        UserError: There is none, or it is too short.
    """
    text = os.environ.get(KEY, "").strip()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < _SHORTEST:
        state = "is not a key" if text else "is not set"
        raise UserError(
            f"{KEY} {state}: webhook= needs at least {_SHORTEST} random bytes in base64, as"
            " `openssl rand -base64 32` prints them; the receiver checks signatures with them"
        )
    return key


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: object,
        newurl: str,
    ) -> None:
        return None
