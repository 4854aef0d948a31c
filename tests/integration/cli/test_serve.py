"""`serve` as a process: it answers, and ends when it is asked to."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests.conftest import paint
from tests.support.machine import free_port
from tests.support.parts import imported


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_bundle_is_served_until_a_signal(tmp_path, small_bundle):
    imported("prometheus_client")
    port = free_port()
    command = [sys.executable, "-m", "alvision", "serve", f"bundle={small_bundle}", f"port={port}"]
    photograph = tmp_path / "a.png"
    paint(1, "worn").save(photograph)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        request = urllib.request.Request(
            f"{url}/verdict?name=a", photograph.read_bytes(), {"Content-Type": "image/png"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        second = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert (answer["name"], answer["class"]) == ("a", "worn")
    assert second.returncode == 2
    assert f"port={port} on 127.0.0.1 cannot be listened on" in second.stderr


def test_a_network_needs_a_token(run, monkeypatch):
    monkeypatch.delenv("ALVISION_SERVE_TOKEN", raising=False)
    status, _, err = run("serve", "bundle=nowhere", "host=0.0.0.0")
    assert (status, err.count("\n")) == (2, 1)
    assert "ALVISION_SERVE_TOKEN" in err
