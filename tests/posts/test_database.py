"""`posts/database.py`: both databases keep times in UTC and writers queue."""

from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError

from posts.database import reading, writing
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
