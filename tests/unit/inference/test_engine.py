import pytest
import torch

from alvision.config.schema import TrainerConfig
from alvision.core.errors import UserError
from alvision.inference import engine

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(("has", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_processor_runs_bf16_only_where_it_has_it(monkeypatch, has, precision):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    assert engine.resolve_precision("auto", CPU) == precision


@pytest.mark.parametrize(("has", "precision"), [(True, "bf16-mixed"), (False, "16-mixed")])
def test_a_gpu_runs_bf16_where_it_has_it(monkeypatch, has, precision):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has)
    assert engine.resolve_precision("auto", CUDA) == precision


def test_auto_takes_the_gpu_if_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert engine.resolve_device("auto") == engine.resolve_device("gpu") == CUDA
    assert engine.resolve_device("cpu") == CPU


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"accelerator": "gpu"}, "no CUDA device"),
        ({"accelerator": "tpu"}, "trainer.accelerator=tpu"),
        ({"devices": 2}, "trainer.devices=2 needs trainer.strategy=ddp"),
        ({"devices": 0}, "trainer.devices=0"),
        ({"batch_size": 0}, "trainer.batch_size=0"),
        ({"num_workers": -1}, "trainer.num_workers=-1"),
        ({"precision": "8"}, "trainer.precision=8"),
        ({"precision": "16-mixed"}, "needs a GPU"),
    ],
)
def test_what_is_not_to_be_had_is_named(monkeypatch, changes, named):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=named):
        engine.choose(TrainerConfig(**changes))


def test_an_engine_that_is_not_to_be_had_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(engine, "_has_compiler", lambda: False)
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    for kind, named in (
        ("jit", "choose eager"),
        ("compile", r"apt install g\+\+"),
        ("openvino", r"pip install alvision\[openvino\]"),
    ):
        with pytest.raises(UserError, match=f"model.engine={kind}.*{named}"):
            engine.choose(TrainerConfig(), kind)
    with pytest.raises(UserError, match=r"trainer\.accelerator=cpu"):
        engine.check_kind("openvino", CUDA)


def test_no_more_batches_are_in_the_making_than_there_are_cores():
    with engine.threads(1):
        assert engine.Engine(CPU, "32-true", workers=8).streams == 1
        assert engine.Engine(CUDA, "32-true", workers=8).streams == 8


def test_autocast_follows_the_precision():
    for precision, dtype in (("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)):
        with engine.Engine(CPU, precision).autocast:
            assert (torch.ones(1, 1) @ torch.ones(1, 1)).dtype == dtype


def test_threads_are_given_back_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), engine.threads(1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


def test_few_images_run_together_on_a_processor_and_the_cache_knows_how_many():
    def made(device, size, kind="eager"):
        return engine.Engine(device, "32-true", size, kind=kind)

    assert made(CPU, 32).rows == made(CPU, 64).rows == 4 and made(CPU, 2).rows == 2
    assert made(CUDA, 32).rows == made(CPU, 32, "openvino").rows == 32
    assert made(CPU, 32).key == made(CPU, 64).key != made(CPU, 2).key
