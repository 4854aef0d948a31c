"""Which runs may be compared."""

import pytest

from alvision.core.errors import UserError
from alvision.study.mixed_runs import refuse_differences


def documents(folder, training):
    return {
        folder / f"seed-{seed}": {
            "fingerprint": {"model.training": training, "trainer.epochs": epochs},
            "classes": ["ok", "worn"],
        }
        for seed, epochs in enumerate((30, 12))
    }


def test_frozen_runs_begun_under_other_settings_of_finetuning_are_one_study(tmp_path):
    refuse_differences(tmp_path, documents(tmp_path, "frozen"), ignore=())


def test_finetuned_runs_are_not(tmp_path):
    with pytest.raises(UserError, match=r"trainer\.epochs is 30 in seed-0 and 12 in seed-1"):
        refuse_differences(tmp_path, documents(tmp_path, "finetune"), ignore=())
