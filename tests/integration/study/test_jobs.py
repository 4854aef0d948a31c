import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from alvision.study.jobs import run_all
from tests.unit.study import workers

JOBS = [("margin", 0), ("margin", 1), ("random_sampling", 0)]


@pytest.mark.slow
def test_a_process_that_dies_takes_no_other_run_along(tmp_path):
    (tmp_path / "die").touch()
    told = []
    failed = run_all(JOBS, partial(workers.run, tmp_path), processes=2, done=told.append)
    assert list(failed) == [("margin", 1)]
    assert "its process died" in str(failed["margin", 1])
    assert sorted(told) == sorted(JOBS)
    assert len(list(tmp_path.glob("*/*/metrics.csv"))) == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends itself a POSIX signal")
def test_ctrl_c_ends_the_processes(tmp_path):
    (tmp_path / "wait").touch()
    before = set(multiprocessing.active_children())

    def interrupt():
        while len(list(tmp_path.glob("*.begun"))) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all(JOBS, partial(workers.run, tmp_path), processes=2)
    thread.join()
    assert time.monotonic() - started < 60
    assert set(multiprocessing.active_children()) == before
    assert len(list(tmp_path.glob("*.begun"))) == 2


@pytest.mark.slow
def test_the_processes_end_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "wait").touch()
    code = (
        "from functools import partial; from pathlib import Path;"
        "from tests.unit.study import workers;"
        "from alvision.study.jobs import run_all;"
        f"run_all({JOBS}, partial(workers.run, Path({str(tmp_path)!r})), processes=2)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        while len(list(tmp_path.glob("*.begun"))) < 2:
            assert parent.poll() is None
            time.sleep(0.05)
        parent.kill()
        parent.communicate(timeout=60)  # returns once nobody holds the pipe any more
