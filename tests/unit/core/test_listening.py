import pytest

from alvision.core.errors import UserError
from alvision.core.listening import listen
from tests.support.machine import free_port


def test_a_taken_port_names_the_next():
    port = free_port()
    with listen("127.0.0.1", port) as held:
        held.listen()
        with pytest.raises(UserError) as refusal:
            listen("127.0.0.1", port, "page.")
    assert f"page.port={port} on 127.0.0.1" in str(refusal.value)
    assert f"page.port={port + 1}" in str(refusal.value)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(UserError, match=r"host=no\.such\.host\.invalid is not an address"):
        listen("no.such.host.invalid", 80)
