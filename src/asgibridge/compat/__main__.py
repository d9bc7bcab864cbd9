"""``python -m asgibridge.compat manage.py ...``: run a program on asgibridge."""

import sys

from ._run import main

if __name__ == "__main__":
    main(sys.argv[1:])
