"""Writes the next migration from the difference between the declared tables and those that the migrations make.

A developer's tool: `python -m dateline.migrations.generate "what it does"`, or `--initial` before the first release.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext

from dateline.migrations.apply import OPTIONS, known_versions, upgrade
from feeds import tables as _feeds_tables  # noqa: F401  registers its tables
from newsletter import tables as _newsletter_tables  # noqa: F401  registers its tables
from posts.database import open_engine, writing
from posts.tables import UTCDateTime, metadata

_VERSIONS = Path(__file__).parent / "versions"
_TEMPLATE = '''"""{what}"""

import sqlalchemy as sa
from alembic import op

revision = "{version}"
down_revision = {before!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """{what}"""
    {code}
'''


def write_migration(what: str, *, initial: bool = False) -> Path:
    """Writes the migration and gives its path; with `initial` version 0001 anew, from an empty database."""
    engine = open_engine("sqlite://")
    known = [] if initial else known_versions()
    if not initial:
        upgrade(engine)
    with writing(engine) as conn:
        code = _difference(conn, as_batch=not initial)
    version = f"{len(known) + 1:04d}"
    slug = re.sub(r"[^a-z0-9]+", "_", what.lower()).strip("_")[:40]
    path = _VERSIONS / f"{version}_{slug}.py"
    before = known[-1] if known else None
    path.write_text(_TEMPLATE.format(what=what, version=version, before=before, code=code))
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(path)], check=False)
    return path


def _difference(conn: sa.Connection, *, as_batch: bool) -> str:
    context = MigrationContext.configure(
        conn, opts={**OPTIONS, "target_metadata": metadata, "render_item": _render_item}
    )
    script = produce_migrations(context, metadata)
    assert script.upgrade_ops is not None
    code = render_python_code(
        script.upgrade_ops,
        render_as_batch=as_batch,
        migration_context=context,
        render_item=_render_item,
    )
    return re.sub(r"\s*# ### .* ###\n?", "\n", code).strip() or "pass"


def _render_item(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """A migration names no type of ours: it must mean the same when the code has moved on.

    Alembic writes the default FALSE as SQLite's 0, which PostgreSQL refuses.
    """
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "server_default" and isinstance(item, sa.DefaultClause):
        if isinstance(item.arg, sa.False_):
            return "sa.false()"
        if isinstance(item.arg, sa.True_):
            return "sa.true()"
    return False


if __name__ == "__main__":
    if sys.argv[1:] == ["--initial"]:
        print(write_migration("First tables.", initial=True))
    elif len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        print(write_migration(sys.argv[1]))
    else:
        sys.exit(__doc__)
