"""`posts/database.py`: both databases keep times in UTC and writers queue."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError

from posts.database import Watch, open_engine, reading, writing
from posts.tables import source_faults


def test_a_time_comes_back_in_utc_whatever_zone_it_went_in(engine: sa.Engine) -> None:
    moment = datetime(2009, 9, 15, 8, 0, tzinfo=timezone(timedelta(hours=-6)))
    with writing(engine) as connection:
        connection.execute(
            source_faults.insert().values(source="a", place="b", what="c", remedy="", at=moment)
        )
    with reading(engine) as connection:
        found = connection.execute(sa.select(source_faults.c.at)).scalar_one()
    assert found.isoformat() == "2009-09-15T14:00:00+00:00"


def test_a_naive_time_is_refused(engine: sa.Engine) -> None:
    naive = datetime(2009, 9, 15)  # noqa: DTZ001
    with pytest.raises(StatementError), writing(engine) as connection:
        connection.execute(
            source_faults.insert().values(source="a", place="b", what="c", remedy="", at=naive)
        )


def _note(engine: sa.Engine, place: str) -> None:
    moment = datetime(2009, 9, 15, tzinfo=UTC)
    with writing(engine) as connection:
        connection.execute(
            source_faults.insert().values(source="a", place=place, what="c", remedy="", at=moment)
        )


def test_a_watch_sees_each_commit_of_this_program_once(sqlite_engine: sa.Engine) -> None:
    watch = Watch(sqlite_engine)
    assert watch.has_changed()
    assert not watch.has_changed()
    _note(sqlite_engine, "one")
    assert watch.has_changed()
    assert not watch.has_changed()


def test_a_watch_sees_the_commit_of_another_program(sqlite_engine: sa.Engine) -> None:
    watch = Watch(sqlite_engine)
    watch.has_changed()
    other = open_engine(sqlite_engine.url.render_as_string())
    _note(other, "one")
    other.dispose()
    assert watch.has_changed()


def test_a_watch_does_not_see_reading_or_what_was_rolled_back(sqlite_engine: sa.Engine) -> None:
    watch = Watch(sqlite_engine)
    watch.has_changed()
    with sqlite_engine.connect() as connection:
        connection.execute(sa.delete(source_faults))
        connection.rollback()
    with reading(sqlite_engine) as connection:
        connection.execute(sa.select(source_faults.c.at)).all()
    assert not watch.has_changed()


def test_a_watch_without_the_question_always_says_yes(engine: sa.Engine) -> None:
    watch = Watch(engine)
    answers = [watch.has_changed(), watch.has_changed()]
    assert answers == [True, engine.dialect.name == "postgresql"]
