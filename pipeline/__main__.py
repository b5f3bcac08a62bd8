"""The command line of people: `python -m pipeline`. DVC's is `python -m pipeline.core`.

They are the same program; a stage depends on the files below pipeline/core, of which this is none.
"""

import sys

from pipeline.core.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
