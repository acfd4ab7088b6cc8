"""`posts/source_states.py`: what is remembered of a source comes back, on both databases."""

from dataclasses import replace

import sqlalchemy as sa

from posts.database import reading, writing
from posts.model import SourceFault
from posts.source_states import (
    SourceState,
    get_state,
    list_faults,
    list_states,
    save_faults,
    save_state,
)
from tests.posts.builders import DAY, NOW


def test_a_source_never_polled_has_an_empty_state(engine: sa.Engine) -> None:
    with reading(engine) as conn:
        assert get_state(conn, "content") == SourceState(source="content")
        assert list_states(conn) == []


def test_the_newest_state_is_remembered(engine: sa.Engine) -> None:
    state = SourceState(
        source="content", etag='"a"', first_polled=NOW, polled=NOW, files={"a.md": [1, 2]}
    )
    with writing(engine) as conn:
        save_state(conn, state)
        save_state(conn, replace(state, polled=NOW + DAY, failures=2))
    with reading(engine) as conn:
        assert get_state(conn, "content") == replace(state, polled=NOW + DAY, failures=2)


def test_the_faults_of_a_poll_replace_those_of_the_poll_before(engine: sa.Engine) -> None:
    old = SourceFault(source="a", place="a/1.md:3", what="is broken.", remedy="Mend it.")
    other = SourceFault(source="b", place="b", what="is not there.")
    with writing(engine) as conn:
        save_faults(conn, "a", [old], NOW)
        save_faults(conn, "b", [other], NOW)
        assert list_faults(conn) == [old, other]
        save_faults(conn, "a", [], NOW)
        assert list_faults(conn) == [other]
        assert list_faults(conn, "a") == []
