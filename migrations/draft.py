"""Drafts a revision from the difference between the newest one and the tables.

``python -m migrations.draft 0002 "add something"`` writes ``versions/0002_add_something.py``. Read
it before you commit it: renames and data are for a person.
"""

import sys
import tempfile

from alembic import command
from sqlalchemy import create_engine

from server import migration
from server.db import engine_options, prepare


def main(revision: str, words: str) -> None:
    """Compares on an empty SQLite file that is first brought to the newest revision."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/draft.sqlite"
        engine = create_engine(url, **engine_options(url))
        prepare(engine)
        migration.upgrade(engine)
        with engine.connect() as connection:
            config = migration.configuration(connection)
            config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
            command.revision(config, message=words, rev_id=revision, autogenerate=True)
        engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
