import subprocess
import sys

import pytest

from alvision.cli.dispatch import main


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["labels", "export", "data.root=flat", "frm=log"],
            "unknown key frm; did you mean form? (`alvision labels --help` lists all keys)",
        ),
        (["cache", "lst"], "did you mean list?"),
        (["labels", "exprt"], "did you mean export?"),
        (["promote", "rolback"], "did you mean rollback?"),
        (["watch"], "bundle=, images= and to= are missing: "),
        (["watch", "bundle=a", "images=b", "to=c", "settle=-1"], "at most 3600 (seconds that"),
        (["run", "trainer=null"], "trainer= needs the name of a file"),
        (["run", "-m", "seed=1,2", "out="], "out= is empty"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_status_2(words, told, capsys):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


PRINTED_BY_RICH = """
import sys
from alvision.cli import dispatch
from alvision.cli.console import console
sys.exit(dispatch.main([], lambda words: [console.print("a") for _ in range(99)]))
"""


@pytest.mark.parametrize(
    "words",
    [
        ["from alvision.cli.dispatch import entry; entry()", "run", "--help"],
        [PRINTED_BY_RICH],
    ],
    ids=["help", "rich"],
)
def test_a_reader_that_leaves_is_no_mistake(words):
    words = [f"import time; time.sleep(0.2); {words[0].strip()}", *words[1:]]
    with subprocess.Popen(
        [sys.executable, "-c", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes no stream there")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_command_that_is_started_without_a_stream_does_its_work(closed, tmp_path):
    run = (
        "import os, sys; from alvision.cli import dispatch; dispatch._replace_closed_streams(); "
        "first = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY); print('a', file=sys.stderr); "
        "sys.argv[1:] = ['--version']; os.write(first, b'%d' % first); dispatch.entry()"
    )
    shell = f'exec "$0" -c "$1" "$2" {closed}'
    file = tmp_path / "a"
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable, run, file],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert int(file.read_text()) > 2  # nothing that is printed can go into it


def test_a_pipe_that_breaks_elsewhere_is_told(capsys):
    def broken(words):
        raise BrokenPipeError("a worker is gone")

    assert main([], broken) == 1
    assert "a worker is gone" in capsys.readouterr().err
