"""Fill a folder for a stick, so that a PC without internet can install.

    python scripts/wheelhouse.py [platform=PLATFORM] [python=3.11] [bundle=BUNDLE] [weights=FILE]
        [to=FOLDER]

Without a bundle the folder holds all of alvision with the packaged backbone and what exports and
runs bundles; with one it holds the bundle and the three packages that its predict.py needs. With
weights=FILE it carries the weights of any other backbone too, for model.weights=. It
brings a script that installs (install.bat or install.sh) and says how in README.txt. Everything is
a wheel, so nothing is compiled there. Settings of pip hold. PLATFORM is that of the PC: win_amd64,
linux_x86_64 or linux_aarch64; by default this computer's. On Linux, torch brings CUDA along, some
3 GB, unless pip's settings lead to builds for CPUs.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

EXTRAS = "export,offline"
FOR_A_BUNDLE = ("onnxruntime", "numpy", "pillow")
SOURCES_ONLY = ("antlr4-python3-runtime==4.9.*",)
"""Of these there is no wheel; they are plain Python, so one that is built here runs anywhere."""
PYTHONS = ("3.11", "3.12", "3.13")


def manylinux(machine: str) -> list[str]:
    """Return the tags of wheels that run on Debian 11, Ubuntu 20.10, RHEL 9 and later."""
    return [f"manylinux_2_{minor}_{machine}" for minor in range(31, 4, -1)] + [
        f"manylinux{year}_{machine}" for year in (2014, 2010, 1)
    ]


PLATFORMS: dict[str, tuple[list[str], dict[str, str]]] = {
    "win_amd64": (
        ["win_amd64"],
        {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"}
        | {"platform_machine": "AMD64"},
    ),
    **{
        f"linux_{machine}": (
            manylinux(machine),
            {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
            | {"platform_machine": machine},
        )
        for machine in ("x86_64", "aarch64")
    },
}
"""For each platform the tags of its wheels, and what requirements ask about it."""

# pip picks wheels for another platform but asks this one which requirements apply there.
PIP = """
import json, sys
from pip._vendor.packaging import markers
there, here = json.loads(sys.argv.pop(1)), markers.default_environment
markers.default_environment = lambda: {**here(), **there}
from pip._internal.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def settings(words: list[str]) -> dict[str, str]:
    """Read key=value words.

    >>> settings(["platform=win_amd64", "python=3.12"])["to"]
    'wheelhouse-win_amd64'
    """
    own = {"Windows": "win_amd64"}.get(platform.system(), f"linux_{platform.machine()}")
    given = {"platform": own, "python": ".".join(platform.python_version_tuple()[:2])}
    for word in words:
        key, _, value = word.partition("=")
        if key not in ("platform", "python", "bundle", "weights", "to") or not value:
            raise SystemExit(f"error: {word!r} is none of platform= python= bundle= weights= to=")
        given[key] = value
    if given["platform"] not in PLATFORMS:
        raise SystemExit(f"error: platform={given['platform']} is none of {', '.join(PLATFORMS)}")
    if "weights" in given and "bundle" in given:
        raise SystemExit("error: a bundle has its weights inside; leave weights= out")
    if given["python"] not in PYTHONS:
        raise SystemExit(f"error: python={given['python']} is none of {', '.join(PYTHONS)}")
    return {"to": f"wheelhouse-{given['platform']}"} | given


def download(wheels: Path, requirements: list[str], where: str, python: str) -> None:
    """Download wheels for another computer, with everything that they need."""
    tags, environment = PLATFORMS[where]
    environment = environment | {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    run(
        "-c", PIP, json.dumps(environment), "download", "-q", "-d", str(wheels),
        "-c", str(PROJECT / "constraints.txt"), "--find-links", str(wheels),
        "--only-binary", ":all:", "--python-version", python, "--implementation", "cp",
        *(word for tag in tags for word in ("--platform", tag)),
        *requirements,
    )  # fmt: skip


def build(wheels: Path) -> Path:
    """Build the wheels of alvision, which is returned, and of what has none."""
    run("-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(PROJECT), *SOURCES_ONLY)
    return next(wheels.glob("alvision-*.whl"))


def run(*words: str) -> None:
    if subprocess.run([sys.executable, *words], check=False).returncode:
        raise SystemExit("error: pip failed, see above")


def take_bundle(source: Path, folder: Path) -> None:
    """Copy a bundle that has been checked."""
    from alvision.core.errors import UserError
    from alvision.deploy.bundle.bundle import open_bundle

    try:
        open_bundle(source)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    shutil.copytree(source, folder / "bundle", copy_function=shutil.copyfile)


def take_weights(source: Path, folder: Path) -> None:
    """Copy a file of weights, with its sha256 beside it in the form of `sha256sum`."""
    if not source.is_file():
        raise SystemExit(f"error: weights={source}: no such file")
    if not source.name.isascii() or set(source.name) & set('"%$`!&^'):
        raise SystemExit(f"error: weights={source}: a shell may misread that name; rename it")
    (folder / "weights").mkdir()
    copy = shutil.copyfile(source, folder / "weights" / source.name)
    with copy.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    line = f"{digest}  {source.name}\n"
    (folder / "weights" / f"{source.name}.sha256").write_text(line, encoding="utf-8", newline="")


CHECK = (
    "import hashlib, pathlib, sys; path = pathlib.Path(sys.argv[1]); "
    "told = path.with_name(path.name + '.sha256').read_text().split()[0]; "
    "sys.exit(told != hashlib.sha256(path.read_bytes()).hexdigest())"
)
"""Ends with 1 where a file is not the one whose sha256 lies beside it; without double quotes."""


def quoted(wanted: list[str]) -> str:
    """Write requirements for a shell.

    >>> quoted(["a[b]==1", "c"])
    '"a[b]==1" "c"'
    """
    return " ".join(f'"{one}"' for one in wanted)


def windows(python: str, wanted: list[str], bundle: bool, weights: str | None = None) -> str:
    """Return install.bat."""
    lines = [
        "@echo off",
        "rem install.bat [FOLDER]",
        "setlocal",
        'set "HERE=%~dp0"',
        'set "TO=%~1"',
        'if "%TO%"=="" set "TO=%USERPROFILE%\\alvision"',
        f'set "PYTHON=py -{python}"',
        "%PYTHON% --version >nul 2>&1 || set PYTHON=python",
        f'%PYTHON% -c "import sys; sys.exit(sys.version_info[:2] != ({python.replace(".", ", ")})'
        ' or sys.maxsize < 2**32)" >nul 2>&1 || goto missing',
        '%PYTHON% -m venv "%TO%" || exit /b 1',
        '"%TO%\\Scripts\\python.exe" -m pip install --no-index --find-links "%HERE%wheels" '
        f"{quoted(wanted)} || exit /b 1",
    ]
    if bundle:
        lines += [
            'if exist "%TO%\\bundle" rmdir /s /q "%TO%\\bundle"',
            'xcopy /e /i /q "%HERE%bundle" "%TO%\\bundle" >nul || exit /b 1',
            'echo Use: "%TO%\\Scripts\\python.exe" "%TO%\\bundle\\predict.py" IMAGES RESULT.csv',
        ]
    else:
        lines += [
            '"%TO%\\Scripts\\alvision.exe" --version || exit /b 1',
            'echo Use: "%TO%\\Scripts\\alvision.exe" --help',
        ]
    if weights:
        copy = f'"%TO%\\weights\\{weights}"'
        lines += [
            'xcopy /e /i /q /y "%HERE%weights" "%TO%\\weights" >nul || exit /b 1',
            f'"%TO%\\Scripts\\python.exe" -c "{CHECK}" {copy} || goto damaged',
            f"echo Use: model.weights={copy}",
        ]
    damaged = [":damaged", f"echo {weights} is damaged: copy it again", "exit /b 1"]
    missing = f"echo Python {python} for 64 bits is missing: install it first (www.python.org)"
    end = [":missing", missing, "exit /b 1", *(damaged if weights else []), ""]
    return "\r\n".join([*lines, "exit /b 0", *end])


def posix(python: str, wanted: list[str], bundle: bool, weights: str | None = None) -> str:
    """Return install.sh."""
    lines = [
        "#!/bin/sh",
        "# sh install.sh [FOLDER]",
        "set -eu",
        'here=$(cd "$(dirname "$0")" && pwd)',
        'to=${1:-"$HOME/alvision"}',
        f"python=$(command -v python{python} || command -v python3 || true)",
        f'if [ -z "$python" ] || ! "$python" -c "import sys; sys.exit(sys.version_info[:2] != '
        f'({python.replace(".", ", ")}))"; then',
        f'  echo "Python {python} is missing: install it and its venv first" >&2; exit 1',
        "fi",
        '"$python" -m venv "$to"',
        f'"$to/bin/python" -m pip install --no-index --find-links "$here/wheels" {quoted(wanted)}',
    ]
    if bundle:
        lines += [
            'rm -rf "$to/bundle"',
            'cp -r "$here/bundle" "$to/bundle"',
            'echo "Use: $to/bin/python $to/bundle/predict.py IMAGES RESULT.csv"',
        ]
    else:
        lines += ['"$to/bin/alvision" --version', 'echo "Use: $to/bin/alvision --help"']
    if weights:
        lines += [
            'mkdir -p "$to/weights"',
            'cp "$here/weights/"* "$to/weights"',
            f'if ! "$to/bin/python" -c "{CHECK}" "$to/weights/{weights}"; then',
            f'  echo "{weights} is damaged: copy it again" >&2; exit 1',
            "fi",
            f'echo "Use: model.weights=$to/weights/{weights}"',
        ]
    return "\n".join([*lines, ""])


def readme(where: str, python: str, bundle: bool, weights: str | None = None) -> str:
    """Return README.txt."""
    install = "install.bat [FOLDER]" if where.startswith("win") else "sh install.sh [FOLDER]"
    what = (
        "A bundle and what its predict.py needs: onnxruntime, numpy and Pillow."
        if bundle
        else "All of alvision, with the packaged backbone; use it with model.weights=auto."
    )
    return "\n".join(
        [
            what,
            "",
            f"For {where} with Python {python}. No internet is needed, and nothing is compiled.",
            "",
            f"1. Python {python} (64 bits) must be there.",
            f"2. Run: {install}",
            "   FOLDER is where it goes, by default alvision in your home folder.",
            "3. It says at the end how to start.",
            *([f"   weights/{weights} comes along; its sha256 is checked."] if weights else []),
            "",
        ]
    )


def fill(given: dict[str, str]) -> Path:
    """Fill the folder and return it."""
    folder, python, where = Path(given["to"]), given["python"], given["platform"]
    if folder.exists():
        raise SystemExit(f"error: {folder} is there already; remove it or name another by to=")
    beside, bundle = folder.with_name(f".{folder.name}.part"), "bundle" in given
    shutil.rmtree(beside, ignore_errors=True)
    (beside / "wheels").mkdir(parents=True)
    if bundle:
        take_bundle(Path(given["bundle"]), beside)
    weights = Path(given["weights"]).name if "weights" in given else None
    if weights:
        take_weights(Path(given["weights"]), beside)
    wanted = list(FOR_A_BUNDLE) if bundle else [f"alvision[{EXTRAS}]"]
    # By its path: an index may have something of that name.
    ours = [] if bundle else [f"{build(beside / 'wheels')}[{EXTRAS}]"]
    download(beside / "wheels", ours or wanted, where, python)
    name, script = ("install.bat", windows) if where.startswith("win") else ("install.sh", posix)
    text = script(python, wanted, bundle, weights)
    (beside / name).write_text(text, encoding="utf-8", newline="")
    (beside / "README.txt").write_text(readme(where, python, bundle, weights), encoding="utf-8")
    beside.rename(folder)
    return folder


if __name__ == "__main__":
    place = fill(settings(sys.argv[1:]))
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    count = len(list((place / "wheels").glob("*.whl")))
    print(f"{place}: {count} wheels, {size / 1e6:.0f} MB")
