import pytest

from alvision.study.jobs import TIME, mean_hours, timed


def test_a_run_that_went_through_has_a_time(tmp_path):
    folder = tmp_path / "run"
    with timed(folder):
        (folder / "rounds").mkdir(parents=True)
    assert mean_hours([folder, tmp_path / "other"]) >= 0


def test_a_run_that_was_resumed_or_failed_has_none(tmp_path):
    with pytest.raises(ValueError, match="full"), timed(tmp_path):
        raise ValueError("full")
    assert not (tmp_path / TIME).exists()
    (tmp_path / "rounds").mkdir()
    with timed(tmp_path):
        pass
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / TIME).write_text("[]")
    assert mean_hours([tmp_path, tmp_path / "damaged"]) is None
