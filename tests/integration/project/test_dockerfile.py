"""The image installs as the Makefile does, runs as nobody special, and passes its linter."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import PROJECT

DOCKERFILE = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")


def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    found = str(hadolint) if hadolint.exists() else shutil.which("hadolint")
    if found is None:
        pytest.skip("hadolint has no build for this machine")
    done = subprocess.run([found, str(PROJECT / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_install_line_is_the_makefile_s():
    line = re.search(r"^INSTALL := (.*)$", MAKEFILE, re.M)[1]
    assert f'RUN {line} ".[demo,export,machine]"\n' in DOCKERFILE
    assert '$(BIN)/$(INSTALL) ".[demo]"\n' in MAKEFILE


def test_package_indexes_are_empty_arguments():
    assert 'ARG PIP_INDEX_URL=""\n' in DOCKERFILE
    assert 'ARG PIP_EXTRA_INDEX_URL=""\n' in DOCKERFILE
    assert re.search(r"docker build .*--build-arg PIP_INDEX_URL --build-arg PIP_EXTRA", MAKEFILE)


def test_it_runs_without_root_over_a_volume():
    assert int(re.findall(r"^USER (\d+)$", DOCKERFILE, re.M)[-1]) > 0
    assert "VOLUME /data\n" in DOCKERFILE
    assert 'ENTRYPOINT ["alvision"]\n' in DOCKERFILE


def test_whatever_it_copies_is_let_through():
    ignored = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {
        name for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.M) for name in line.split()
    }
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    assert all((PROJECT / name).exists() for name in copied)
