"""A Label Studio server of the tests' own, with a database of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.parts import missing

TOKEN = "0123456789abcdef0123456789abcdef01234567"
_START = 600  # its first start makes some 200 tables, on a machine that may be busy


def program() -> str:
    """Return the program that `ALVISION_LABEL_STUDIO` names, or the one on the path."""
    named = os.environ.get("ALVISION_LABEL_STUDIO")
    found = named if named and Path(named).is_file() else shutil.which("label-studio")
    return found or missing("label-studio (ALVISION_LABEL_STUDIO)")


@contextmanager
def server() -> Iterator[str]:
    """Run a server until the block ends; give its address."""
    command = program()
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        log = Path(folder) / "log"
        quiet = {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "DEBUG": "false"}
        with log.open("wb") as told:
            process = subprocess.Popen(
                [command, "start", "--no-browser", "--port", str(port), "--data-dir", folder,
                 "--internal-host", "127.0.0.1", "--username", "anna@example.com",
                 "--password", "not a secret", "--enable-legacy-api-token", "--user-token", TOKEN],
                cwd=folder, env={**os.environ, **quiet, "LABEL_STUDIO_BASE_DATA_DIR": folder},
                stdin=subprocess.DEVNULL, stdout=told, stderr=told, start_new_session=True,
            )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url, process, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + _START
    while time.monotonic() < end and process.poll() is None:
        try:
            with opener.open(f"{url}/health", timeout=30) as response:
                if response.status == 200:
                    return
        except OSError:
            time.sleep(1)
    raise RuntimeError(f"Label Studio did not start: {log.read_text(errors='replace')[-2000:]}")
