import base64
import hashlib
import hmac

import pytest

from alvision.core.errors import UserError
from alvision.watch.outbox import Message, NotDelivered
from alvision.watch.webhook import Webhook, key_of_environment, signature
from tests.support.machine import KEY, WebServer, free_port

MESSAGE = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}')


@pytest.fixture
def server():
    server = WebServer()
    yield server
    server.stop()


def test_the_signature_is_that_of_the_standard():
    """The example of Standard Webhooks' own libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert (
        signature(key, MESSAGE, "1614265330") == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_verdict_arrives_signed(server):
    Webhook(server.url, KEY).send(Message("1", b'{"id": "1"}'))
    assert (server.bodies, server.wrong) == ([{"id": "1"}], 0)
    Webhook(server.url, KEY[::-1]).send(Message("1", b'{"id": "1"}'))
    assert server.wrong == 1


@pytest.mark.parametrize("status", [302, 404, 503])
def test_another_status_is_no_confirmation(server, status):
    server.status = status
    with pytest.raises(NotDelivered, match=f"answers {status}"):
        Webhook(server.url, KEY).send(Message("1", b"{}"))
    assert len(server.bodies) == 1, "a redirection is not followed"


def test_nobody_there_is_no_confirmation():
    with pytest.raises(NotDelivered, match="cannot be reached"):
        Webhook(f"http://127.0.0.1:{free_port()}/", KEY).send(Message("1", b"{}"))


@pytest.mark.parametrize(
    "url",
    [
        "mes/verdicts", "ftp://mes", "http://", "file:///etc/passwd", "http://mes:99999/",
        "http://mes:0/", "http://[::1/", "http://mes/line 3", "http://mes/straße",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UserError, match="is not an address"):
        Webhook(url, KEY)


def test_an_address_with_a_password_is_refused_without_showing_it():
    with pytest.raises(UserError, match="take the password out") as refusal:
        Webhook("https://anna:hunter2@mes/verdicts", KEY)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_the_key_is_in_the_environment(monkeypatch, prefix):
    monkeypatch.setenv("ALVISION_WEBHOOK_KEY", prefix + base64.b64encode(KEY).decode())
    assert key_of_environment() == KEY


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "is not set"), ("secret!", "is not a key"), ("c2hvcnQ=", "is not a key")],
)
def test_a_missing_or_short_key_is_refused(monkeypatch, text, told):
    monkeypatch.delenv("ALVISION_WEBHOOK_KEY", raising=False)
    if text:
        monkeypatch.setenv("ALVISION_WEBHOOK_KEY", text)
    with pytest.raises(UserError) as refusal:
        key_of_environment()
    assert told in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_the_signature_is_an_hmac():
    made = hmac.new(KEY, b"1.2." + b"{}", hashlib.sha256).digest()
    assert signature(KEY, Message("1", b"{}"), "2") == "v1," + base64.b64encode(made).decode()
