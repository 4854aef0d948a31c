"""From words on the command line to a checked configuration and its strategies."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from alvision.config.checks import KNOWN_DEFECTS, PER_CLASS
from alvision.config.limits import UnknownKey
from alvision.config.overrides import is_list, parse, quote, tidy
from alvision.config.schema import RunConfig, register
from alvision.core.errors import UserError
from alvision.core.shell import command
from alvision.core.version import CONFIG_DIR

NOT_EMPTY = ("name", "out", "data.root")
"""An empty value of these is an unset variable of a shell, not a wish for the default."""
PLAIN = (
    (
        re.compile(r"Invalid value assigned: (?:str|int|float|bool) is not a ListConfig"),
        "must be a list in brackets",
    ),
    (re.compile(r"is not a valid bool"), "must be true or false"),
    (re.compile(r"is not Optional"), "cannot be null; leave it out to get the default"),
)
"""What the libraries say, and what it means."""
GROUPS = ("experiment", "data", "model", "trainer", "acquisition", "cold_start", "oracle", "logger")


@dataclass(frozen=True)
class ComposedRun:
    """A run's configuration, checked; strategies as callables.

    Attributes:
        config: The typed configuration, `name` and `out` filled in.
        choices: What was chosen in each group, e.g. acquisition -> bald.
        acquire: The acquisition function.
        cold_start: The cold start's function.
        command: The command line that makes this run again.
        logger: Builds a logger beside TensorBoard's, if one was chosen.
    """

    config: RunConfig
    choices: dict[str, str | None]
    acquire: Callable[..., Any]
    cold_start: Callable[..., Any]
    command: str
    logger: Callable[..., Any] | None = None


def compose(words: list[str]) -> ComposedRun:
    """Compose `run.yaml` with overrides.

    Raises:
        UserError: An unknown key or option, a wrong type, several values where one is meant.
    """
    return from_node(*_node(words))


def configuration(words: list[str]) -> RunConfig:
    """Compose the configuration alone, without its strategies and so without torch.

    Raises:
        UserError: See `compose`.
    """
    node, chosen, _ = _node(words)
    return resolve_config(node, {group: chosen.get(group) for group in GROUPS})


def as_yaml(words: list[str], *, package: str | None = None, resolve: bool = False) -> str:
    """Return the composed configuration as YAML, as Hydra prints it for `--cfg job`.

    Args:
        words: The overrides.
        package: Return this key's part alone.
        resolve: Put values in the place of interpolations.

    Raises:
        UserError: See `compose`; or there is no such part.
    """
    node: Any = _node(words)[0]
    if package is not None:
        node = as_user_error(lambda: OmegaConf.select(node, package))
        if node is None:
            raise UserError(f"--package {package}: the configuration has no such part")
    if not OmegaConf.is_config(node):
        return f"{node}\n"
    return as_user_error(lambda: OmegaConf.to_yaml(node, resolve=resolve))


def _node(words: list[str]) -> tuple[DictConfig, DictConfig, list[str]]:
    words = [tidy(word) for word in words]
    refuse_ignored(parse(words))
    refuse_empty(words)
    for override in parse(words):
        if override.is_sweep_override() or (override.key_or_group in GROUPS and is_list(override)):
            raise UserError(
                f"{override.input_line}: a run takes one value; for several, `alvision compare` "
                "(acquisition=[...]) or `alvision run -m`"
            )
    with user_modules(), hydra.initialize_config_dir(str(CONFIG_DIR.resolve()), version_base="1.3"):
        node = as_user_error(
            lambda: hydra.compose("run", [*search_path(), *words], return_hydra_config=True), words
        )
    choices = node.hydra.runtime.choices
    OmegaConf.set_struct(node, False)
    del node["hydra"]
    return node, choices, words


def from_node(
    node: DictConfig, chosen: DictConfig, words: list[str], base: Path | None = None
) -> ComposedRun:
    """Check a composed node; `base` is the folder that a sweep's runs go into."""
    choices = {group: chosen.get(group) for group in GROUPS}
    return ComposedRun(
        config=resolve_config(node, choices, base),
        choices=choices,
        acquire=_strategy(node.acquisition, f"acquisition={choices['acquisition']}"),
        cold_start=_strategy(_function(node.cold_start), f"cold_start={choices['cold_start']}"),
        command=command("alvision", "run", *words),
        logger=_logger(node.logger, f"logger={choices['logger']}") if node.logger else None,
    )


def resolve_config(
    node: DictConfig, choices: dict[str, str | None], base: Path | None = None
) -> RunConfig:
    """Turn a node into the typed configuration, `name` and `out` filled in."""
    config: RunConfig = as_user_error(lambda: OmegaConf.to_object(node))
    name = config.name or choices["experiment"] or _root_name(config)
    tail = Path(str(choices["acquisition"])) / f"seed-{config.seed}"
    default = config.out or str(Path("runs") / name / tail)
    return replace(config, name=name, out=default if base is None else str(base / tail))


def _root_name(config: RunConfig) -> str:
    return Path(config.data.root or config.data.kind).resolve().name


def refuse_ignored(overrides: list[Override], *, works: tuple[str, ...] = ()) -> None:
    """Refuse overrides that Hydra accepts although nothing reads them.

    `+key=` is for what the schema leaves open, such as an argument of an acquisition's function.

    Args:
        overrides: The words, parsed.
        works: Beginnings of Hydra's own settings that do something here.

    Raises:
        UserError: Naming the first one, and what to write instead.
    """
    for override in overrides:
        key, word = override.key_or_group, override.input_line
        if key.startswith("hydra"):
            if not key.startswith(works):
                raise UserError(
                    f"{word} would change nothing: a run's folder is out=, and of Hydra's own "
                    "settings `run -m` takes hydra/launcher=, hydra.launcher.* and hydra.sweeper.*"
                )
        elif any(key.startswith(f"{free}.") for free in open_keys()):
            continue
        elif override.is_delete():
            null = f", or write {key}=null" if key in nullable() else ""
            raise UserError(
                f"{word}: a setting cannot be taken away; leave it out to get the default{null}"
            )
        elif key in GROUPS and _is_no_name(override):
            raise UserError(_needs_a_name(key))
        elif override.is_add() and (key in GROUPS or key in keys()):
            raise UserError(f"{word}: there is {key} already; write it without the +")
        elif _adds(override) and key not in (*keys(), *GROUPS):
            raise _unknown(key)


def refuse_empty(words: list[str]) -> None:
    """Refuse `out=`, `name=` and `data.root=` without a value.

    Raises:
        UserError: Naming the first one.
    """
    for word in words:
        key, equals, value = word.partition("=")
        if equals and not value.strip() and key.lstrip("+") in NOT_EMPTY:
            raise UserError(f"{word} is empty: give it a value, or leave it out")


def _is_no_name(override: Override) -> bool:
    """Tell whether a group is given what cannot be a file's name: null, a number, true, nothing."""
    if override.value_type != ValueType.ELEMENT:
        return False
    value = override.value()
    return value == "" or value is None or isinstance(value, bool | int | float)


def _needs_a_name(group: str) -> str:
    """Say what a group may be; a user's own files count, as they do for Hydra."""
    none = "; leave it out to have none" if group in ("experiment", "logger") else ""
    listed = ", ".join(_options(group))
    return f"{group}= needs the name of a file in configs/{group}; there is: {listed}{none}"


def _options(group: str) -> list[str]:
    folders = (CONFIG_DIR / group, Path.cwd() / "configs" / group)
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def nullable() -> list[str]:
    """Return the keys that may be null."""
    return [
        key
        for key, type_ in _typed(RunConfig())
        if "None" in type_ or (type_ == "Any" and OmegaConf.select(_defaults(), key) is None)
    ]


def _defaults() -> DictConfig:
    return OmegaConf.create(asdict(RunConfig()))


def _adds(override: Override) -> bool:
    return bool(override.is_add() or override.is_force_add())


def open_keys() -> list[str]:
    """Return the keys whose parts are not in the schema: they belong to a function, or to data."""
    return [key for key, type_ in _typed(RunConfig()) if type_ == "Any"]


def _typed(part: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            yield from _typed(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field.type


def search_path() -> list[str]:
    """Return the override that lets `./configs` add options, where there is such a folder."""
    own = Path.cwd() / "configs"
    if not own.is_dir() or own.resolve() == CONFIG_DIR.resolve():
        return []
    return [f"hydra.searchpath=[{quote(f'file://{own.resolve().as_posix()}')}]"]


@contextmanager
def user_modules() -> Iterator[None]:
    """Let Hydra find the schema, and strategies that a user keeps in the current folder.

    The folder stays on `sys.path` afterwards: what was found there is imported again when a
    strategy is unpickled in a worker process.
    """
    register()
    # Hydra's state is global: a notebook may have initialised it for purposes of its own.
    GlobalHydra.instance().clear()
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        yield
    finally:
        GlobalHydra.instance().clear()


def as_user_error(make: Callable[[], Any], words: Iterable[str] = ()) -> Any:
    """Turn Hydra's and OmegaConf's errors into one line that names the key and what to do.

    Args:
        make: What may fail.
        words: The overrides; a refusal repeats the one that it is about.
    """
    try:
        return make()
    except (HydraException, OmegaConfBaseException) as error:
        raise _explain(error, list(words)) from None
    except yaml.YAMLError as error:
        raise UserError(_broken_file(error)) from None


def _broken_file(error: yaml.YAMLError) -> str:
    """Say which file is not YAML, and where."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return f"a file of configs/ is not YAML: {error}"
    reason = getattr(error, "problem", None) or "cannot be read"
    return f"{mark.name} is not YAML: {reason} (line {mark.line + 1}); correct the file"


def _explain(error: Exception, words: list[str]) -> UserError:
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = getattr(cause, "full_key", None)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0].rstrip(".")
    if first.startswith("Could not override") and "'" in first:
        key = first.split("'")[1]
        reason = str(cause).splitlines()[0] if cause is not error else ""
        if "not in struct" in str(error) or ("Key" in reason and "not" in reason):
            return _unknown(key)
    if first.startswith(("Could not find", "In ")) or "Available options" in str(error):
        options = [
            line for line in lines[1:] if not line.startswith(("Available", "Config search"))
        ]
        listed = [line for line in options if "/" not in line and ":" not in line]
        sought = re.search(r"Could not find '(\w+)/([^']*)'", first)
        if sought and listed:
            return UserError(no_such_option(sought[1], sought[2], listed))
        told = f"{first}; there is: {', '.join(sorted(listed))}" if listed else " ".join(lines)
        return UserError(told)
    if isinstance(cause, OmegaConfBaseException) and key:
        word = next((w for w in reversed(words) if w.lstrip("+").startswith(f"{key}=")), None)
        return UserError(wrong_value(key, str(cause).splitlines()[0], word))
    return UserError(" ".join(lines))


def no_such_option(group: str, name: str, options: list[str]) -> str:
    """Say that a group has no such option.

    >>> no_such_option("acquisition", "bold", ["margin", "bald"])
    'there is no acquisition=bold; did you mean bald? There is: bald, margin'
    """
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}? There" if near else "; there"
    return f"there is no {group}={name}{hint} is: {', '.join(sorted(options))}"


def wrong_value(key: str, reason: str, word: str | None) -> str:
    """Say why a key's value is refused.

    Args:
        key: The key.
        reason: What the library says.
        word: What was written for the key, if it was on the command line.

    >>> wrong_value("page.open", "Value 'maybe' is not a valid bool", "page.open=maybe")
    'page.open=maybe must be true or false'
    >>> wrong_value("classes", "Invalid value assigned: str is not a ListConfig", "classes=ok")
    'classes=ok must be a list in brackets: "classes=[ok]"'
    """
    for sign, meaning in PLAIN:
        if sign.search(reason):
            example = f': "{key}=[{word.partition("=")[2]}]"' if word and "list" in meaning else ""
            return f"{word or key} {meaning}{example}"
    return f"{key}: {reason}"


def _unknown(key: str) -> UnknownKey:
    near = _options_with(key) or difflib.get_close_matches(key, keys(), n=2, cutoff=0.5)
    return UnknownKey(key, near)


def _options_with(key: str) -> list[str]:
    """Return the first two shipped options of a key's group that have it: `logger=wandb`."""
    group, _, name = key.partition(".")
    if not name or not group.isidentifier() or group == "experiment":  # its keys are the run's
        return []
    files = sorted((CONFIG_DIR / group).glob("*.yaml"))
    return [f"{group}={x.stem} {key}" for x in files if name in OmegaConf.load(x)][:2]


def keys(node: Any = None, prefix: str = "") -> list[str]:
    """Return every key of the schema, dotted."""
    node = asdict(RunConfig()) if node is None else node
    found: list[str] = []
    for key, value in node.items():
        found.append(prefix + key)
        if isinstance(value, dict):
            found += keys(value, f"{prefix}{key}.")
    return found


def _function(node: Any) -> Any:
    """Return a cold start's node without what is the run's: labels of each class, and known."""
    if not isinstance(node, DictConfig):
        return node
    ours = (PER_CLASS, KNOWN_DEFECTS)
    return OmegaConf.masked_copy(node, [str(key) for key in node if key not in ours])


def _logger(node: Any, name: str) -> Callable[..., Any]:
    """Return what builds a run's logger, unbuilt: each run of a study opens one of its own."""
    return _strategy(OmegaConf.merge(node, {"_partial_": True}), name)


def _strategy(node: Any, name: str) -> Callable[..., Any]:
    try:
        made = hydra.utils.instantiate(node, _convert_="all")
    except (HydraException, OmegaConfBaseException, ImportError, TypeError) as error:
        root = error
        while root.__cause__ is not None:
            root = root.__cause__  # type: ignore[assignment]
        reason = " ".join(str(root).split())
        raise UserError(f"{name} cannot be built: {reason}") from None
    if not callable(made):
        raise UserError(f"{name} is not a function: its file needs `_partial_: true`")
    return made
