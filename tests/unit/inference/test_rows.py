import errno
import os

import pytest
import torch

from alvision.inference.rows import Rows


def filled(rows):
    torch.manual_seed(0)
    parts = [torch.randn(3, 2, 4).log_softmax(-1), torch.randn(2, 2, 4).log_softmax(-1)]
    for part in parts:
        rows.add(part)
    return torch.cat(parts)


def test_rows_stand_in_the_order_in_which_they_came():
    rows = Rows(9)
    assert rows.values is None
    expected = filled(rows)
    assert torch.equal(rows.values, expected) and rows.values.dtype == torch.float32


def test_a_map_holds_the_same_in_half_precision_and_leaves_no_file(tmp_path):
    rows = Rows(9, tmp_path / "maps")
    expected = filled(rows)
    assert rows.values.dtype == torch.float16 and rows.values.shape == (5, 2, 4)
    assert torch.equal(rows.values, expected.half())
    rows.values[0] = 1.0
    assert not list((tmp_path / "maps").iterdir()) or os.name == "nt"


def test_a_disk_that_is_too_small_is_told_before_a_row_is_written(tmp_path, monkeypatch):
    def full(handle, offset, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    rows = Rows(9, tmp_path)
    with pytest.raises(OSError, match="No space left"):
        filled(rows)
    assert rows.values is None and not list(tmp_path.iterdir())
