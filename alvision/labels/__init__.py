"""The label store: an append-only log of events, and what follows from it.

Nothing here changes or removes an event, and nothing imports torch. Who answers is in `oracles/`.
"""
