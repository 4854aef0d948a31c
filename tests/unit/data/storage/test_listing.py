from hypothesis import given
from hypothesis import strategies as st

from alvision.data.storage import listing
from alvision.data.storage.client import StoredObject
from alvision.data.storage.listing import Rest, listed, step

NAMES = st.sampled_from(["a", "b", "a!", "a0", "é", "z"])
KEYS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=40, unique=True)


def bucket(keys, size):
    """Return what gives a page of `size` objects, in the order of S3."""

    def ask(uri, after):
        prefix = uri.removeprefix("s3://b").strip("/")
        below = [key for key in keys if not prefix or key.startswith(f"{prefix}/")]
        later = [key for key in below if after is None or key.encode() > after.encode()]
        return [StoredObject(key, 1, "e") for key in sorted(later, key=str.encode)[:size]]

    return ask


@given(keys=KEYS, size=st.integers(1, 5), prefix=st.sampled_from(["", "/a", "/a/b"]))
def test_every_object_below_a_prefix_is_listed_once(keys, size, prefix):
    listing.PAGE, before = size, listing.PAGE
    try:
        found = [
            one.key for objects, _ in listed([Rest(f"s3://b{prefix}")], bucket(keys, size))
            for one in objects
        ]  # fmt: skip
    finally:
        listing.PAGE = before
    below = [key for key in keys if not prefix or key.startswith(f"{prefix[1:]}/")]
    assert sorted(found) == sorted(below)


@given(keys=KEYS, size=st.integers(1, 5), stop=st.integers(0, 10))
def test_what_remains_gives_the_rest_and_nothing_twice(keys, size, stop):
    listing.PAGE, before = size, listing.PAGE
    found, remains = [], [Rest("s3://b")]
    try:
        for number, (objects, rest) in enumerate(listed(remains, bucket(keys, size))):
            found, remains = [*found, *objects], rest
            if number == stop:
                break
        for objects, _ in listed(remains, bucket(keys, size)):
            found += objects
    finally:
        listing.PAGE = before
    assert sorted(one.key for one in found) == sorted(keys)


def test_azure_has_no_start_within_a_list_so_it_is_listed_in_one_go(monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 1)
    _, rest = step(Rest("az://b"), lambda uri, after: [StoredObject("a/1", 1, "e")])
    assert rest == [Rest("az://b", "a/1")]
