"""`DataSet`: what a configuration says about its data, opened once and asked by everyone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.seeding import derive
from alvision.core.uris import is_uri, local_place, make_local_place
from alvision.data.hashes import (
    Stamp,
    content_hashes,
    file_stamp,
    hashes_of_possible_duplicates,
)
from alvision.data.image_spec import ImageSpec
from alvision.data.manifest import Manifest, build
from alvision.data.parts import RecordedParts, audit_split, changes, empty_parts
from alvision.data.set_aside import set_aside_line
from alvision.data.splits import (
    FOLDS,
    Split,
    group_keys,
    simulated_split,
    straddling,
)
from alvision.data.thin_defects import thinned
from alvision.dataset.image_settings import dark_images, settled
from alvision.labels.consensus import Resolve
from alvision.labels.content import locator, resolver
from alvision.labels.location import audit_location, labels_location, read_audit, write_audit
from alvision.labels.store import LabelStore

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.core.records import Locate, SampleId


@dataclass(frozen=True)
class DataSet:
    """A data set: its images, hashes, groups, split and classes, where its labels are, who answers.

    Opening it lists the images. Everything else is computed when it is first asked for, because
    the labelling page has to show an image long before 100,000 files are hashed. The label store
    is opened by whoever needs it (`label_store`), so no connection outlives its use.

    Attributes:
        config: The configuration as it was given, with numbers in place of `value_range=auto`.
        manifest: The images.
        spec: How a file becomes the array that a network sees.
    """

    config: RunConfig
    manifest: Manifest
    spec: ImageSpec

    @classmethod
    def open(cls, config: RunConfig) -> DataSet:
        """List the images that a configuration names.

        Raises:
            UserError: The configuration contradicts itself, or there are no such images.
        """
        from alvision.config.checks import validate

        validate(config)
        manifest = build(config.data)
        config = settled(config, manifest)
        data = cls(config, manifest, ImageSpec.from_config(config.data.image))
        if not manifest.is_text:
            return data
        from alvision.data.text_features import with_text_features

        # What is held out is known only now, and features of texts are learned from the others.
        embedded = with_text_features(manifest, set(data.split.pool), config.data.text_model)
        return cls(config, embedded, data.spec)

    @property
    def answered_by_people(self) -> bool:
        """Tell whether people answer; else the data's own classes do (a simulated run)."""
        return self.config.answered_by_people

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Return the classes: the configured ones, or in a simulated run those of the data.

        Raises:
            UserError: There are none, or the data has a class that the configuration does not name.
        """
        return _classes(self.config, self.manifest)

    @cached_property
    def truth(self) -> Mapping[SampleId, str]:
        """Return the class of each image whose class the data knows."""
        rows = zip(self.manifest.ids, self.manifest.truth, strict=True)
        return {id: label for id, label in rows if label is not None}

    @property
    def held_out_truth(self) -> Mapping[SampleId, str]:
        """Return the classes that held-out images are measured by; none where people answer."""
        return {} if self.answered_by_people else self.truth

    @cached_property
    def hashes(self) -> Mapping[SampleId, str]:
        """Return the sha256 of each readable image; takes minutes the first time on a large folder.

        `alvision.data.hashes` remembers them by path, size and time stamp.
        """
        if self.answered_by_people:
            _ = self.stamps  # before, so that what changes from here on is noticed
        return content_hashes(self.manifest)

    @cached_property
    def stamps(self) -> Mapping[SampleId, Stamp | None]:
        """Return what tells of each file whether it has changed, see `dataset.relisting`."""
        return {id: file_stamp(self.manifest.path(id)) for id in self.manifest.ids}

    @cached_property
    def locate(self) -> Locate:
        """Return what finds the image of today that holds the bytes of a name of the past."""
        return locator(self.manifest.ids, self.hashes)

    @cached_property
    def resolve(self) -> Resolve:
        """Return the map from an event to the image that holds its bytes now."""
        return resolver(self.manifest.ids, self.hashes, pool=self.split.pool)

    @property
    def content_hash(self) -> str:
        """Name a labelled data set by its content, wherever it is: ids, bytes and classes."""
        manifest = self.manifest
        rows = zip(manifest.ids, map(self.hashes.get, manifest.ids), manifest.truth, strict=True)
        return hashlib.sha256(repr(list(rows)).encode()).hexdigest()[:32]

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Return the group of each image of the manifest; exact duplicates share theirs.

        Only files that may have a duplicate are hashed, so this takes seconds and not minutes. It
        gives the same names as a hash of every file would.
        """
        return group_keys(self.manifest, hashes_of_possible_duplicates(self.manifest))

    @cached_property
    def split(self) -> Split:
        """Return the parts of the data set: the pool and the held-out images; writes nothing.

        With people, a part in `audit_file` is final; new groups get theirs by a hash of their name.

        Raises:
            UserError: The groups allow no such split, or would take a whole held-out part away.
        """
        if not self.answered_by_people:
            return self._simulated_split()
        return self._split_and_changes[0]

    @cached_property
    def notices(self) -> tuple[str, ...]:
        """Return what a person should know of the data before a command goes on."""
        of_groups = () if self.manifest.notice is None else (self.manifest.notice,)
        of_parts = self._torn()
        if self.answered_by_people:
            of_parts = (*self._split_and_changes[1], *empty_parts(self.split, self.groups))
        return (*self.image_notices, *of_groups, *of_parts)

    @cached_property
    def image_notices(self) -> tuple[str, ...]:
        """Return what a person should know of how the images are read; no image is hashed."""
        aside = self.manifest.set_aside
        found = (set_aside_line(aside) if aside else None, self.dark, self._mixed_tiles)
        return tuple(notice for notice in found if notice is not None)

    @cached_property
    def dark(self) -> str | None:
        """Return what is to be said where the images are read nearly black; else None."""
        return dark_images(self.manifest, self.spec)

    @cached_property
    def _mixed_tiles(self) -> str | None:
        if self.spec.tiles is None or self.manifest.features is not None:
            return None
        from alvision.data.tile_sizes import mixed  # needs Pillow

        return mixed(self.manifest.paths, self.spec)

    @cached_property
    def _split_and_changes(self) -> tuple[Split, tuple[str, ...]]:
        manifest, known = self.manifest, self.recorded_parts
        # Nothing is hashed before the first image of new data is shown; later the memo is quick.
        hashes = self.hashes if known.contents else {}
        split = audit_split(
            manifest, self.groups, hashes, share=self.config.audit.share, known=known
        )
        return split, changes(manifest, hashes, known, split)

    def _torn(self) -> tuple[str, ...]:
        """Say which groups the data's own split tears; figures of such a split are flattered."""
        torn = straddling(self.groups, self.manifest.splits)
        if not torn:
            return ()
        rows = zip(self.groups, self.manifest.splits, strict=True)
        tests = sum(split == "test" and group in torn for group, split in rows)
        one, other = (self.manifest.ids[row] for row in next(iter(torn.values())))
        return (
            f"the data's own split puts exact copies or images of one group on both "
            f"sides, so the test rewards recognising the part: {tests} of "
            f"{self.manifest.splits.count('test')} test images (first {other!r} with {one!r}); "
            "mend the split, or leave it out with data.split_column=null",
        )

    @property
    def evaluation_ids(self) -> tuple[SampleId, ...]:
        """Return the held-out images that each round is evaluated on.

        With people these are the monitor images only: the sealed ones are for the threshold.
        """
        return self.split.monitor if self.answered_by_people else self.split.held_out

    @property
    def audit_order(self) -> tuple[SampleId, ...]:
        """Return the order in which people are asked for held-out images; empty without people."""
        return audit_order(self.split) if self.answered_by_people else ()

    @cached_property
    def audit_file(self) -> Path:
        """Return the file beside people's labels that keeps the part of every group for ever."""
        with self.label_store() as store:
            place = labelled_place(self.config) or local_place(str(self.manifest.root))
            return audit_location(store.path, place)

    def keep_split(self) -> None:
        """Record the parts of groups, images and contents that are new, where people answer.

        One model's held-out images are then never another's training data.
        """
        if not self.answered_by_people:
            return
        parts = self.recorded_parts.with_parts(self.manifest, self.hashes, self.split.parts).rows()
        if parts != read_audit(self.audit_file):
            write_audit(self.audit_file, parts)

    def label_store(self) -> LabelStore:
        """Open the store of this data set's labels; the caller closes it."""
        return open_label_store(self.config)

    @cached_property
    def recorded_parts(self) -> RecordedParts:
        """Return what `audit_file` says of the parts of images and groups."""
        known = RecordedParts.from_rows(read_audit(self.audit_file))
        if not known.names_alone or not known.images:
            return known
        with self.label_store() as store:
            seen = [(event.id, event.sha256) for event in store.events() if event.sha256]
        return known.with_contents(seen)

    def _simulated_split(self) -> Split:
        from alvision.config.checks import BY_SEED, known_defects

        config, manifest = self.config, self.manifest
        fold = config.seed % FOLDS if config.data.fold == BY_SEED else config.data.fold
        share = config.audit.share
        split = simulated_split(manifest, self.groups, seed=config.seed, share=share, fold=fold)
        if config.data.defect_share is None:
            return split
        return thinned(
            split,
            manifest,
            config.defects or (),
            share=config.data.defect_share,
            known=known_defects(config),
            seed=config.seed,
        )


def open_label_store(config: RunConfig) -> LabelStore:
    """Open the label store of a configuration, without listing its images.

    People's labels are beside the data root, one store for all models. A simulated run keeps its
    own in the run's folder, because runs that shared one would learn from each other's labels.

    Raises:
        UserError: Nothing says where the labels are, or what is there is no label store.
    """
    shared = config.answered_by_people
    if config.labels.url:
        return LabelStore(config.labels.url, shared=shared)
    if not shared:
        return LabelStore(Path(str(config.out)) / "labels.db")
    place = labelled_place(config)
    if place is None:
        raise UserError("data.root= is missing: the folder whose labels are meant")
    if is_uri(config.data.root):
        make_local_place(str(config.data.root))
    return LabelStore(labels_location(place), shared=True)


def labelled_place(config: RunConfig) -> Path | None:
    """Return what people's labels are beside: the folder of the data, else its table.

    For data in storage it is a folder of this computer, which stands for the address.
    """
    found = config.data.root or config.data.file
    return None if found is None else local_place(found)


def audit_order(split: Split) -> tuple[str, ...]:
    """Shuffle the held-out images in one way for ever; monitor and seal alternate.

    They alternate so that both parts grow together, however early labelling ends.
    """
    monitor, seal = (
        sorted(ids, key=lambda id: derive(0, "audit", id)) for ids in (split.monitor, split.seal)
    )
    order = []
    for i in range(max(len(monitor), len(seal))):
        order += monitor[i : i + 1] + seal[i : i + 1]
    return tuple(order)


def _classes(config: RunConfig, manifest: Manifest) -> tuple[str, ...]:
    from alvision.config.checks import validate_classes

    found = sorted({name for name in manifest.truth if name is not None})
    if config.classes is None:
        if config.answered_by_people:
            raise UserError('classes= is missing: say what can be answered, "classes=[ok,worn]"')
        if not found:
            raise UserError(
                f"{manifest.root} says no image's class, so nothing can be simulated; give class "
                "folders or a label column, or let people answer (oracle=files)"
            )
        validate_classes(found, config.defects)
        return tuple(found)
    strange = [name for name in found if name not in config.classes]
    if strange and not config.answered_by_people:
        raise UserError(
            f"the data has the class {', '.join(map(repr, strange[:3]))}, which "
            f"classes={config.classes} does not name; add it, or mend the data"
        )
    return tuple(config.classes)
