"""Imports every module of tables, so that ``Base.metadata`` is complete. Nothing else."""

import server.casework.tables
import server.domain.cases.penalty_tables
import server.domain.cases.tables
import server.domain.goods.tables
import server.domain.links.tables
import server.journal.tables
import server.media.tables
import server.outward.tables
import server.people.tables
import server.policies.tables
import server.sync.tables  # noqa: F401
from server.db import Base

metadata = Base.metadata
"""All tables of the store."""
