import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from alvision.config.schema import DataConfig
from alvision.data.checks import check
from alvision.data.checks.near import LEAST_CORRELATION
from alvision.data.checks.scan import scan_images
from alvision.data.hashes import content_hashes
from alvision.data.images import ImageSpec
from alvision.data.manifest import build
from tests.conftest import paint

SPEC = ImageSpec(32)


def look(manifest, **options):
    return check(manifest, content_hashes(manifest), options.pop("spec", SPEC), **options)


def listed(root, kind="class_folders", **options):
    return build(DataConfig(kind=kind, root=str(root), **options))


def titled(result, words):
    return next(finding for finding in result.findings if words in finding.title)


def titles(result, severity):
    return [finding.title for finding in result.of(severity)]


def with_splits(manifest, **splits):
    return replace(
        manifest, splits=tuple(splits.get(id.replace("/", "_")[:-4]) for id in manifest.ids)
    )


def test_a_clean_data_set_raises_no_alarm(parts):
    result = look(listed(parts), classes=["ok", "worn"])
    assert titles(result, "error") == titles(result, "warning") == []
    assert result.verdict == "nothing prevents labelling"
    assert {"every file can be read", "no exact duplicates", "no near duplicates"} <= set(
        result.passed
    )
    assert "no shortcut in format, mode, size, camera or date" in result.passed


def test_unreadable_files_are_named_with_the_reason(parts):
    (parts / "ok" / "000.png").write_bytes(b"")
    result = look(listed(parts))
    finding = titled(result, "cannot be read")
    assert finding.severity == "warning" and finding.table.rows == (
        ("ok/000.png", "file is empty"),
    )
    assert (result.images, result.readable, list(result.unreadable)) == (36, 35, ["ok/000.png"])


def test_nothing_readable_is_an_error_not_a_crash(parts):
    for file in parts.rglob("*.png"):
        file.write_bytes(b"no picture")
    result = look(listed(parts))
    assert titled(result, "No image can be read").severity == "error"
    assert result.hours == 0 and any("no image can be read" in why for why in result.skipped)


def test_sizes_and_modes_that_differ(parts):
    paint(1, "ok", 200).save(parts / "ok" / "large.png")
    paint(2, "ok").convert("L").save(parts / "ok" / "grey.png")
    result = look(listed(parts))
    assert titled(result, "unusual size").ids == ("ok/large.png",)
    assert titled(result, "mixed").ids == ("ok/grey.png",)


def test_a_strong_resize_is_warned_of(parts):
    paint(1, "ok", 300).save(parts / "ok" / "large.png")
    finding = titled(look(listed(parts)), "shrinks")
    assert finding.title == "The resize shrinks 1 image more than 8 times"
    assert finding.examples[0].caption == "9.4 times smaller"


def test_proportions_that_the_frame_distorts_or_cuts_are_warned_of(parts):
    for name in "ab":
        paint(1, "ok", 128).resize((128, 32)).save(parts / "ok" / f"strip {name}.png")
    manifest = listed(parts)
    finding = titled(look(manifest, spec=ImageSpec(64)), "stretched more than twice")
    assert set(finding.ids) == {"ok/strip a.png", "ok/strip b.png"}
    assert finding.examples[0].caption == "stretched 4.0 times"
    assert "data.image.size=[32,128] fits 2 of them" in finding.advice
    finding = titled(look(manifest, spec=ImageSpec(64, fit="crop")), "cut by more than a quarter")
    assert finding.examples[0].caption == "75 % of it is not seen"
    whole = look(manifest, spec=ImageSpec(64, fit="letterbox"))
    assert "pictures have the proportions of the network's frame" in whole.passed


def test_the_bars_of_a_letterbox_make_no_strips_alike(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "ok").mkdir()
    for number in range(8):
        values = rng.integers(190, 215, (2, 6)).astype(np.uint8)
        strip = Image.fromarray(values).resize((256, 32), Image.Resampling.BICUBIC)
        strip.save(tmp_path / "ok" / f"{number}.png")
    vectors = scan_images(listed(tmp_path, "folder"), ImageSpec(64, fit="letterbox")).vectors
    assert np.triu(vectors @ vectors.T, 1).max() < LEAST_CORRELATION


def test_exact_copies_are_counted_and_a_contradiction_is_an_error(parts):
    picture = (parts / "ok" / "000.png").read_bytes()
    (parts / "ok" / "copy.png").write_bytes(picture)
    result = look(listed(parts))
    assert titled(result, "1 exact copy").ids == ("ok/000.png", "ok/copy.png")
    assert titles(result, "error") == []
    (parts / "worn" / "copy.png").write_bytes(picture)
    result = look(listed(parts))
    assert titled(result, "more than one class").ids == ("ok/000.png", "worn/copy.png")
    assert result.hours == pytest.approx(36 * 3 / 3600)


def scenes(root, count=30):
    """Smooth pictures, as cameras take them: re-encoding changes little in them."""
    rng = np.random.default_rng(0)
    root.mkdir()
    for i in range(count):
        rough = Image.fromarray(rng.integers(0, 255, (12, 12), dtype=np.uint8))
        rough.resize((96, 96), Image.Resampling.BICUBIC).save(root / f"{i:02d}.png")


def test_near_copies_are_found_and_others_are_not(tmp_path):
    root = tmp_path / "scenes"
    scenes(root)
    with Image.open(root / "03.png") as picture:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=60)
        ImageEnhance.Brightness(picture.resize((64, 64))).enhance(1.1).save(root / "bright.png")
    (root / "again.jpg").write_bytes(file.getvalue())
    manifest = listed(root, kind="folder")
    finding = titled(look(manifest), "near duplicate")
    assert finding.title == "3 images have a near duplicate" and finding.severity == "warning"
    assert "data.group_by" in finding.advice and finding.ids == ("03.png", "again.jpg")

    def grouped(names):
        return look(replace(manifest, groups=tuple(names.get(i, "rest") for i in manifest.ids)))

    trio = dict.fromkeys(["03.png", "again.jpg", "bright.png"], "one")
    assert titled(grouped(trio), "near duplicate").severity == "note"
    torn = titled(grouped({**trio, "again.jpg": "two"}), "different groups")
    assert torn.severity == "warning" and "again.jpg" in torn.ids


def test_groups_and_copies_that_straddle_a_split(parts):
    (parts / "ok" / "copy.png").write_bytes((parts / "ok" / "000.png").read_bytes())
    manifest = with_splits(listed(parts), ok_000="train", ok_copy="test")
    finding = titled(look(manifest), "both sides")
    assert finding.severity == "error" and finding.ids == ("ok/000.png", "ok/copy.png")
    sound = with_splits(listed(parts), ok_001="train", ok_002="test")
    assert "no group straddles the given split" in look(sound).passed


def test_classes_are_held_against_the_configuration(parts):
    result = look(listed(parts), classes=["ok", "torn"])
    assert titled(result, "does not name").severity == "error"
    assert "worn" in titled(result, "does not name").detail
    assert "torn" in titled(result, "without an image").detail
    for file in sorted((parts / "worn").iterdir())[4:]:
        file.unlink()
    assert "worn (4)" in titled(look(listed(parts)), "fewer than 10 images").detail


def test_a_file_format_that_follows_the_class_is_a_shortcut(parts):
    for file in sorted((parts / "worn").iterdir())[:10]:
        with Image.open(file) as picture:
            picture.save(file.with_suffix(".jpg"), quality=95)
        file.unlink()
    finding = titled(look(listed(parts)), "file format alone gives away worn")
    assert finding.severity == "warning" and finding.table.rows[0][:4] == (
        "worn", "JPEG", "83 %", "0 %",
    )  # fmt: skip
    assert finding.ids[0] == "worn/000.jpg"


def test_a_camera_or_a_day_that_follows_the_class_is_a_shortcut(parts):
    for file in parts.rglob("*.png"):
        exif = Image.Exif()
        worn = file.parent.name == "worn"
        exif[0x010F], exif[0x0110] = "Maker", "B2" if worn else "A1"
        exif[0x0132] = f"2026:03:0{2 if worn else 1} 10:00:00"
        with Image.open(file) as picture:
            picture.load()
        picture.save(file, exif=exif)
    found = titles(look(listed(parts)), "warning")
    assert "The camera alone gives away worn" in found
    assert "The date of capture alone gives away worn" in found


def bursts(root, parts_count=16, photographs=6):
    rng = np.random.default_rng(3)
    for part in range(parts_count):
        label = "worn" if part % 2 else "ok"
        (root / label).mkdir(parents=True, exist_ok=True)
        body = rng.integers(40, 215, (8, 8))
        for i in range(photographs):
            noisy = np.clip(body + rng.normal(0, 30, (8, 8)), 0, 255).astype(np.uint8)
            picture = Image.fromarray(noisy).resize((32, 32), Image.Resampling.NEAREST)
            picture.save(root / label / f"part{part:02d}_{i}.png")


def test_the_leak_test_speaks_with_and_without_groups(tmp_path):
    bursts(tmp_path / "bursts")
    named = listed(tmp_path / "bursts", group_by="pattern", group_pattern=r"part\d+")
    kept = titled(look(named), "random split would flatter")
    assert kept.severity == "note" and "16 groups" in kept.detail
    unnamed = titled(look(listed(tmp_path / "bursts")), "Neighbouring files look alike")
    assert unnamed.severity == "warning" and "data.group_by" in unnamed.advice


def test_without_truth_the_rest_is_still_looked_at(parts):
    manifest = listed(parts)
    blank = replace(manifest, truth=(None,) * len(manifest))
    result = look(blank)
    assert result.verdict == "nothing prevents labelling"
    assert sum("no class is known yet" in why for why in result.skipped) == 3
    assert "no exact duplicates" in result.passed


def test_embeddings_are_looked_at_without_pictures(parts):
    features = np.random.default_rng(0).normal(size=(36, 64)).astype(np.float32)
    features[1] = features[0]
    features[3] = features[2] + 0.001
    result = look(replace(listed(parts), features=features))
    assert titled(result, "1 exact copy").ids == ("ok/000.png", "ok/001.png")
    assert titled(result, "2 images have a near duplicate").ids == ("ok/002.png", "ok/003.png")
    assert sum("embeddings have no image files" in why for why in result.skipped) == 6


def test_hours_follow_from_the_seconds(parts):
    result = look(listed(parts), seconds_per_label=100)
    assert result.hours == pytest.approx(1.0)
    assert titled(result, "Labelling everything takes 1.0 hours").severity == "note"


def test_progress_is_told_and_the_order_is_the_gravest_first(parts):
    told = []
    (parts / "ok" / "000.png").write_bytes(b"")
    result = look(listed(parts), classes=["ok"], progress=lambda *now: told.append(now))
    assert told[-1] == (36, 36)
    assert [f.severity for f in result.findings] == sorted(
        (f.severity for f in result.findings), key=["error", "warning", "note"].index
    )


def test_classes_of_held_out_images_are_doubted_nowhere(parts):
    twin = Image.open(parts / "ok" / "001.png")
    ImageEnhance.Brightness(twin).enhance(1.1).save(parts / "worn" / "twin.png")
    manifest = listed(parts)
    assert "of another class" in titled(look(manifest), "near duplicate").detail

    result = look(manifest, held_out={"worn/twin.png", *manifest.ids[:9:3]})
    assert titled(result, "held-out images are left out").title.startswith("The classes of 4 ")
    assert "of another class" not in titled(result, "near duplicate").detail
    counted = next(finding for finding in result.findings if "the smallest" in finding.title)
    assert counted.table.rows == (("ok", "21", "64 %"), ("worn", "12", "36 %"))
    assert counted.detail == ""  # their classes are known, and kept back
