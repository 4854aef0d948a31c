import shutil

from alvision.config.compose import compose
from alvision.deploy.train.labelled_data import import_truth, load_labelled


def test_copies_of_a_file_are_one_monitor_image(parts, tmp_path):
    for path in sorted(parts.rglob("*.png"))[::2]:
        shutil.copy(path, path.with_name(f"{path.stem}_copy.png"))
    config = compose([f"data.root={parts}", f"out={tmp_path / 'run'}", "audit.share=0.5"]).config
    import_truth(config)
    labelled = load_labelled(config)
    hashes = [labelled.data.hashes[id] for id in labelled.monitor]
    assert len(hashes) == len(set(hashes)) < len(labelled.split.monitor)
    assert set(hashes) == {labelled.data.hashes[id] for id in labelled.split.monitor}
