"""A configuration that differs from the defaults in a few keys."""

from dataclasses import replace

from alvision.config.schema import RunConfig


def config(**values):
    """Return the defaults for a folder, with values by key; `__` stands for the dot."""
    made = changed(RunConfig(), "data__kind", "folder")
    for key, value in values.items():
        made = changed(made, key, value)
    return made


def changed(node, key, value):
    """Return a dataclass of the schema with one value changed, however deep it is."""
    first, _, rest = key.partition("__")
    return replace(node, **{first: changed(getattr(node, first), rest, value) if rest else value})
