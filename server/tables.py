"""Imports every module of tables, so that ``Base.metadata`` is complete. Nothing else."""

import server.people.tables  # noqa: F401
from server.db import Base

metadata = Base.metadata
"""All tables of the store."""
