"""Entry point of ``python -m bench``."""

import sys

from ._main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
