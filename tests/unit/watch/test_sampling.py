"""The random sample of what passed."""

from scipy import stats

from alvision.watch.sampling import draw, most_telling, share_of


def test_the_audit_is_drawn_evenly_and_from_the_file_alone():
    drawn = [draw(f"{i}.png", f"{i:064x}") for i in range(2000)]
    assert stats.kstest(drawn, "uniform").pvalue > 0.001
    assert drawn == [draw(f"{i}.png", f"{i:064x}") for i in range(2000)]


def test_the_most_telling_share_covers_much_and_is_not_spoilt_by_a_few_images():
    assert most_telling({0.05: 4000, 0.5: 1000}, confidence=0.95) == 0.05
    assert most_telling({0.001: 10, 0.05: 4000}, confidence=0.95) == 0.05
    assert most_telling({0.001: 100_000, 0.05: 10}, confidence=0.95) == 0.001
    assert most_telling({0.0: 10}, confidence=0.95) == most_telling({}, confidence=0.95) == 0


def test_the_share_of_old_records_is_the_first_draw_that_was_not_taken():
    files = [(f"{i}.png", f"{i:064x}") for i in range(400)]
    share = share_of((name, sha256, draw(name, sha256) < 0.3) for name, sha256 in files)
    assert share == min(draw(*file) for file in files if draw(*file) >= 0.3)
