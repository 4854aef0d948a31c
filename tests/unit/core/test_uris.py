import pytest

from alvision.core.errors import UserError
from alvision.core.uris import is_uri, local_place, make_local_place, parts, tidied


@pytest.mark.parametrize("text", ["s3://b", "gs://b/x", "az://c/x", "https://host/a b", "ftp://x"])
def test_an_address_is_told_from_a_path(text):
    assert is_uri(text)


@pytest.mark.parametrize("text", ["photos", "/data/s3:/x", "C:\\photos", "a://"[:1], "", None])
def test_a_path_is_no_address(text):
    assert not is_uri(text)


def test_slashes_at_the_end_make_no_other_pool():
    assert tidied("s3://bucket/line 3//") == tidied("s3://bucket/line 3") == "s3://bucket/line 3"
    assert parts("s3://bucket") == ("s3", "bucket", "")
    assert local_place("s3://bucket/a/") == local_place("s3://bucket/a")
    assert local_place("s3://bucket/a") != local_place("s3://other/a")


@pytest.mark.parametrize(
    "text", ["s3://KEY:SECRET@bucket/x", "https://host/a.png?X-Amz-Signature=SECRET"]
)
def test_credentials_in_an_address_are_refused_and_not_repeated(text):
    with pytest.raises(UserError, match="credentials") as refusal:
        parts(text)
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize("text", ["ftp://host/x", "http://host/x", "s3:///x"])
def test_an_unknown_scheme_or_no_bucket_is_refused(text):
    with pytest.raises(UserError, match="no address"):
        parts(text)


def test_the_place_of_an_address_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    make_local_place("s3://bucket/line 3/")
    folder = local_place("s3://bucket/line 3")
    assert folder.is_relative_to(tmp_path)
    assert (folder / "root.txt").read_text() == "s3://bucket/line 3\n"
