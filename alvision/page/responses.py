"""What the server answers: the JSON of each request, which `/api/openapi.json` describes.

The JavaScript in `static/` reads these fields by name; a test compares the two. A field may be
added; to rename or remove one breaks pages that are open while the server is updated.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from alvision.core.records import EventKind
from alvision.page.run_follower import Phase


class _Response(BaseModel):
    # The descriptions in the schema are the docstrings below the fields.
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Problem(_Response):
    """Every answer with a status of 400 and above."""

    error: str
    """One line for the person."""


class ShownClass(_Response):
    """A class that can be answered."""

    name: str
    """Its key, the name that it was configured or added by; it never changes."""
    shown: str
    """The name that people read."""
    defect: bool


class BatchProgress(_Response):
    """How much of the batch is answered."""

    round: int
    done: int
    size: int


class CurvePoint(_Response):
    """One round on the learning curve: what its metrics.json says, as on the terminal."""

    labels: int
    """Images that the round's model was trained on."""
    images: int
    """Held-out images that it was measured on: those that were labelled when the round ended."""
    value: float
    low: float | None
    """Lower end of the 95 % interval; null for a round of an earlier version."""
    high: float | None


class ChangedPrediction(_Response):
    """A held-out image, already labelled, that the last two models predict differently."""

    item: str
    """Address of the image."""
    before: str
    after: str


class PredictedClass(_Response):
    """A class whose last answers were all predicted by the model."""

    name: str
    answers: int


class AdviceSentence(_Response):
    """Something to say of the run; its text in the reader's language is found by its key."""

    key: str
    values: dict[str, int | str]
    """What goes into its places; `n` chooses the form of the plural."""


class Counts(_Response):
    """How much is done. Exact copies are one image, and what was undone does not count.

    `mine` and `labels` are each at most `answered`, and `held_out` is at most `labels`.
    """

    images: int
    """All images."""
    answered: int
    """Images with an answer of anybody: a class, unsure or skipped."""
    labels: int
    """Images with a class."""
    held_out: int
    """Those of the images with a class that are held out; the others may be trained on."""
    mine: int
    """Images that this person answered."""
    seconds: float
    """Seconds that all people spent on answers."""
    conflicts: int
    batch: BatchProgress | None
    """Null before the first round asks."""


class State(Counts):
    """Everything that the page shows around the image."""

    store: str
    """Names the data set; a browser keeps unsent answers apart by it."""
    setup: bool
    """There are fewer than two classes: ask for them."""
    classes: list[ShownClass]
    book_version: int
    people: list[str]
    """Who is labelling now."""
    experts: list[str]
    blind: bool
    """Hide the model's opinion from everybody until they have answered."""
    phase: Phase
    minutes_to_features: int | None
    """Minutes until the images are read and the first ones can be chosen; null while none knows."""
    trouble: str | None
    """Why the loop's process ended, if it did by an error; it starts again by itself."""
    news: str | None
    """What has happened to photographs, for some minutes."""
    metric: str
    """Title of the metric of the curve."""
    curve: list[CurvePoint]
    too_few: str | None
    """Why the last round has no point on the curve; null where it has one, or before the first."""
    changed: list[ChangedPrediction]
    changed_count: int
    """All held-out images that changed, those that are not labelled yet included."""
    pictured: bool
    """There are images; else what is asked about are texts."""
    hours_left: float | None
    """Hours for all images without an answer at the usual pace; null while none is known."""
    predicted: list[PredictedClass]
    advice: list[AdviceSentence]
    """What to do next, the most useful first; never empty."""
    notices: list[str]
    """What a person should know of the files: which are set aside, and that they are read dark."""
    samples: list[str]
    """Addresses of some photographs, while the classes are asked for; empty afterwards."""


class Neighbour(_Response):
    """A labelled image close to the one asked about."""

    id: str
    """Address of the image."""
    label: str
    snippet: str | None = None
    """The beginning of its text, for a row without an image."""


class SeenRegion(_Response):
    """What the model sees of a photograph, in fractions of its width and height."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom; what is beyond is cut off."""
    corners: list[tuple[float, float]] | None
    """The corners of the region of interest; what is outside is masked. Null: there is none."""


class Item(_Response):
    """An image to answer; a blind one comes without anything that the model says."""

    id: str
    """Address of the image."""
    sha256: str
    """Names the bytes of its file, which may be replaced: ask for the picture with it, and send it
    with the answer, which is then about this picture for ever."""
    round: int
    width: int
    height: int
    photo_width: int
    photo_height: int
    """The photograph at full resolution, which `/tile` gives in pieces."""
    seen: SeenRegion | None
    """What the model sees of it; null: all."""
    slot: str
    """Why it is asked for: acquisition, random, relabel, expert or blind."""
    blind: bool
    votes: int
    """Answers that it has already."""
    reason: str | None
    pictured: bool = True
    """There is an image; width and height are 0 without one."""
    text: str | None = None
    """The text of a table's row."""
    fields: list[tuple[str, str]] = []
    """Further columns of the row, and their cells."""
    probabilities: list[tuple[str, float]] | None = None
    """Class and probability, the most probable first."""
    neighbours: list[Neighbour] | None = None
    heatmap: bool = False
    """There is a heatmap to show."""
    strange: bool = False
    """It shows what is unlike the other images, and not what led to the prediction."""


class NextItems(_Response):
    """Images for one person."""

    items: list[Item]
    message: str | None
    """Why there is none."""


class GridClass(_Response):
    """A class that images may be answered with many at a time."""

    name: str
    images: int
    """Images that the next grid of this class would hold."""


class Grid(_Response):
    """Images for one person that are answered together; none of them is asked blind."""

    label: str | None
    """The class that the model expects of them; null for images that look like one image."""
    items: list[Item]
    classes: list[GridClass]
    """What other grids there are; empty for images that look like one image."""
    message: str | None
    """Why there is none."""


class RefusedEvent(_Response):
    """An event that was not stored; its status is 410 where its photograph is gone."""

    uuid: str
    error: str
    status: int


class Opinion(_Response):
    """What the model says of an image; a field is missing where there is nothing to say."""

    id: str
    """Address of the image."""
    reason: str | None
    probabilities: list[tuple[str, float]] | None = None
    neighbours: list[Neighbour] | None = None
    heatmap: bool = False
    strange: bool = False


class SubmissionResult(_Response):
    """Which of the submitted events were stored."""

    stored: list[str]
    """Uuids of the events that are in the store, those that were there before included."""
    refused: list[RefusedEvent]
    opinions: list[Opinion]
    """What `page.blind` had hidden of the images that were just answered."""
    counts: Counts
    """How much is done, these events included."""


class LastAnswer(_Response):
    """A person's last answer that was not undone."""

    uuid: str
    kind: EventKind
    label: str | None
    item: Item
    together: list[str] = []
    """Uuids of the other answers of its grid that stand: an undo takes all of them back."""


class Stored(_Response):
    """The event is in the store."""

    stored: list[str]


class BookEntry(_Response):
    """What the label book says of one class; images by their addresses."""

    name: str
    rule: str
    example: list[str]
    counter: list[str]
    borderline: list[str]


class LabelBook(_Response):
    """The label book."""

    version: int
    classes: list[BookEntry]


class BookVersion(_Response):
    """The version of the label book after an entry was written."""

    version: int


class Vote(_Response):
    """One person's answer on an image in conflict."""

    by: str
    kind: EventKind
    label: str | None


class RowContent(_Response):
    """What a table says of a row."""

    text: str | None
    snippet: str
    """The beginning of it, in one line."""


class Conflict(_Response):
    """An image that people gave different classes to."""

    id: str
    """Address of the image."""
    sha256: str
    """Names the bytes of its file, as with an `Item`."""
    width: int
    height: int
    votes: list[Vote]
    probabilities: list[tuple[str, float]] | None
    """The model's prediction before the answers; null on held-out images."""
    heatmap: bool


class Conflicts(_Response):
    """The images that people disagree on and that nobody settled."""

    conflicts: list[Conflict]


class GivenAnswer(_Response):
    """One person's answer that counts."""

    by: str
    kind: EventKind
    label: str | None
    time: str | None
    """When it was given, in UTC; null in logs of earlier versions."""


class AnsweredImage(_Response):
    """An image with the answers that count on it."""

    id: str
    """Address of the image."""
    sha256: str
    """Names the bytes of its file, as with an `Item`."""
    label: str | None
    """The class that the answers add up to; null where nobody named one."""
    expected: str | None
    """What the model predicted when the image was chosen; null on held-out images."""
    disputed: bool
    """People disagree, or somebody was unsure, and nobody settled it."""
    answers: list[GivenAnswer]
    notes: list[str]
    """What people flagged."""
    photo_width: int = 0
    photo_height: int = 0
    boxes: list[tuple[int, int, int, int]] = []
    """Boxes that people drew: x, y, width, height in pixels of the photograph."""


class Answered(_Response):
    """Images that were answered, the last answers first."""

    total: int
    """All that fit the filter."""
    people: list[str]
    """Everybody who answered something."""
    images: list[AnsweredImage]


class About(_Response):
    """What is known of one photograph beside its pixels."""

    name: str
    """Its file's own name, without folders."""
    taken: str | None
    """When it was taken, as its camera wrote it; null where the file does not say."""
    views: list[str]
    """Addresses of other photographs of the same part."""


class Classes(_Response):
    """The classes as they are now."""

    classes: list[ShownClass]


Show = Literal["all", "doubt", "disputed", "unsure", "skip", "flag"]
"""Which answers to look at: all; those that the model did not expect; those that people disagree
on; unsure, skipped or flagged ones."""

Size = Literal["thumb", "medium", "full"]


class GroupingRule(_Response):
    """A rule that puts look-alikes together."""

    name: str
    """How the page calls it."""
    group_by: str
    """`parent` (the folder), `capture_time`, or `pattern`."""
    pattern: str | None
    """The regular expression on names, for `pattern`."""
    groups: int
    """Groups that it makes of the photographs that were looked at."""
    together: int
    """Photographs with a look-alike that it puts beside one of theirs."""


class LookAlikes(_Response):
    """Photographs that look like another view of the same part, in a sample of them."""

    ready: bool
    """False while they are being looked at: ask again."""
    fixed: str | None = None
    """Why groups cannot be chosen any more; null where they can."""
    looked: int = 0
    """Photographs looked at."""
    images: int = 0
    """Photographs in all."""
    alike: int = 0
    """Those of the sample that look like another one."""
    pairs: list[list[str]] = []
    """Addresses of some pairs."""
    rules: list[GroupingRule] = []
    """The rules that put some of them together, the best first."""
