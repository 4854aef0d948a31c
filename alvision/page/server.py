"""The server's process: the page over HTTP, the loop's process beside it."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence

import uvicorn

from alvision.core.errors import UserError
from alvision.core.listening import is_loopback, listen
from alvision.core.web_server import WebServer
from alvision.page.app import Page
from alvision.page.guard import Guard
from alvision.page.loop_process import KeptLoop, LoopProcess
from alvision.page.secret import keyed
from alvision.page.state import Images, PageContext

_log = logging.getLogger(__name__)
# A browser asks for the state every 4 s, so it sees new figures at its next or second request.
_UPDATE_SECONDS = 2.0
# Photographs that arrive are seen soon; listing them costs at most a twentieth of a core.
_LISTING_SECONDS, _LISTING_SHARE = 10.0, 20
# Enough for the answers on their way; a browser that holds a connection open must not delay Ctrl-C.
_SHUTDOWN_SECONDS = 3


def serve(
    context: PageContext,
    *,
    host: str,
    port: int,
    loop: Sequence[str],
    images: Callable[[], Images | None],
    open_browser: bool,
    say: Callable[[str], None],
) -> None:
    """Serve until a signal asks to stop; both processes end then.

    Args:
        context: The data set, the run and the store.
        host: Address to listen on; from other machines only whoever has the link gets in.
        port: Port.
        loop: Command line of the loop's process.
        images: Returns the images of now, or None where nothing has changed since it was asked
            last; called once the loop's process has computed their hashes.
        open_browser: Open the page in the browser.
        say: Prints a line.

    Raises:
        UserError: The address cannot be listened on.
    """
    listening = listen(host, port, "page.")
    try:
        page = Page(context)
        token = None if is_loopback(host) else keyed(context.secret, "token", "", 16)
        link = address(host, port, token)
        server = WebServer(
            uvicorn.Config(
                Guard(page.app, token=token),
                log_level="warning",
                lifespan="off",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            )
        )
        say(f"label at {link}\nCtrl-C ends it; nothing is lost, the same command goes on")
        with context.store.database.held(), beside(page, loop, images, say):
            if open_browser:
                threading.Thread(target=_open, args=(server, link), daemon=True).start()
            server.run(sockets=[listening])
    finally:
        listening.close()


@contextlib.contextmanager
def beside(
    page: Page,
    loop: Sequence[str],
    images: Callable[[], Images | None],
    say: Callable[[str], None],
) -> Iterator[None]:
    """Run the loop's process, and what keeps the page up to date in a thread, until the block ends.

    Args:
        page: The page.
        loop: Command line of the loop's process.
        images: Returns the images of now, or None where nothing has changed.
        say: Prints a line.
    """
    stopping = threading.Event()
    kept = KeptLoop(lambda: LoopProcess(loop))
    page.progress.loop = kept

    def update() -> None:
        due, pin = 0.0, 0
        while not stopping.wait(_UPDATE_SECONDS):
            try:
                page.progress.update()
                # The first round asks only when the loop's process has hashed every image; before,
                # hashing them here would do its work twice.
                if page.state.run.round >= 0 and time.monotonic() >= due:
                    begin = time.thread_time()  # a busy machine is no reason to look less often
                    if _take_in(page, images, say):
                        kept.wake()
                    cost = _LISTING_SHARE * (time.thread_time() - begin)
                    due = time.monotonic() + max(_LISTING_SECONDS, cost)
                if kept.trouble and page.state.ledger.pin != pin:
                    kept.wake()  # perhaps labels were what was missing
                pin = page.state.ledger.pin
            except Exception:  # a file that cannot be read must not end the page
                _log.exception("the progress of the run cannot be computed")

    updating = threading.Thread(target=update, daemon=True)
    updating.start()
    try:
        yield
    finally:
        stopping.set()
        kept.stop()
        updating.join(_UPDATE_SECONDS)


def _take_in(page: Page, images: Callable[[], Images | None], say: Callable[[str], None]) -> bool:
    """List the images anew; let the page go on with them and say what has happened to them."""
    try:
        now = images()
    except UserError as error:
        page.progress.tell(str(error))  # the old ones stay: a drive that is gone comes back
        return False
    if now is None:
        page.state.images.forget_hidden()
        return False
    if said := page.state.relist(now):
        page.progress.tell(said)
        say(said)
    return True


def address(host: str, port: int, token: str | None) -> str:
    """Return the link that people open.

    >>> address("::1", 80, None)
    'http://[::1]:80/'
    """
    if host in ("0.0.0.0", "::"):
        host = _own_address()
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def _own_address() -> str:
    """Return this machine's address on the network that its way out goes through."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; documentation address, RFC 5737
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _open(server: uvicorn.Server, link: str) -> None:
    while not server.started and not server.should_exit:
        time.sleep(0.05)
    if server.started:
        webbrowser.open(link)
