"""The files of an audit of the unlabelled images."""

import pytest

from alvision.core.errors import UserError
from alvision.evaluation.draws import Draw
from alvision.run_folder.pool_audit import DRAWS, read_draws, read_rates, write_draws, write_rates


def test_draws_are_read_back_as_they_were_written(tmp_path):
    drawn = [Draw("a,b.png", 1 / 3, 0.1 + 0.2), Draw("ü.png", 0.007, 1e-9)]
    assert read_draws(tmp_path) == []
    write_draws(tmp_path, drawn)
    assert read_draws(tmp_path) == drawn


@pytest.mark.parametrize("text", ["id,propensity\na,0.5\n", "id,propensity,least\na,half,0.1\n"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, text):
    (tmp_path / DRAWS).write_text(text)
    with pytest.raises(UserError, match="delete it to draw anew"):
        read_draws(tmp_path)


def test_the_rates_are_those_of_the_last_model(tmp_path):
    write_rates(tmp_path / "rounds" / "001", 900, {"error": {"rate": 0.1}})
    assert read_rates(tmp_path, 2) == {"images": 900, "error": {"rate": 0.1}}
    assert read_rates(tmp_path, 1) is None and read_rates(tmp_path, 3) is None
