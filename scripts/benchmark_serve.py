"""Measure a bundle as a web server with eight clients, against `predict` on the same photographs.

    python scripts/benchmark_serve.py [--quick] [--json FILE] [--write]

The server runs in a process of its own; eight threads post JPEGs to it, each one after the answer
to its last, so at most eight are under way. `predict` reads the same files from the disk. The two
take turns and the best counts. Weights are random; the network is that of the pool benchmarks.
Seconds are compared with what `predict` takes for eight photographs: nobody who waits for seven
others could have an answer much sooner.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path

import figures
import numpy as np
from benchmark_predict import bundle_of
from pool_task import networks, photographs

from alvision.core.listening import listen
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.predict import predict

PAGE = Path(__file__).parents[1] / "docs" / "machine.md"
CLIENTS, HOST = 8, "127.0.0.1"


def server(bundle: Bundle, port: int) -> None:
    from alvision.serve.app import application
    from alvision.serve.server import run

    run(application(bundle, largest=10**7, token=None), HOST, port, lambda line: None)


def client(port: int, bodies: list[bytes]) -> list[float]:
    """Post photographs one after the other; return the seconds of each."""
    connection = http.client.HTTPConnection(HOST, port, timeout=120)
    seconds = []
    for body in bodies:
        began = time.perf_counter()
        connection.request("POST", "/verdict", body, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        content = json.load(answer)
        assert answer.status == 200, content
        seconds.append(time.perf_counter() - began)
    connection.close()
    return seconds


def post(port: int, bodies: list[bytes], clients: int) -> list[float]:
    """Return the seconds of every request."""
    shares = [bodies[number::clients] for number in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        return [one for part in pool.map(lambda share: client(port, share), shares) for one in part]


def wait_for(port: int, process: BaseProcess) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            connection = http.client.HTTPConnection(HOST, port, timeout=5)
            connection.request("GET", "/health")
            return connection.getresponse().close()
        except OSError:
            if time.monotonic() > deadline or not process.is_alive():
                raise
            time.sleep(0.1)


def serving(quick: bool) -> list[figures.Figure]:
    _, exported = networks()
    with photographs() as paths:
        paths = paths[: 64 if quick else 512]
        root = paths[0].parent
        bundle = bundle_of(exported, root.parent / "bundle")
        with listen(HOST, 0) as probe:
            port = probe.getsockname()[1]
        process = multiprocessing.get_context("spawn").Process(target=server, args=(bundle, port))
        process.start()
        try:
            wait_for(port, process)
            bodies = [path.read_bytes() for path in paths]
            many: list[list[float]] = []

            def ask() -> None:
                many.append(post(port, bodies, CLIENTS))

            def sort() -> int:
                return sum(one.decision is not None for one in predict(bundle, paths, root))

            post(port, bodies[:CLIENTS], CLIENTS)
            assert sort() == len(paths)
            found = figures.best(1 if quick else 3, {"serve": ask, "predict": sort})
            alone = post(port, bodies[:32], 1)
        finally:
            process.terminate()
            process.join()
    p95 = min(float(np.quantile(seconds, 0.95)) for seconds in many)
    middle = min(float(np.quantile(seconds, 0.5)) for seconds in many)
    eight = CLIENTS * found["predict"] / len(paths)
    none = figures.NO_TARGET
    name, count = f"serve with {CLIENTS} clients, against predict", len(paths)
    return [
        figures.figure(name, "images/s", count / found["serve"], count / found["predict"], none),
        figures.figure(f"{name}: half of the answers within", "s", middle, eight, none),
        figures.figure(f"{name}: 95 % of the answers within", "s", p95, eight, none),
        figures.figure(
            "serve with 1 client, against predict: 95 % of the answers within",
            "s", float(np.quantile(alone, 0.95)), eight / CLIENTS, none,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))
    figures.main(__doc__, {"serve": serving}, (PAGE, "serve"))
