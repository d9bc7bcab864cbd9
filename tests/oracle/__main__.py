"""``python -m tests.oracle SUBJECT [CLAUSE]``: try clauses, or all into a table.

With a clause, tries it in this process: status 0 if it is kept.  Without, tries
each in a process of its own and writes the table of ``docs/design`` to stdout.
"""

import signal
import sys
import traceback
from collections.abc import Sequence

from tests.oracle._all import ALL
from tests.oracle._model import Clause, NotOfferedError, Subject
from tests.oracle._processes import NOT_OFFERED_STATUS
from tests.oracle._subjects import subject_named
from tests.oracle._table import table


def main(arguments: Sequence[str]) -> int:
    """Do what the module's docstring says."""
    names = {clause.name: clause for clause in ALL}
    match arguments:
        case ["table"]:
            for line in table():
                sys.stdout.write(f"{line}\n")
            return 0
        case [("asgibridge" | "asgiref") as subject, clause] if clause in names:
            return _try(subject_named(subject), names[clause])
        case _:
            sys.stderr.write(
                f"usage: python -m tests.oracle table | "
                f"{{asgibridge,asgiref}} CLAUSE\nclauses: {' '.join(names)}\n"
            )
            return 2


def _try(subject: Subject, clause: Clause) -> int:
    # A shell starts background processes with this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        clause.function(subject)
    except NotOfferedError as exc:
        sys.stderr.write(f"{exc}\n")
        return NOT_OFFERED_STATUS
    except BaseException:  # noqa: BLE001 - the status says it
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
