"""Attacks: what the page does not give away and does not take."""

import io
import json
import struct
import uuid
import zlib

import pytest

from tests.conftest import paint

IDS = [f"worn/{i:02d}.png" for i in range(12)]
TOKEN = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    "path",
    [
        "/image/../../secret.txt",
        "/image/..%2f..%2fsecret.txt",
        "/image/%2e%2e/%2e%2e/secret.txt",
        "/image/..%5c..%5csecret.txt",
        "/image/%252e%252e%252fsecret.txt",
        "/image/worn/00.png",
        "/image/worn%2f00.png",
        "/image/" + "0" * 24,
        "/heatmap/..%2f..%2fsecret.txt",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/page/app.py",
        "/static//etc/passwd",
    ],
)
def test_no_address_leads_out(old_page, path):
    answer = old_page.get(path, follow_redirects=False)
    assert answer.status_code in (400, 403, 404)
    assert "SECRET" not in answer.text
    assert "import" not in answer.text


def test_a_forged_image_is_refused_everywhere(old_page):
    page = old_page
    forged = page.address(IDS[0])[:-1] + "x"
    assert page.get(f"/image/{forged}").status_code == 404
    body = {"by": "ann", "uuid": str(uuid.uuid4()), "id": forged, "label": "ok"}
    assert page.post("/api/settle", json=body).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"host": "evil.example"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"origin": "http://127.0.0.1:8642", "sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_only_the_page_itself_may_write(old_page, headers, status):
    page, store = old_page, old_page.page.state.context.store
    before = len(store.events())
    word = {"uuid": str(uuid.uuid4()), "id": page.address(IDS[0]), "kind": "skip"}
    word["sha256"] = page.page.state.hash_of(IDS[0])
    body = json.dumps({"by": "ann", "events": [word]})
    headers = {"content-type": "application/json", **headers}
    assert page.post("/api/answers", content=body, headers=headers).status_code == status
    assert len(store.events()) - before == (status == 200)


def test_another_site_may_link_to_the_page_and_read_nothing(old_page):
    page = old_page
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert page.get("/", headers=elsewhere).status_code == 200
    assert page.get("/api/state", headers=elsewhere).status_code == 403
    assert page.get("/api/state", headers={"host": "evil.example:8642"}).status_code == 403


@pytest.mark.parametrize("whole", [True, False])
def test_a_large_body_is_not_read(old_page, whole):
    body = b'{"by": "' + b"a" * 300_000 + b'"}'
    content = body if whole else iter([body[:1000], body[1000:]])
    headers = {"content-type": "application/json"}
    assert old_page.post("/api/answers", content=content, headers=headers).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"by": "ann"}',
        b'{"by":"\\u0000","events":[]}',
        b'{"by":"ann","events":[{"uuid":"x","kind":"skip"}]}',
        b'{"by":"ann","events":[{"uuid":1,"kind":"drop"}]}',
    ],
)
def test_nonsense_is_one_line(old_page, body):
    answer = old_page.post(
        "/api/answers", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"]


def test_on_a_network_the_link_lets_in(make_page):
    page = make_page(token=TOKEN)
    for path in ("/", "/api/state", f"/image/{page.address(IDS[0])}", "/?token=wrong"):
        assert page.get(path).status_code == 403
    assert page.get("/", headers={"cookie": "alvision=wrong"}).status_code == 403
    entered = page.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert "HttpOnly" in entered.headers["set-cookie"]
    page.cookies.set("alvision", TOKEN)
    assert page.get("/").status_code == 200
    assert page.get("/api/state").status_code == 200
    assert (
        page.post("/api/close", json={"by": "a"}, headers={"origin": "http://x"}).status_code == 403
    )


def test_every_answer_says_what_a_browser_may_do_with_it(old_page):
    page = old_page
    for path in ("/", "/api/state", "/static/app.js", f"/image/{page.address(IDS[0])}", "/no"):
        headers = page.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


SCRIPT = "<script>alert(1)</script>"


def test_script_in_a_class_a_note_and_a_file_name_stays_text(make_page, photos, store):
    named = photos[IDS[0]].with_name(f"{SCRIPT[:7]}>.png")
    photos[IDS[0]].rename(named)
    page = make_page(classes=(), paths={f"worn/{SCRIPT}.png": named})
    page.tell("/api/setup", by=SCRIPT, classes=[SCRIPT, "ok"], defects=[])
    item = page.items(by=SCRIPT, n=1)[0]
    page.say(item["id"], by=SCRIPT, kind="flag", note=SCRIPT)
    for path in ("/api/state", "/api/next?by=ann&n=3", "/api/book"):
        answer = page.get(path)
        assert answer.headers["content-type"] == "application/json"
    shell = page.get("/")
    assert shell.headers["content-type"] == "text/html; charset=utf-8"
    assert "alert(1)" not in shell.text
    assert page.get(f"/image/{item['id']}").headers["content-type"] == "image/jpeg"
    assert SCRIPT in [event.note for event in store.events()]


def bomb(side):
    """Return a PNG that claims side x side pixels and is small."""

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))  # fmt: skip

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(bytes(10_000)))
        + chunk(b"IEND", b"")
    )


EVIL = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<!doctype html><script>alert(1)</script>",
    "bomb": bomb(60_000),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) print\n",
    "empty": b"",
}


def test_what_is_no_picture_is_not_shown(page, photos):
    for id, content in zip(IDS, EVIL.values(), strict=False):
        photos[id].write_bytes(content)
    for id in IDS[: len(EVIL)]:
        answer = page.get(f"/image/{page.address(id)}")
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/json"
    assert {page.id(item["id"]) for item in page.items(n=12)} == set(IDS[len(EVIL) :])


def test_a_picture_is_encoded_anew(old_page):
    """What is hidden behind or inside a picture does not come along."""
    buffer = io.BytesIO()
    paint(1, "ok").save(buffer, "PNG")
    page = old_page
    page.page.state.context.paths[IDS[3]].write_bytes(buffer.getvalue() + EVIL["html"])
    for size in ("thumb", "full"):
        answer = page.get(f"/image/{page.address(IDS[3])}", params={"size": size})
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content.startswith(b"\xff\xd8\xff")
        assert b"script" not in answer.content
