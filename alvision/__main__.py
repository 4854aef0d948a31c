"""Run the command line as `python -m alvision`."""

from alvision.cli import entry

if __name__ == "__main__":
    entry()
