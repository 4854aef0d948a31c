"""The folder for a PC without internet; what pip would fetch is made here, not downloaded."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import timm
import torch

from alvision.models.backbones import build
from tests.integration.project.test_scripts import script
from tests.support.parts import missing

wheelhouse = script("wheelhouse")


def wheel(folder, name, tag="py3-none-any", requires=()):
    """Write a wheel without content."""
    folder.mkdir(parents=True, exist_ok=True)
    about = f"{name}-1.0.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as file:
        file.writestr(f"{about}/METADATA", "\n".join(lines) + "\n")
        file.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        file.writestr(f"{about}/RECORD", "")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Return a folder that pip finds everything in, and nothing else anywhere."""
    try:
        version("pip")  # importing it would mind a distutils that others have imported
    except PackageNotFoundError:
        missing("pip")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    needs = ('gift; sys_platform == "win32"', 'burden; platform_system == "Linux"')
    wheel(tmp_path / "shelf", "onnxruntime", "cp312-cp312-win_amd64", needs)
    wheel(tmp_path / "shelf", "onnxruntime", "cp312-cp312-manylinux_2_28_x86_64", needs)
    for name in ("numpy", "pillow", "gift", "burden"):
        wheel(tmp_path / "shelf", name)
    return tmp_path / "shelf"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "with_it", "without"),
    [("win_amd64", "gift", "burden"), ("linux_x86_64", "burden", "gift")],
)
def test_wheels_are_those_of_the_other_computer(
    shelf, tmp_path, monkeypatch, where, with_it, without
):
    pins = tmp_path / "constraints.txt"
    pins.write_text("", encoding="utf-8")
    monkeypatch.setattr(wheelhouse, "PROJECT", tmp_path)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheelhouse.download(wheels, ["onnxruntime", "numpy"], where, "3.12")
    names = {path.name.split("-")[0] for path in wheels.iterdir()}
    assert names == {"onnxruntime", "numpy", with_it} and without not in names
    tag = where.replace("linux", "manylinux_2_28")
    assert (wheels / f"onnxruntime-1.0-cp312-cp312-{tag}.whl").exists()
    with pytest.raises(SystemExit, match="pip failed"):
        wheelhouse.download(wheels, ["onnxruntime"], where, "3.11")


def test_what_cannot_be_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, told in (
        (["platform=beos"], "platform=beos is none of win_amd64"),
        (["python=2.7"], "python=2.7 is none of 3.11"),
        (["colour=red"], "'colour=red' is none of"),
        (["bundle="], "'bundle=' is none of"),
        (["bundle=b", "weights=w.pth"], "a bundle has its weights inside"),
    ):
        with pytest.raises(SystemExit, match=told):
            wheelhouse.settings(words)
    with pytest.raises(SystemExit, match="is no bundle"):
        wheelhouse.fill(wheelhouse.settings(["bundle=.", "to=w"]))
    with pytest.raises(SystemExit, match="weights=gone"):
        wheelhouse.fill(wheelhouse.settings(["weights=gone.pth", "to=w"]))
    (tmp_path / "a$b.pth").touch()
    with pytest.raises(SystemExit, match="a shell may misread that name"):
        wheelhouse.fill(wheelhouse.settings(["weights=a$b.pth", "to=w"]))
    assert not (tmp_path / "w").exists()
    (tmp_path / "w").mkdir()
    with pytest.raises(SystemExit, match="w is there already"):
        wheelhouse.fill(wheelhouse.settings(["to=w"]))


@pytest.mark.parametrize("bundle", [True, False])
def test_the_scripts_install_from_the_stick_alone(tmp_path, bundle):
    wanted = ["alvision[export,offline]"]
    sh, bat = (make("3.12", wanted, bundle) for make in (wheelhouse.posix, wheelhouse.windows))
    for text in (sh, bat):
        assert text.count("--no-index") == 1 and '"alvision[export,offline]"' in text
        assert ("predict.py" in text) is bundle
        assert "3.12" in text
    assert bat.count("\r\n") == bat.count("\n")
    if shell := shutil.which("sh"):
        (tmp_path / "install.sh").write_text(sh, encoding="utf-8")
        subprocess.run([shell, "-n", tmp_path / "install.sh"], check=True)


@pytest.mark.skipif(os.name == "nt", reason="install.sh is for Linux")
def test_weights_come_along_are_checked_and_are_found_by_their_path(tmp_path):
    """Whatever installs is left out here: the PC's Python is this one."""
    source, stick, place = tmp_path / "dino v2.pth", tmp_path / "stick", tmp_path / "the PC"
    torch.save({"teacher": timm.create_model("test_vit", img_size=32).state_dict()}, source)
    stick.mkdir()
    wheelhouse.take_weights(source, stick)
    told = subprocess.run(
        ["sha256sum", "-c", f"{source.name}.sha256"], cwd=stick / "weights", capture_output=True
    )
    assert told.returncode == 0
    text = wheelhouse.posix("3.12", ["alvision"], False, source.name)
    lines = text[text.index('mkdir -p "$to/weights"') :]
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").symlink_to(sys.executable)
    script = f'set -eu\nhere="{stick}"; to="{place}"\n{lines}'
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    path = place / "weights" / source.name
    assert (told.returncode, told.stdout) == (0, f"Use: model.weights={path}\n")
    assert build("timm:test_vit", str(path), shape=(32, 32)).width == 128
    with (stick / "weights" / source.name).open("ab") as file:
        file.write(b"one more")
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert told.returncode == 1 and "dino v2.pth is damaged: copy it again" in told.stderr


def test_the_batch_file_copies_and_checks_weights_too():
    text = wheelhouse.windows("3.12", ["alvision"], False, "dinov2.pth")
    assert '"%TO%\\weights\\dinov2.pth" || goto damaged' in text
    assert ":damaged\r\necho dinov2.pth is damaged" in text
    assert "damaged" not in wheelhouse.windows("3.12", ["alvision"], False)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="install.sh is for Linux")
def test_install_sh_installs_without_an_index(shelf, tmp_path):
    stick, python = tmp_path / "stick", f"{sys.version_info[0]}.{sys.version_info[1]}"
    for name in wheelhouse.FOR_A_BUNDLE:
        wheel(stick / "wheels", name)
    (stick / "bundle").mkdir()
    (stick / "bundle" / "predict.py").write_text("print('sorted')", encoding="utf-8")
    text = wheelhouse.posix(python, list(wheelhouse.FOR_A_BUNDLE), True)
    (stick / "install.sh").write_text(text, encoding="utf-8")
    place = tmp_path / "the PC"
    own = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["sh", stick / "install.sh", place]
    subprocess.run(command, env=os.environ | {"PATH": own}, check=True, timeout=300)
    told = subprocess.run(
        [place / "bin" / "python", place / "bundle" / "predict.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "sorted\n"
