import pytest

from alvision.core.errors import UserError
from alvision.deploy.threshold.look_log import plan_use, read, write

SEAL = {f"{i}.png": f"lot {i // 2}" for i in range(8)}  # four lots


def ask(earlier, model="m", question="q", defects=SEAL, enough=2):
    return plan_use(
        earlier, model=model, question=question, defects=defects, doubt=0.08, enough=enough
    )


def test_the_first_look_is_at_everything_for_the_whole_doubt():
    first = ask([])
    assert first.defects == tuple(sorted(SEAL)) and first.doubt == 0.08


def test_the_same_question_again_is_no_new_look():
    first = ask([])
    assert ask([first]) == first
    assert ask([first], defects=SEAL | {"new.png": "lot 9"}) == first


@pytest.mark.parametrize("other", [{"model": "n"}, {"question": "r"}])
def test_every_further_look_halves_the_doubt(other):
    looks = [ask([])]
    for doubt in (0.04, 0.02, 0.01):
        looks.append(ask(looks, **{k: v + str(doubt) for k, v in other.items()}))
        assert looks[-1].doubt == doubt
        assert looks[-1].defects == tuple(sorted(SEAL))
    assert sum(look.doubt for look in looks[1:]) < looks[0].doubt


def test_enough_new_defects_are_as_good_as_a_new_seal():
    first = ask([])
    one_lot = SEAL | {"a.png": "lot 8", "b.png": "lot 8"}
    assert ask([first], model="n", defects=one_lot).doubt == 0.04
    two_lots = one_lot | {"c.png": "lot 9"}
    fresh = ask([first], model="n", defects=two_lots)
    assert fresh.doubt == 0.08 and fresh.defects == ("a.png", "b.png", "c.png")


def test_looks_are_kept(tmp_path):
    path = tmp_path / "beside" / "seal_readings.jsonl"
    assert read(path) == []
    looks = [ask([]), ask([ask([])], model="größer")]
    write(path, looks)
    assert read(path) == looks


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "seal_readings.jsonl"
    path.write_text('{"model": "m"', encoding="utf-8")
    with pytest.raises(UserError, match="how often the sealed images were used"):
        read(path)
