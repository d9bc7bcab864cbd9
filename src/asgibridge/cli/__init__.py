"""The ``asgibridge`` command.

`main` is the entry point of the console script.  It is the only part of the
package that can be imported without the extra ``demo``, so that a base
installation answers with one clear line instead of a traceback.
"""

from ._entry import main as main

__all__ = ("main",)
