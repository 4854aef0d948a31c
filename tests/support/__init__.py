"""What several tests share: fakes, servers, processes that are killed, small bundles and pools."""

from pathlib import Path

PROJECT = Path(__file__).parents[2]
