"""``python -m djgraph_pedalboard scan FOLDER``."""

import sys

from djgraph_pedalboard.scan import main

sys.exit(main(sys.argv[1:]))
