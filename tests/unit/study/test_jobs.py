import os
from collections import Counter
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.study.jobs import VARIABLE, dealt, device_names, run_all
from tests.unit.study import workers

JOBS = [("margin", seed) for seed in range(6)]


@given(st.lists(st.text("0123", min_size=1), min_size=1, unique=True), st.integers(1, 40))
def test_devices_are_shared_evenly_and_none_is_idle(devices, processes):
    given_to = Counter(dealt(devices, processes))
    assert given_to.total() == processes
    assert len(given_to) == min(len(devices), processes)
    assert max(given_to.values()) - min(given_to.values()) <= 1


@given(
    st.lists(st.integers(-1, 9), min_size=1, unique=True).map(lambda numbers: map(str, numbers))
    | st.lists(st.sampled_from(["GPU-8f6a", "GPU-91bc-77", "GPU-0d"]), min_size=1, unique=True),
    st.sampled_from([",", ", ", " ,"]),
)
def test_every_name_alone_means_what_it_means_in_the_list(listed, comma):
    """As torch reads the variable, of which CUDA takes what stands before a -1."""
    import torch

    with pytest.MonkeyPatch.context() as patch:

        def read(visible):
            patch.setenv(VARIABLE, visible)
            return torch.cuda._parse_visible_devices()

        visible = comma.join(listed)
        seen = read(visible)
        assert [read(name) for name in device_names(len(seen), visible)] == [[one] for one in seen]


@pytest.mark.parametrize("visible", [None, "", "-1", "0,1"])
def test_where_cuda_finds_no_device_there_is_no_name(visible):
    assert device_names(0, visible) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("visible", "count", "processes", "expected"),
    [
        (None, 2, 2, ["0", "1"]),
        ("3,GPU-8f6a", 2, 3, ["3", "3", "GPU-8f6a"]),
        ("2", 0, 2, ["2", "2"]),  # nothing to deal: all see what their parent sees
    ],
)
def test_a_process_keeps_its_device(tmp_path, monkeypatch, visible, count, processes, expected):
    monkeypatch.delenv(VARIABLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(VARIABLE, visible)
    launch = partial(workers.tell, tmp_path, processes)
    devices = device_names(count, visible)
    assert run_all(JOBS, launch, processes=processes, devices=devices) == {}
    assert len(list(tmp_path.iterdir())) == len(JOBS)
    told = {(p.name.partition("-")[0], p.read_text()) for p in tmp_path.iterdir()}
    assert sorted(device for _, device in told) == expected, "one a process, for all its jobs"
    assert os.environ.get(VARIABLE) == visible


@pytest.mark.slow
def test_one_job_at_a_time_sees_every_device(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    launch = partial(workers.tell, tmp_path, 1)
    assert run_all(JOBS, launch, processes=1, devices=["0", "1"]) == {}
    assert {path.read_text() for path in tmp_path.iterdir()} == {"all"}


@pytest.mark.gpu
def test_torch_finds_the_one_gpu_of_its_process(tmp_path):
    import torch

    count = torch.cuda.device_count()
    devices = device_names(count, os.environ.get(VARIABLE))
    jobs = [("margin", seed) for seed in range(2 * count)]
    launch = partial(workers.cuda, tmp_path)
    assert run_all(jobs, launch, processes=max(2, count), devices=devices) == {}
    ours = {str(torch.cuda.get_device_properties(number).uuid) for number in range(count)}
    told = {path.read_text() for path in tmp_path.iterdir()}
    assert told
    assert told <= {f"1 {uuid}" for uuid in ours}
