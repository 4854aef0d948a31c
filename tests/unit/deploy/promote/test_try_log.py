import numpy as np
import pytest

from alvision.core.errors import UserError
from alvision.deploy.promote.paired_test import excludes
from alvision.deploy.promote.try_log import Try, plan_try, read, write

LOTS = {f"{i}.png": f"lot {i // 2}" for i in range(8)}  # four lots


def ask(
    earlier, new="n", *, old="o", labels="", independent=False, images=LOTS, least=3, doubt=0.1
):
    return plan_try(
        earlier,
        new=new,
        old=old,
        labels=labels,
        independent=independent,
        images=images,
        doubt=doubt,
        enough=lambda contents: len({images[content] for content in contents}) >= least,
    )


def more(*lots, group=None):
    return {f"{lot} again.png": group or lot for lot in lots}


def test_the_same_models_on_the_same_images_are_the_same_try():
    first = ask([])
    assert first.images == LOTS and first.doubt == 0.1
    second = ask([first], new="m")
    assert second.doubt == 0.05
    assert ask([first, second]) == first and ask([first, second], new="m") == second


@pytest.mark.parametrize(
    "change",
    [
        {"old": "another line"},
        {"labels": "corrected"},
        {"independent": True},
        {"images": LOTS | {"late.png": "lot 9"}},
        {"images": LOTS | {"0.png": "lot 9"}},
        {"doubt": 0.2},
    ],
    ids=["line", "labels", "independent", "an image more", "another lot", "confidence"],
)
def test_whatever_else_changes_it_is_a_further_try(change):
    again = ask([ask([])], **change)
    assert again.doubt == change.get("doubt", 0.1) / 2
    assert again.images == change.get("images", LOTS)


def test_further_tries_together_stay_below_the_doubt():
    tries = []
    for number in range(12):
        tries.append(ask(tries, new=str(number)))
    assert tries[0].doubt == 0.1 and 0.099 < sum(one.doubt for one in tries[1:]) < 0.1


def test_only_lots_that_no_try_has_used_renew_the_monitor():
    first = ask([])
    alike = LOTS | more("lot 0", "lot 1", "lot 2", "lot 3")
    assert ask([first], new="m", images=alike).doubt == 0.05
    few = LOTS | more("lot 7", "lot 8")
    assert ask([first], new="m", images=few).doubt == 0.05
    fresh = more("lot 7", "lot 8", "lot 9")
    second = ask([first], new="m", images=LOTS | fresh)
    assert second.doubt == 0.1 and second.images == fresh
    assert ask([first, second], new="l", images=LOTS | fresh).doubt == 0.025


def test_a_lot_under_a_new_name_is_not_fresh():
    renamed = {name: f"moved {lot}" for name, lot in LOTS.items()}
    again = ask([ask([])], new="m", images=renamed | more(*"abc", group="moved lot 0"))
    assert again.doubt == 0.05


def test_it_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "promotions.jsonl"
    assert read(path) == []
    tries = [ask([]), Try("ü", "o", "", True, {"ß.png": "lot"}, 0.5)]
    write(path, tries)
    assert read(path) == tries
    path.write_text(path.read_text(encoding="utf-8")[:-9], encoding="utf-8")
    with pytest.raises(UserError, match="is damaged, so nobody knows how often"):
        read(path)


def allowed(n, margin, doubt):
    """Return the most worse images with which a model passes that is better nowhere, or -1."""
    worse = 0
    while excludes(worse, 0, n, margin, confidence=1 - doubt):
        worse += 1
    return worse - 1


def test_one_of_ten_models_that_are_worse_by_the_margin_rarely_passes():
    n, margin, doubt, deployments = 93, 0.05, 0.05, 20_000
    tries = []
    for number in range(10):
        tries.append(ask(tries, new=str(number), doubt=doubt))
    rng = np.random.default_rng(0)
    worse = rng.binomial(n, margin, size=(deployments, 10))
    uncharged = (worse <= allowed(n, margin, doubt)).any(axis=1).mean()
    passed = worse <= [allowed(n, margin, one.doubt) for one in tries]
    deviation = np.sqrt(2 * doubt / deployments)
    assert uncharged > 0.3, "without the log one of the ten gets through"
    assert passed[:, 0].mean() <= doubt + 3 * deviation
    assert passed[:, 1:].any(axis=1).mean() <= doubt + 3 * deviation
    assert passed.any(axis=1).mean() <= 2 * doubt
