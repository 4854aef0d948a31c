"""Conformance: what every strategy must keep, checked on trial pools and on bad input."""
