"""Django's command line.  The first two statements are all that was added."""

import os
import sys

from asgibridge.compat import install_as_asgiref

install_as_asgiref()

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
