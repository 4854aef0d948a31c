"""Publish verdicts to an MQTT broker, with quality of service 1: the broker confirms each."""

from __future__ import annotations

import os
import threading
from typing import Any
from urllib.parse import unquote, urlsplit

from alvision.core.errors import UserError
from alvision.watch.outbox import Message, NotDelivered

PASSWORD = "ALVISION_MQTT_PASSWORD"
_TIMEOUT = 10.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Mqtt:
    """Publish each verdict to one topic, and wait for the broker's confirmation.

    Args:
        url: `mqtt://[user@]host[:port]/topic`, or `mqtts://` with TLS. The password is in
            ALVISION_MQTT_PASSWORD.

    Raises:
        UserError: The address cannot be used, or paho-mqtt is not installed.
    """

    name = "mqtt"

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
        except ValueError:  # a bracket is missing
            raise UserError(
                f"mqtt={url} is not an address: give one like mqtt://broker/line3"
            ) from None
        self._topic = unquote(parts.path.strip("/"))
        if parts.scheme not in _PORTS or not parts.hostname or not self._topic:
            raise UserError(f"mqtt={url} is not an address: give one like mqtt://broker/line3")
        if set("+#") & set(self._topic):
            raise UserError(f"mqtt={url}: verdicts go to one topic, without + and #")
        if parts.password is not None:
            raise UserError(f"mqtt=: put the password into {PASSWORD}, not into the address")
        try:
            self._port = parts.port or _PORTS[parts.scheme]
        except ValueError:
            raise UserError(f"mqtt={url}: the port must be a number up to 65535") from None
        self._host, self._tls, self._user = parts.hostname, parts.scheme == "mqtts", parts.username
        self._client: Any = None
        _client_module()

    def send(self, message: Message) -> None:
        """Publish a verdict.

        Raises:
            NotDelivered: The broker cannot be reached, or does not confirm in time.
        """
        try:
            client = self._client or self._connect()
            published = client.publish(self._topic, message.body, qos=1)
            published.wait_for_publish(_TIMEOUT)
            confirmed = published.is_published()
        except (OSError, ValueError, RuntimeError) as error:
            self.close()
            raise NotDelivered(f"{self._host}:{self._port} cannot be reached ({error})") from None
        if not confirmed:
            self.close()
            raise NotDelivered(f"{self._host}:{self._port} does not confirm")

    def close(self) -> None:
        """Close the connection; the next verdict opens a new one.

        So a message that the client still holds is not sent behind later ones.
        """
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()

    def _connect(self) -> Any:
        mqtt = _client_module()
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        if self._user:
            client.username_pw_set(unquote(self._user), os.environ.get(PASSWORD))
        if self._tls:
            client.tls_set()
        answered = threading.Event()
        refusal: list[str] = []

        def connected(client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
            if code.is_failure:
                refusal.append(str(code))
            answered.set()

        client.on_connect = connected
        client.connect(self._host, self._port)
        client.loop_start()
        self._client = client
        if not answered.wait(_TIMEOUT) or refusal:
            raise ConnectionError(refusal[0] if refusal else "no answer")
        return client


def _client_module() -> Any:
    try:
        from paho.mqtt import client
    except ImportError as error:
        raise UserError('mqtt= needs paho-mqtt: pip install "alvision[machine]"') from error
    return client
