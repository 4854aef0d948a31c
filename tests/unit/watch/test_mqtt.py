import pytest

from alvision.core.errors import UserError
from alvision.watch.mqtt import Mqtt
from alvision.watch.outbox import Message, NotDelivered, Sender
from tests.support.machine import Broker, free_port, judged, numbers, subscriber
from tests.support.parts import imported

imported("paho.mqtt.client")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("broker/line3", "is not an address"),
        ("mqtt://broker", "is not an address"),
        ("mqtt://[::1/line3", "is not an address"),
        ("http://broker/line3", "is not an address"),
        ("mqtt://broker/line3/%23", "without"),
        ("mqtt://anna:secret@broker/line3", "ALVISION_MQTT_PASSWORD"),
        ("mqtt://broker:99999/line3", "port"),
    ],
)
def test_what_cannot_be_an_address_is_refused(url, told):
    with pytest.raises(UserError) as refusal:
        Mqtt(url)
    assert told in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_broker_that_is_away_confirms_nothing():
    receiver = Mqtt(f"mqtt://127.0.0.1:{free_port()}/line3")
    for _ in range(2):
        with pytest.raises(NotDelivered, match="cannot be reached"):
            receiver.send(Message("1", b"{}"))
    receiver.close()


@pytest.mark.mosquitto
def test_verdicts_reach_a_machine_through_a_broker(tmp_path):
    broker = Broker(tmp_path / "broker")
    to = tmp_path / "line"
    judged(to, [])
    try:
        with subscriber(broker.port, "shop/line 3") as bodies:
            sender = Sender(to, Mqtt(f"mqtt://127.0.0.1:{broker.port}/shop/line%203"), print)
            judged(to, range(20))
            assert sender.finish() == 0
            sender.close()
        assert numbers(bodies) == [*range(1, 21)]
    finally:
        broker.kill()
