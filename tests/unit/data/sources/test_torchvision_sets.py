"""Each data set is written here in its on-disk format, small, and read back."""

import struct

import numpy as np
import pytest
from PIL import Image

from alvision.config.schema import DataConfig
from alvision.core.errors import UserError
from alvision.data.manifest import build
from alvision.data.sources import torchvision_sets
from alvision.data.splits import simulated_split


def mnist(root, name="MNIST", count=6):
    """Write an MNIST of a few images as IDX files; return the images by part."""
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    images = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        images[part] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        head = struct.pack(">IIII", 0x803, count, 28, 28)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(head + images[part].tobytes())
        head, labels = struct.pack(">II", 0x801, count), bytes(i % 10 for i in range(count))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(head + labels)
    return images


def cifar(root, count=3):
    """Write a CIFAR-10 of a few images a file, in its binary version; return the images."""
    folder = root / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    names = [f"class{i}" for i in range(10)]
    names[1] = "automobile"
    (folder / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    rng = np.random.default_rng(0)
    written = {}
    for file in (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"):
        planes = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        records = [bytes([i]) + image.tobytes() for i, image in enumerate(planes)]
        (folder / file).write_bytes(b"".join(records))
        written[file] = planes
    return written


def of(root, dataset):
    return build(DataConfig(kind="torchvision", root=str(root), dataset=dataset))


@pytest.mark.parametrize("name", torchvision_sets.IDX_SETS)
def test_idx_files_become_images_with_their_own_test_part(tmp_path, name):
    images = mnist(tmp_path, name)
    manifest = of(tmp_path, name)
    assert len(manifest) == 12 and len(set(manifest.truth)) == 6
    for split, part in images.items():
        for number in (0, 5):
            row = manifest.row(f"{split}/{number:05d}.png")
            np.testing.assert_array_equal(np.asarray(Image.open(manifest.paths[row])), part[number])
            assert manifest.splits[row] == split
    groups = manifest.ids
    split = simulated_split(manifest, groups, seed=0, share=0.2, fold=None)
    assert set(split.pool) == {id for id in manifest.ids if id.startswith("train/")}


def test_cifar_is_read_from_its_binary_version(tmp_path):
    written = cifar(tmp_path)
    manifest = of(tmp_path, "CIFAR10")
    assert len(manifest) == 18
    row = manifest.row("train/00004.png")
    expected = written["data_batch_2.bin"][1].transpose(1, 2, 0)
    np.testing.assert_array_equal(np.asarray(Image.open(manifest.paths[row])), expected)
    assert manifest.truth[row] == "automobile"
    first = manifest.paths[row].stat().st_mtime_ns
    assert of(tmp_path, "CIFAR10").paths[row].stat().st_mtime_ns == first, "laid out once"


def test_an_unknown_set_names_the_known_ones(tmp_path):
    with pytest.raises(UserError, match=r"data\.dataset=CIFAR10 \| MNIST.* it is SVHN"):
        of(tmp_path, "SVHN")


def test_damaged_files_are_one_line(tmp_path):
    mnist(tmp_path)
    cifar(tmp_path)
    labels = tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1])
    batch = tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin"
    batch.write_bytes(batch.read_bytes()[:-1])
    for name in ("MNIST", "CIFAR10"):
        with pytest.raises(UserError, match=f"does not hold {name}") as caught:
            of(tmp_path, name)
        assert "\n" not in str(caught.value)


def test_what_cannot_be_fetched_says_what_to_put_where(tmp_path, monkeypatch):
    nobody = "http://127.0.0.1:9/"
    monkeypatch.setattr(torchvision_sets, "CIFAR10_ARCHIVE", f"{nobody}a.tar.gz")
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [nobody])
    for name, told in (("MNIST", "train-images-idx3-ubyte"), ("CIFAR10", "binary version")):
        with pytest.raises(UserError, match=f"{name} is not in .*cannot be fetched.*{told}") as no:
            of(tmp_path / "empty", name)
        assert "\n" not in str(no.value) and not (tmp_path / "empty").exists()


def test_the_pickled_version_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(torchvision_sets, "CIFAR10_ARCHIVE", "http://127.0.0.1:9/a.tar.gz")
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(b"cos\nsystem\n(S'touch opened'\ntR.")
    with pytest.raises(UserError, match="binary version"):
        of(tmp_path, "CIFAR10")
