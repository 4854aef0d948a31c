"""An S3 server on loopback in a thread, as small as can be, that can be told to fail."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "pool"


class Store:
    """Objects by key, and what goes wrong.

    Attributes:
        objects: Bytes by key.
        trouble: Called with (number of the request, key); gives `503`, `cut`, or the code of a
            refusal with its status, `(400, "ExpiredToken")`; None: all is well.
        asked: Keys of all requests, in order.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.trouble = lambda number, key: None
        self.asked: list[str] = []
        self.port = 0

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        content = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        address = urlsplit(request.path)
        bucket, _, key = unquote(address.path).lstrip("/").partition("/")
        self.asked.append(key)
        trouble = self.trouble(len(self.asked), key)
        if trouble == "503":
            trouble = (503, "SlowDown")
        if isinstance(trouble, tuple):
            return self._refuse(request, *trouble)
        if bucket != BUCKET:
            return self._refuse(request, 404, "NoSuchBucket")
        if request.command == "PUT":
            self.objects[key] = content
            return self._send(request, 200, b"", {"ETag": f'"{hashlib.md5(content).hexdigest()}"'})
        if not key:
            return self._list(request, parse_qs(address.query))
        if key not in self.objects:
            return self._refuse(request, 404, "NoSuchKey")
        data = self.objects[key]
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        if request.headers.get("If-Match", etag).strip('"') != etag.strip('"'):
            return self._refuse(request, 412, "PreconditionFailed")
        headers = {"ETag": etag, "Last-Modified": "Mon, 30 Nov 2026 11:00:00 GMT"}
        span, status = request.headers.get("Range"), 200
        if span:
            first, _, last = span.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last or len(data)), len(data) - 1)
            headers["Content-Range"] = f"bytes {start}-{stop}/{len(data)}"
            data, status = data[start : stop + 1], 206
        return self._send(request, status, data, headers, cut=trouble == "cut")

    def _list(self, request: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> None:
        prefix, after = query.get("prefix", [""])[0], query.get("start-after", [""])[0]
        after = query.get("continuation-token", [after])[0]
        keys = sorted((k for k in self.objects if k.startswith(prefix) and k > after),
                      key=str.encode)  # fmt: skip
        page = keys[:1000]
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size>"
            f'<ETag>"{hashlib.md5(self.objects[key]).hexdigest()}"</ETag>'
            "<LastModified>2026-11-30T11:00:00.000Z</LastModified></Contents>"
            for key in page
        )
        more = len(keys) > len(page)
        name = "NextContinuationToken"
        token = f"<{name}>{escape(page[-1])}</{name}>" if more else ""
        body = (
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}"
            "</ListBucketResult>"
        )
        self._send(request, 200, body.encode(), {})

    def _refuse(self, request: BaseHTTPRequestHandler, status: int, code: str) -> None:
        key = "<AWSAccessKeyId>KEY-OF-THE-TEST</AWSAccessKeyId>"
        self._send(request, status, f"<Error><Code>{code}</Code>{key}</Error>".encode(), {})

    def _send(self, request, status, data, headers, cut=False) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "HEAD":
            return
        request.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            request.wfile.flush()
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(monkeypatch) -> Iterator[Store]:
    """Serve an empty bucket, and let the environment name it."""
    store = Store()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *arguments) -> None:
            pass

        def do_GET(self) -> None:
            store.answer(self)

        do_HEAD = do_PUT = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    store.port = server.server_port
    for name, value in {
        "AWS_ACCESS_KEY_ID": "KEY-OF-THE-TEST",
        "AWS_SECRET_ACCESS_KEY": "SECRET-OF-THE-TEST",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.port}",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
