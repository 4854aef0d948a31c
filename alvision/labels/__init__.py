"""What people and oracles said: an append-only log, and what follows from it."""
