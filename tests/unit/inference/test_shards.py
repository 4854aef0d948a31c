import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.inference.shards import RECORD, record, results, scanned, shards, write


@given(total=st.integers(0, 50), rows=st.integers(1, 20))
def test_shards_hold_every_row_once_and_have_names_in_their_order(total, rows):
    found = shards(total, rows, ["k"])
    assert [row for one in found for row in range(one.start, one.stop)] == list(range(total))
    assert sorted(one.name for one in found) == [one.name for one in found]


def test_a_name_changes_with_the_manifest_the_model_and_the_range():
    names = {
        one.name.rsplit("-", 1)[-1]
        for key in (["a"], ["b"], ["a", {"size": 3}])
        for rows in (2, 3)
        for one in shards(5, rows, key)
    }
    assert len(names) == 3 * 5  # three keys, three shards of two rows and two of three
    assert shards(5, 2, ["a"]) == shards(5, 2, ["a"])


def table(value):
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": [value], "more": [1]}), buffer)
    return buffer.getvalue()


def test_of_two_attempts_one_counts_and_a_late_one_changes_nothing(tmp_path):
    first, second = shards(2, 1, ["k"])
    write(tmp_path, f"{first.name}.b.parquet", table("b"))
    write(tmp_path, f"{first.name}.c.parquet", table("c"))
    (tmp_path / f".{first.name}.a.parquet.part").write_bytes(b"half")
    with pytest.raises(UserError, match="1 shards of"):
        record(tmp_path, [first, second])
    with pytest.raises(UserError, match="no finished scan"):
        next(scanned(tmp_path))
    write(tmp_path, f"{second.name}.z.parquet", table("z"))
    record(tmp_path, [first, second])
    write(tmp_path, f"{first.name}.a.parquet", table("a"))
    assert [one["id"].to_pylist() for one in scanned(str(tmp_path), ["id"])] == [["b"], ["z"]]
    assert results(tmp_path)[first.name] == f"{first.name}.a.parquet"
    assert len(json.loads((tmp_path / RECORD).read_text())["shards"]) == 2
