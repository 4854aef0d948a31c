"""Take an address to listen on."""

from __future__ import annotations

import ipaddress
import socket

from alvision.core.errors import UserError


def listen(host: str, port: int, keys: str = "") -> socket.socket:
    """Take a port.

    Args:
        host: The address.
        port: The port.
        keys: What the keys `host` and `port` begin with, for a refusal.

    Raises:
        UserError: It is taken, or this machine does not have the address.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise UserError(
            f"{keys}host={host} is not an address of this machine ({error.strerror})"
        ) from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise UserError(
            f"{keys}port={port} on {host} cannot be listened on ({error.strerror}): is it open "
            f"already? end it, or choose another, {keys}port={port + 1}"
        ) from None
    return listening


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
