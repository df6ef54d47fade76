"""``python -m djgraph`` is the command ``djgraph``."""

import sys

from djgraph.cli import main

if __name__ == "__main__":
    sys.exit(main())
