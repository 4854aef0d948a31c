import json
import subprocess
import sys

import pytest

from alvision.core.errors import UserError
from alvision.deploy.threshold.look_log import (
    SealUse,
    plan_use,
    read,
    read_all,
    scored_as_good,
    write,
)

SEAL = {f"{i}.png": f"lot {i // 2}" for i in range(8)}  # four lots
GOOD = {f"good {i}.png": f"good lot {i}" for i in range(4)}


def ask(earlier, model="m", question="q", defects=SEAL, good=GOOD, least=2):
    return plan_use(
        earlier,
        model=model,
        question=question,
        defects=defects,
        good=good,
        doubt=0.08,
        enough=lambda contents: len({defects[content] for content in contents}) >= least,
    )


def in_lots(*lots):
    return {f"{lot}, again.png": lot for lot in lots}


def test_the_first_use_scores_everything_for_the_whole_doubt():
    first = ask([])
    assert first.defects == SEAL and first.good == GOOD and first.doubt == 0.08


def test_the_same_question_again_is_no_further_use():
    first = ask([])
    assert ask([first]) == first
    second = ask([first], model="n")
    assert ask([first, second]) == first and ask([first, second], model="n") == second
    assert ask([first], good=GOOD | {"late.png": "good lot 9"}) == first


@pytest.mark.parametrize(
    "defects",
    [
        SEAL | {"good 1.png": "good lot 1"},
        SEAL | {"new.png": "lot 9"},
        {name: lot for name, lot in SEAL.items() if name != "0.png"},
        SEAL | {"0.png": "lot 9"},
    ],
    ids=["corrected", "added", "taken away", "moved to another lot"],
)
def test_other_defects_are_a_further_use(defects):
    again = ask([ask([])], defects=defects)
    assert again.defects == defects and again.doubt == 0.04


@pytest.mark.parametrize("other", [{"model": "n"}, {"question": "r"}])
def test_every_further_use_halves_the_doubt(other):
    uses = [ask([])]
    for doubt in (0.04, 0.02, 0.01):
        uses.append(ask(uses, **{k: v + str(doubt) for k, v in other.items()}))
        assert uses[-1].doubt == doubt and uses[-1].defects == SEAL
    assert sum(use.doubt for use in uses[1:]) < uses[0].doubt


def test_enough_defects_of_new_lots_are_as_good_as_a_new_seal():
    first = ask([])
    one_lot = SEAL | {"a.png": "lot 8", "b.png": "lot 8"}
    assert ask([first], model="n", defects=one_lot).doubt == 0.04
    two_lots = one_lot | {"c.png": "lot 9"}
    fresh = ask([first], model="n", defects=two_lots)
    assert fresh.doubt == 0.08 and set(fresh.defects) == {"a.png", "b.png", "c.png"}
    assert ask([first, fresh], model="n", defects=two_lots) == fresh


def test_more_photographs_of_lots_that_were_scored_are_not_new():
    uses, defects = [ask([])], dict(SEAL)
    for number in range(1, 6):
        defects |= {f"{lot}, {number}.png": lot for lot in SEAL.values()}
        uses.append(ask(uses, model=f"n{number}", defects=defects))
    assert [use.doubt for use in uses] == [0.08 / 2**k for k in range(6)]


def test_lots_are_not_new_where_only_good_parts_were_scored_or_the_lot_has_another_name_now():
    first = ask([])
    of_good_lots = SEAL | in_lots("good lot 0", "good lot 1", "good lot 2")
    assert ask([first], model="n", defects=of_good_lots).doubt == 0.04
    renamed = {name: f"re-{lot}" for name, lot in SEAL.items()} | in_lots("re-lot 0", "re-lot 1")
    assert ask([first], model="n", defects=renamed).doubt == 0.04


def test_defects_that_were_scored_as_good_are_known():
    assert scored_as_good([ask([])]) == set(GOOD) and scored_as_good([]) == set()


def test_uses_are_kept(tmp_path):
    path = tmp_path / "beside" / "seal_readings.jsonl"
    assert read(path) == []
    uses = [ask([]), ask([ask([])], model="größer")]
    write(path, uses)
    assert read(path) == uses and [use.good for use in read(path)] == [GOOD, GOOD]


def test_several_logs_are_read_as_one(tmp_path):
    first = ask([])
    second = ask([first], model="n")
    write(tmp_path / "shared", [first, second])
    write(tmp_path / "own", [second, ask([first, second], model="o")])
    paths = [tmp_path / name for name in ("shared", "own", "missing")]
    assert [use.model for use in read_all(paths)] == ["m", "n", "o"]


def test_a_log_of_before_leaves_nothing_new_until_a_use_has_scored_all(tmp_path):
    path = tmp_path / "seal_readings.jsonl"
    old = {"model": "m", "question": "q", "defects": sorted(SEAL), "doubt": 0.08}
    path.write_text(json.dumps(old) + "\n", encoding="utf-8")
    uses = read(path)
    assert uses == [SealUse("m", "q", dict.fromkeys(sorted(SEAL)), 0.08)]
    grown = SEAL | in_lots("lot 8", "lot 9")
    uses.append(ask(uses, defects=grown))
    assert uses[1].doubt == 0.04 and uses[1].defects == grown
    grown |= in_lots("lot 10", "lot 11")
    assert ask(uses, model="n", defects=grown).defects == in_lots("lot 10", "lot 11")
    write(path, uses)
    assert read(path) == uses and json.loads(path.read_text().splitlines()[0]) == old


def test_uses_of_several_processes_at_once_are_all_kept(tmp_path):
    path = tmp_path / "beside" / "seal_readings.jsonl"
    script = """
import sys, time
from pathlib import Path
from alvision.deploy.threshold.look_log import locked, plan_use, read, write
path = Path(sys.argv[1])
for number in range(3):
    with locked(path):
        earlier = read(path)
        use = plan_use(earlier, model=f"{sys.argv[2]}-{number}", question="q", defects={"a": "b"},
                       good={}, doubt=0.05, enough=bool)
        time.sleep(0.01)
        write(path, [*earlier, use])
"""
    commands = [[sys.executable, "-c", script, str(path), name] for name in "abc"]
    running = [subprocess.Popen(command) for command in commands]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    uses = read(path)
    assert {use.model for use in uses} == {f"{name}-{n}" for name in "abc" for n in range(3)}
    assert [use.doubt for use in uses] == [0.05 / 2**k for k in range(9)]


@pytest.mark.parametrize("line", ['{"model": "m"', '{"model": "m"}', "[]", '"m"'])
def test_a_damaged_file_is_refused(tmp_path, line):
    path = tmp_path / "seal_readings.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(UserError, match="how often the sealed images were used"):
        read(path)
