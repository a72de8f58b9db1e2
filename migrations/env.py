"""Alembic's entry: run by ``iluvatar_pxe.inventory.database.alembic_upgrade`` on its connection, inside its transaction.

There is no alembic.ini, and logging stays as the daemon set it up. Revisions only go forward: undoing one
would lose what was seen, and a backup undoes it better. SQLite runs DDL in transactions, so a revision that
fails half-way leaves nothing behind.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
