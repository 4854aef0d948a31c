from alvision.labels.presence import Presence


def test_whoever_was_not_seen_for_a_while_is_gone(open_store):
    now = [1000.0]
    presence = Presence(open_store(), seconds=10, clock=lambda: now[0])
    assert presence.here() == set()
    presence.seen("anna")
    now[0] += 6
    presence.seen("bert")
    presence.seen("bert")
    assert presence.here() == {"anna", "bert"}
    now[0] += 6
    assert presence.here() == {"bert"}
    presence.left("bert")
    assert presence.here() == set()
