"""A pool in a real S3 server: moto's, in a process' thread on loopback."""

import io

import pytest

from alvision.cli import main
from tests.conftest import paint
from tests.support.parts import imported

pytestmark = pytest.mark.slow
SECRETS = ("KEY-OF-THE-TEST", "SECRET-OF-THE-TEST")
SMALL = ["data.image.size=32", "budget.initial=4", "budget.batch=4", "budget.rounds=1"]


@pytest.fixture(scope="module")
def endpoint():
    moto = imported("moto.server")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint, monkeypatch, tmp_path):
    """Make `s3://line` with 24 parts in class folders below `parts/`, and the same on disk."""
    boto3 = imported("boto3")
    imported("obstore")
    for name, value in {
        "AWS_ACCESS_KEY_ID": SECRETS[0],
        "AWS_SECRET_ACCESS_KEY": SECRETS[1],
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "XDG_DATA_HOME": str(tmp_path / "home"),
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="line")
    for seed in range(24):
        label = ("ok", "worn")[seed % 2]
        buffer = io.BytesIO()
        paint(seed, label).save(buffer, "PNG")
        file = tmp_path / "parts" / label / f"{seed}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(buffer.getvalue())
        client.put_object(Bucket="line", Key=f"parts/{label}/{seed}.png", Body=buffer.getvalue())
    yield client
    for one in client.list_objects_v2(Bucket="line").get("Contents", ()):
        client.delete_object(Bucket="line", Key=one["Key"])
    client.delete_bucket(Bucket="line")


def results(folder):
    names = ("query.csv", "answers.csv", "predictions.parquet", "metrics.json")
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.glob("rounds/*/*"))
        if path.name in names
    }


def test_a_run_on_a_bucket_is_the_run_on_the_folder_and_holds_no_credential(bucket, tmp_path):
    for root, out in (("s3://line/parts", "stored"), (tmp_path / "parts", "local")):
        words = [f"data.root={root}", f"out={tmp_path / out}", *SMALL]
        assert main(["run", "data=class_folders", *words]) == 0
    assert results(tmp_path / "stored") == results(tmp_path / "local")
    assert len(results(tmp_path / "stored")) == 8
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not any(secret.encode() in path.read_bytes() for secret in SECRETS), path


def test_no_such_bucket_is_one_line(bucket, capfd):
    assert main(["check", "data.root=s3://none/parts"]) == 2
    said = capfd.readouterr().err.strip()
    assert "s3://none: there is no such bucket" in said
    assert len(said.splitlines()) == 1


def test_a_manifest_is_checked_by_a_stated_sample_and_an_object_that_changed_is_named(
    bucket, tmp_path, capfd, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["manifest", "root=s3://line/parts", "to=pool.parquet"]) == 0
    assert "24 images listed" in capfd.readouterr().out
    words = ["data=manifest", "data.file=pool.parquet", "data.image.size=32"]
    assert main(["check", *words, "images=20"]) == 0
    assert "a sample: 20 of 24 images" in capfd.readouterr().out
    bucket.put_object(Bucket="line", Key="parts/ok/0.png", Body=b"another")
    assert main(["run", *words, f"out={tmp_path / 'run'}", *SMALL[1:]]) == 2
    said = capfd.readouterr().err.strip().splitlines()[-1]
    assert "s3://line/parts/ok/0.png has changed since it was listed" in said
    assert main(["manifest", "root=s3://line/parts", "to=pool.parquet"]) == 0
    assert main(["run", *words, f"out={tmp_path / 'run'}", *SMALL[1:]]) == 0


def test_a_line_takes_its_images_from_a_bucket_and_judges_each_once(
    bucket, tmp_path, small_bundle, capsys
):
    for seed in range(8):
        key = f"inbox/{seed}.png"
        file = tmp_path / "parts" / ("ok", "worn")[seed % 2] / f"{seed}.png"
        bucket.put_object(Bucket="line", Key=key, Body=file.read_bytes())
    to = tmp_path / "line"
    words = ["watch", f"bundle={small_bundle}", "images=s3://line/inbox", f"to={to}", "once=true"]
    assert main(words) == 0
    assert not bucket.list_objects_v2(Bucket="line", Prefix="inbox/").get("Contents")
    files = [path for path in to.rglob("*.png") if path.relative_to(to).parts[0] != "queue"]
    assert sorted(path.name for path in files) == [f"{seed}.png" for seed in range(8)]
    parts = {path.name: path.read_bytes() for path in (tmp_path / "parts").rglob("*.png")}
    assert all(path.read_bytes() == parts[path.name] for path in files)
    capsys.readouterr()
    assert main(words) == 0
    assert "8 images" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "run", "label", "manifest", "predict", "watch"])
def test_an_address_with_credentials_is_refused_and_stands_nowhere(
    command, tmp_path, capfd, monkeypatch, small_bundle
):
    monkeypatch.chdir(tmp_path)
    address = "s3://KEY:SECRET-OF-THE-TEST@line/parts"
    key = {"manifest": "root", "predict": "images", "watch": "images"}.get(command, "data.root")
    more = [f"bundle={small_bundle}"] if key == "images" else []
    more += ["to=line"] if command == "watch" else []
    assert main([command, f"{key}={address}", *more]) == 2
    said = "".join(capfd.readouterr())
    assert "credentials" in said and "SECRET" not in said
    assert not any(b"SECRET" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
