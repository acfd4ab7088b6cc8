"""What Alembic runs: the migrations, on the connection that the caller opened and inside its transaction."""

from alembic import context

from dateline.migrations.apply import OPTIONS
from feeds import tables as _feeds_tables  # noqa: F401  registers its tables
from newsletter import tables as _newsletter_tables  # noqa: F401  registers its tables
from posts.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, **OPTIONS
)
context.run_migrations()
