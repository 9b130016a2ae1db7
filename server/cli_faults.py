"""What an administrator is told when a command cannot do what it should. Words only."""

import errno

import msgspec
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, OperationalError

from server.errors import Problem, say_field
from server.journal.lines import JournalFault
from server.media.s3 import Missing
from server.opening import NEWER, StoreFault
from server.policies.reading import PolicyFault
from server.sheets import SheetFault
from server.upkeep.manifest import BackupFault

SAID = (BackupFault, JournalFault, Missing, PolicyFault, SheetFault, StoreFault)
"""Faults whose own words say it."""
OF_THE_MACHINE = frozenset(
    {
        errno.EACCES,
        errno.EEXIST,
        errno.EISDIR,
        errno.ENOENT,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""What an administrator mends: a wrong path, a missing right, a full disk."""


def explain(error: Exception) -> str | None:
    """What is to be said of ``error``; None for one that is a fault of this program."""
    match error:
        case msgspec.ValidationError():
            return f"A setting is wrong: {error}"
        case CommandError():
            return NEWER
        case DBAPIError() if isinstance(error, OperationalError) or _is_forbidden(error):
            reason = str(error.orig or error).strip()
            return f"The database cannot be used: {reason}\nThe setting `database` names it."
        case Problem():
            return _say_problem(error)
        case OSError():
            return _say_machine(error)
    return str(error) if isinstance(error, SAID) else None


def _is_forbidden(error: DBAPIError) -> bool:
    """Whether PostgreSQL says that the role lacks a right."""
    return getattr(error.orig, "sqlstate", None) == "42501"


def _say_problem(problem: Problem) -> str:
    if problem.detail and not problem.fields:
        return problem.detail
    words = problem.type.title.say("en")
    details = [f"{name} {say_field(code, 'en')}" for name, code in problem.fields.items()]
    said = " ".join([words, *details])
    return f"{said}: {problem.detail}" if problem.detail else said


def _say_machine(error: OSError) -> str | None:
    if error.errno is None:  # in our own words, such as those about a bucket
        return str(error)
    if error.errno not in OF_THE_MACHINE:
        return None
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror}"
