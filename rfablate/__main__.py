"""Entry point of `python -m rfablate`."""

import sys

from rfablate.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
