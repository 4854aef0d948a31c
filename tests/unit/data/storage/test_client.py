import traceback

import pytest

from alvision.core.errors import UserError
from alvision.data.storage import client
from alvision.data.storage.client import ChangedObject, head, page, read


def test_an_object_is_read_whole_in_part_and_by_its_etag(store):
    store.objects["line 3/é #+%.png"] = b"0123456789"
    uri = "s3://pool/line 3/é #+%.png"
    listed = page("s3://pool/line 3")
    assert [(one.key, one.size) for one in listed] == [("line 3/é #+%.png", 10)]
    assert head(uri) == listed[0]
    assert read(uri, listed[0].etag) == b"0123456789"
    assert read(uri, span=(2, 5)) == b"234"


def test_a_server_that_asks_to_slow_down_and_a_truncated_object_cost_a_retry(store):
    store.objects["a"] = bytes(range(256)) * 100
    store.trouble = lambda number, key: {1: "503", 2: "503", 3: "cut"}.get(number)
    assert read("s3://pool/a") == store.objects["a"]
    assert len(store.asked) == 4


def test_an_object_that_changed_is_refused(store):
    store.objects["a"] = b"old"
    etag = head("s3://pool/a").etag
    store.objects["a"] = b"new"
    with pytest.raises(ChangedObject, match="s3://pool/a has changed since it was listed"):
        read("s3://pool/a", etag)


def test_a_missing_object_is_a_missing_file(store):
    with pytest.raises(FileNotFoundError):
        read("s3://pool/none")


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ((404, "NoSuchBucket"), "no such bucket"),
        ((403, "InvalidAccessKeyId"), r"refuses the credentials .*InvalidAccessKeyId"),
        ((403, "SignatureDoesNotMatch"), "refuses the credentials"),
        ((400, "ExpiredToken"), "have expired"),
        ((501, "NotImplemented"), "does not answer as it should"),
    ],
)
@pytest.mark.parametrize("ask", [page, read])
def test_a_refusal_is_one_line_without_a_credential(store, monkeypatch, trouble, said, ask):
    monkeypatch.setattr(client, "RETRIES", 0)
    client._made.cache_clear()
    store.trouble = lambda number, key: trouble
    with pytest.raises(UserError, match=said) as refusal:
        ask("s3://pool/a")
    told = "".join(traceback.format_exception(refusal.value))
    assert "OF-THE-TEST" not in told
    assert "\n" not in str(refusal.value)


def test_without_credentials_nobody_is_asked(store, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(UserError, match="the environment has none: set AWS_ACCESS_KEY_ID"):
        page("s3://pool")
    assert not store.asked


def test_a_renewed_token_is_used_at_once(store, monkeypatch):
    store.objects["a"] = b"1"
    seen = client._store("s3://pool")
    assert client._store("s3://pool/x") is seen
    monkeypatch.setenv("AWS_SESSION_TOKEN", "renewed")
    assert client._store("s3://pool") is not seen
