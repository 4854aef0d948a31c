"""Labels in and out of the store, in the formats of other tools.

A format is translated to events and back. What the events mean is decided in `labels/`, not here.
"""
