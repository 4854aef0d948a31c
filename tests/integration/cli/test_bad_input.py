"""Each: one clear line, a status that is not 0, no traceback, nothing lost."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from alvision.cli import main
from tests.integration.conftest import TINY


def refused(result, *parts):
    status, _, err = result
    assert status != 0
    assert err.startswith("alvision: ")
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    for part in parts:
        assert part in err, err


MISTAKES = [
    (["data.root=nowhere"], ["nowhere"]),
    (["data.root=empty"], ["empty"]),
    ([], ["data.root"]),
    (["data.root=parts", "data.rot=1"], ["data.rot", "did you mean"]),
    (["data.root=parts", "seed=many"], ["seed", "many"]),
    (["data.root=parts", "classes=[ok]"], ["two names"]),
    (["data.root=parts", "classes=[ok,new]"], ["worn", "does not name"]),
    (["data.root=parts", "classes=[ok,worn,skip]"], ["skip"]),
    (["data.root=parts", "defects=[rust]"], ["rust"]),
    (["data.root=parts", "acquisition=bald", "model.head=linear"], ["dropout"]),
    (["data.root=parts", "budget.batch=1000"], ["budget.batch=1000", "pool of"]),
    (["data.root=parts", "budget.batch=0"], ["budget.batch=0"]),
    (["data.root=parts", "model.backbone=resnet0"], ["resnet0"]),
    (["data.root=parts", "model.backbone=alexnet"], ["alexnet"]),
    (["data.root=parts", "model.weights=missing.pth"], ["missing.pth"]),
    (["data.root=parts", "oracle=files"], ["classes="]),
    (["data=csv", "data.root=parts", "data.file=table.csv"], ["table.csv", "path"]),
    (["data=csv", "data.root=parts", "data.file=no.csv"], ["no.csv"]),
    (["data.root=broken"], ["unreadable"]),
    (
        ["data.root=parts", "audit.share=0.999", "oracle=files", "classes=[ok,worn]"],
        ["held out", "audit.share"],
    ),
    (["data.root=parts", "acquisition=[margin,bald]"], ["compare"]),
]


def words_of(value):
    """Name a case by its words."""
    return " ".join(value[0]) or "no words"


@pytest.mark.parametrize("case", MISTAKES, ids=words_of)
def test_one_line_that_says_what_to_do(run, tmp_path, case):
    words, told = case
    (tmp_path / "empty").mkdir()
    (tmp_path / "parts" / "table.csv").write_text("file,class\n")
    for name in ("a", "b"):
        (tmp_path / "broken" / name).mkdir(parents=True)
        for i in range(9):
            (tmp_path / "broken" / name / f"{i}.png").write_bytes(b"no image %d" % i)
    keys = {word.split("=")[0] for word in words}
    tiny = [word for word in TINY if word.split("=")[0] not in keys]
    refused(run("run", *words, *tiny), *told)


@pytest.mark.slow
def test_a_run_folder_of_another_configuration(run, tmp_path):
    assert run("run", "data.root=parts", "out=o", *TINY, "budget.rounds=0")[0] == 0
    before = (tmp_path / "o" / "metrics.csv").read_bytes()
    words = ["data.root=parts", "out=o", "seed=1", *TINY, "budget.rounds=0"]
    refused(run("run", *words), "seed was 0 and is 1")
    assert (tmp_path / "o" / "metrics.csv").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "mistake", [["acquisition=bald", "model.head=linear"], ["budget.batch=1000"]]
)
def test_a_mistake_put_right_is_not_held_against_its_folder(run, mistake):
    keys = {word.split("=")[0] for word in mistake}
    tiny = [word for word in TINY if word.split("=")[0] not in keys]
    refused(run("run", "data.root=parts", "out=o", *mistake, *tiny))
    assert run("run", "data.root=parts", "out=o", "budget.rounds=0", *TINY[:-1])[0] == 0


OF_EVERY_COMMAND = [
    (["check", "data.root=parts", "seconds=0"], ["seconds=0", "above 0"]),
    (["check", "data.root=parts", "second=3"], ["second"]),
    (["label", "data.root=nowhere"], ["nowhere"]),
    (["compare", "data.root=parts", "seeds=none"], ["seeds=none", "must be a number"]),
    (["compare", "data.root=parts", "jobs=0"], ["jobs=0"]),
    (["compare", "data.root=parts", "acquisition=[]"], ["acquisition="]),
    (["compare", "data.root=parts", "seed=3"], ["seeds=N"]),
    (["report"], ["out= is missing", "bundle="]),
    (["report", "out=nowhere"], ["nowhere"]),
    (["report", "out=o", "outs=p"], ["outs=", "did you mean out=?"]),
    (["report", "bundle=b", "escape=2"], ["escape=2", "above 0 and below 1"]),
    (["labels"], ["verify|history"]),
    (["labels", "burn"], ["verify|history"]),
    (["labels", "verify", "data.rot=parts"], ["data.rot", "did you mean data.root"]),
    (["labels", "verify", "out=nowhere"], ["nowhere"]),
    (["labels", "verify", "out=o", "classes=[a]"], ["out= names a run", "classes=[a]"]),
    (["labels", "import", "data.root=parts", "classes=[ok,worn]"], ["from="]),
    (["labels", "import", "data.root=parts", "from=x", "slot=sea"], ["slot=sea", "one of: seal"]),
    (["cache", "prune", "keep=-1"], ["keep=-1", "at least 0"]),
    (["train", "out=a", "out=b"], ["out= is given twice"]),
    (["export", "bundle=b"], ["out= is missing", "alvision export out="]),
    (["export", "out=o", "format=onyx"], ["format=onyx", "onnx, openvino, torch"]),
    (["threshold"], ["bundle= is missing", "alvision threshold bundle="]),
    (["threshold", "bundle=b", "escpae=0.1"], ["escpae=", "did you mean escape=?"]),
    (["threshold", "bundle=b", "threshold.independent=ja"], ["independent=ja", "true or false"]),
    (["predict", "b.bundle"], ["'b.bundle' is not understood", "bundle=brakes.bundle"]),
    (["predict", "bundle=b"], ["images= is missing"]),
    (["promote", "bundle=b"], ["over= is missing"]),
    (["promote", "bundle=b", "over=l", "independent=si"], ["independent=si", "true or false"]),
    (["promote", "rollback"], ["over= is missing", "promote rollback over="]),
    (["promote", "rollback", "over=l", "margin=0.1"], ["no option margin="]),
    (["watch", "bundle=b", "images=i"], ["to= is missing"]),
    (["watch", "bundle=b", "images=i", "to=t", "once=maybe"], ["once=maybe", "true or false"]),
    (["watch", "bundle=b", "images=i", "to=t", "audit=2"], ["audit=2", "at least 0 and at most 1"]),
    (["rnu"], ["'rnu'", "did you mean run?"]),
]


@pytest.mark.parametrize("case", OF_EVERY_COMMAND, ids=words_of)
def test_every_command_names_a_mistake_in_its_words(run, case):
    words, told = case
    result = run(*words)
    refused(result, *told)
    assert result[0] == 2


def test_an_unknown_command_and_a_command_without_its_words(run):
    refused(run("rnu"), "rnu", "run")
    refused(run("report"), "out=")
    refused(run("report", "out=nowhere"), "nowhere")
    refused(run("labels", "burn"), "verify|history")
    refused(run("labels", "import", "data.root=parts", "classes=[ok,worn]"), "from=")
    refused(run("compare", "-m", "data.root=parts"), "run")


def test_a_place_that_cannot_be_written_is_named(run, tmp_path):
    (tmp_path / "file").write_text("")
    refused(run("check", "data.root=parts", "to=file/check.html"), "file", "check the path")
    assert (tmp_path / "file").read_text() == ""


def test_help_teaches(run):
    for words in (["--help"], ["run", "--help"], ["compare", "--help"], ["labels", "--help"]):
        status, out, err = run(*words)
        assert (status, err) == (0, "")
        assert "alvision" in out
    assert "budget.initial" in run("run", "--help")[1]
    assert "alvision" in run("--version")[1]


def test_debug_shows_the_traceback(run):
    status, _, err = run("run", "data.root=nowhere", "debug=true", *TINY)
    assert status != 0
    assert "Traceback" in err


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_run_goes_on_later(run, monkeypatch):
    import alvision.core.rounds

    real = os.fsync

    def full(handle):
        if alvision.core.rounds.__dict__.get("pretend_full"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle)

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(alvision.core.rounds, "pretend_full", True, raising=False)
    refused(run("run", "data.root=parts", "out=o", *TINY), "disk is full", "nothing is lost")
    monkeypatch.setattr(alvision.core.rounds, "pretend_full", False, raising=False)
    assert run("run", "data.root=parts", "out=o", *TINY)[0] == 0


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_at_any_moment_is_one_line_and_the_same_command_goes_on(
    run,
    tmp_path,
    sent,
):
    words = ["run", "data.root=parts", "out=o", *TINY, "trainer.head_steps=3000"]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "alvision", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    for _ in range(600):
        if (tmp_path / "o" / "rounds" / "000" / "answers.csv").exists():
            break
        time.sleep(0.1)
    time.sleep(0.3)
    process.send_signal(sent)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.count("\n") == 1, err
    assert "the same command goes on" in err
    assert main(words) == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small file system")
def test_a_disk_that_is_really_full(tmp_path, parts):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(disk)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system of a few kilobytes")
    try:
        words = ["run", f"data.root={parts}", f"out={disk / 'o'}", *TINY]
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "alvision", *words],
            check=False,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 2
        assert ended.stderr.count("\n") == 1, ended.stderr
        assert "full" in ended.stderr
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert main(words) == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)
