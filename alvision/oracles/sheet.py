"""What people look at while they fill in a table: neutral copies of the images, and a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from alvision.core.records import SampleId
from alvision.data.image_spec import ImageSpec
from alvision.data.images import UnreadableImage
from alvision.data.pictures import is_deep, picture
from alvision.data.storage.stored_path import ImagePath

_SHOWN_BY_BROWSERS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"})
_LONGEST = 16_384
"""Pixels of a copy's longer side, at most: more than any photograph has."""
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); }
figure { margin: 0; break-inside: avoid; }
img { width: 100%; height: auto; }
"""


def copy_picture(source: ImagePath, folder: Path, name: str, spec: ImageSpec | None = None) -> str:
    """Copy an image under a name that does not reveal its class; return the file's name.

    A kind that browsers do not show as the network sees it (TIFF, 16 bits) becomes an 8-bit PNG; a
    file that cannot be decoded is copied as it is.

    Args:
        source: The image.
        folder: Where the copy goes.
        name: Its name, without suffix.
        spec: How the network reads images; None: by the rules alone.
    """
    suffix = source.suffix.lower()
    try:
        if suffix not in _SHOWN_BY_BROWSERS or is_deep(source):
            picture(source, _LONGEST, spec).save(folder / f"{name}.png")
            return f"{name}.png"
    except UnreadableImage:
        pass  # shown as a link, for whatever program opens it
    (folder / f"{name}{suffix}").write_bytes(source.read_bytes())
    return f"{name}{suffix}"


def contact_sheet(
    pictures: Sequence[tuple[SampleId, str | None]],
    classes: Sequence[str],
    *,
    round: int,
    votes: int,
) -> str:
    """Return an HTML page with instructions and every picture with its neutral name.

    Args:
        pictures: Each image with the name of its copy in `images/`; None if there is no copy.
        classes: The class names.
        round: The round that asks.
        votes: How many people must answer each row.
    """
    words = ", ".join(f"<code>{escape(name)}</code>" for name in classes)
    who = (
        f"Every picture has {votes} rows, one for each person: write your name in <code>by</code>."
        if votes > 1
        else "You may write your name in <code>by</code>."
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Round {round}: {len(pictures)} pictures to label</title>
<style>{_STYLE}</style>
<h1>Round {round}: {len(pictures)} pictures to label</h1>
<ol>
<li>Open <code>answers.csv</code> in this folder with a spreadsheet or a text editor.</li>
<li>In the column <code>label</code> write for every picture one of {words};
<code>unsure</code> if you cannot tell, <code>skip</code> if the picture is of no use. {who}</li>
<li>Save it as CSV under the same name, and run the same command again.</li>
</ol>
<main>
{"".join(_figure(id, picture) for id, picture in pictures)}</main>
</html>
"""


def _figure(id: SampleId, picture: str | None) -> str:
    if picture is None:
        return f"<figure>no picture<figcaption>{escape(id)}</figcaption></figure>\n"
    address, name = f"images/{quote(picture)}", escape(picture)
    return (
        f'<figure><a href="{address}"><img src="{address}" alt="{name}"'
        f' loading="lazy"></a><figcaption>{name}</figcaption></figure>\n'
    )
