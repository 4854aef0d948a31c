"""Checks of every request (host, token, origin, size, type), and headers of every answer."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# A browser sends 50 events at once: some 15 kB, or 115 kB if each has the longest note.
LARGEST_BODY = 256 * 1024
COOKIE = "alvision"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """Let only allowed requests through to an application.

    On the loopback address the host must be a name of this machine: a website whose name resolves
    to 127.0.0.1 is refused. On a network every request needs the token, first in the link and then
    in a cookie that scripts cannot read. Writes must come from this page itself, as JSON, and be
    small.

    Args:
        app: The application.
        token: What the link must hold; None on the loopback address.
    """

    def __init__(self, app: App, *, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return  # the page uses no web sockets

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ())]
                present = {name.lower() for name, _ in headers}
                for name, value in _HEADERS.items():
                    headers.append((name.encode(), value.encode()))
                if b"cache-control" not in present:
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        if refused := self._refused(scope, headers):
            await _answer(guarded, *refused)
            return
        if self._token and (given := self._in_link(scope)):
            if _same(given, self._token):
                await _enter(guarded, self._token)
            else:
                await _answer(guarded, 403, "this link holds another token: ask for a new link")
            return
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, guarded)
            return
        body = await _body(receive, headers)
        if body is None:
            await _answer(guarded, 413, f"the request is larger than {LARGEST_BODY} bytes")
            return
        await self._app(scope, _replay(body, receive), guarded)

    def _refused(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self._token is None and _name(host) not in LOOPBACK:
            return 403, "this page answers only on this machine: open it as 127.0.0.1"
        if self._token and not self._in_link(scope):
            known = _cookie(headers.get("cookie", ""))
            if known is None or not _same(known, self._token):
                return 403, "open the link that `alvision label` shows: it holds the token"
        if scope["method"] in ("GET", "HEAD"):
            # Another site may link to the page, and to nothing else.
            if headers.get("sec-fetch-site") == "cross-site" and scope["path"] != "/":
                return 403, "another site asked for this"
            return None
        if scope["method"] != "POST":
            return 405, "there is GET and POST"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, "another site sent this"
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "another site sent this"
        if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return 415, "the content type must be application/json"
        return None

    def _in_link(self, scope: Scope) -> str | None:
        if scope["method"] != "GET" or scope["path"] != "/":
            return None
        return parse_qs(scope["query_string"].decode("latin-1")).get("token", [None])[0]


async def _body(receive: Receive, headers: dict[str, str]) -> bytes | None:
    """Read a body; None as soon as it is too large."""
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > LARGEST_BODY:
        return None
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body  # the client went away, so what it sent is incomplete
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body"):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, status: int, error: str) -> None:
    content = json.dumps({"error": error}).encode()
    await _respond(send, status, [(b"content-type", b"application/json")], content)


async def _enter(send: Send, token: str) -> None:
    """Put the token into a cookie and take it out of the address."""
    cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"
    await _respond(send, 303, [(b"location", b"/"), (b"set-cookie", cookie.encode())], b"")


async def _respond(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], content: bytes
) -> None:
    length = (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": content})


def _name(host: str) -> str:
    """Return a host header without its port.

    >>> _name("127.0.0.1:80"), _name("[::1]:80"), _name("localhost")
    ('127.0.0.1', '::1', 'localhost')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _cookie(header: str) -> str | None:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())
