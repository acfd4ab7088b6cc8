"""`posts/journal.py`: numbers become visible in order, on both databases, whoever writes and reads at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from posts import journal
from posts.database import reading, writing
from posts.model import ChangeKind
from posts.tables import posts
from tests.posts.builders import DAY, NOW, incoming, only_post, save

WRITERS = 4
TRANSACTIONS = 12


def a_stored_post(engine: sa.Engine) -> int:
    save(engine, incoming())
    return only_post(engine).id


def append_lines(engine: sa.Engine, post: int, writer: int, append: object) -> list[int]:
    """Transactions of 1 to 4 lines, every fifth rolled back; the numbers that were committed."""
    kept: list[int] = []
    for turn in range(TRANSACTIONS):
        numbers = []
        try:
            with writing(engine) as conn:
                for _ in range(1 + (turn + writer) % 4):
                    change = append(conn, post, 1, ChangeKind.REVISED, now=NOW)  # type: ignore[operator]
                    numbers.append(change.number)
                if turn % 5 == 4:
                    raise _Undone
        except _Undone:
            continue
        kept += numbers
    return kept


class _Undone(Exception):
    """Rolls a transaction back."""


def read_until(engine: sa.Engine, done: threading.Event) -> list[int]:
    """All numbers that a reader with a cursor sees while others write, and once more when they have ended."""
    seen: list[int] = []
    cursor, last_round = 0, False
    while True:
        with reading(engine) as conn:
            for change in journal.list_changes(conn, cursor, journal.head(conn)):
                seen.append(change.number)
                cursor = change.number
        if last_round:
            return seen
        last_round = done.is_set()


def numbers_written_and_read(engine: sa.Engine, append: object) -> tuple[list[int], list[int]]:
    post = a_stored_post(engine)
    done = threading.Event()
    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reader = pool.submit(read_until, engine, done)
        writers = [
            pool.submit(append_lines, engine, post, number, append) for number in range(WRITERS)
        ]
        try:
            written = [number for writer in writers for number in writer.result()]
        finally:
            done.set()
        return sorted([1, *written]), reader.result()


def test_no_reader_misses_a_number_while_many_write(engine: sa.Engine) -> None:
    written, read = numbers_written_and_read(engine, journal.append)
    assert read == written
    assert written == list(range(1, len(written) + 1))


def test_at_is_never_before_the_line_above_while_many_write(engine: sa.Engine) -> None:
    numbers_written_and_read(engine, journal.append)
    with reading(engine) as conn:
        times = [change.at for change in journal.list_changes(conn, 0)]
    assert times == sorted(times)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_with_a_plain_sequence_the_reader_would_miss_a_number(engine: sa.Engine) -> None:
    """Why there is a lock. SQLite has one writer: there is no second to overtake."""
    with writing(engine) as conn:
        conn.execute(sa.text("CREATE SEQUENCE numbers START 2"))
    first_has_number, second_is_committed = threading.Event(), threading.Event()
    post = a_stored_post(engine)

    def slow() -> None:
        with writing(engine) as conn:
            append_by_sequence(conn, post)
            first_has_number.set()
            second_is_committed.wait(30)

    def quick() -> None:
        first_has_number.wait(30)
        with writing(engine) as conn:
            append_by_sequence(conn, post)

    with ThreadPoolExecutor(2) as pool:
        slow_one = pool.submit(slow)
        pool.submit(quick).result()
        done = threading.Event()
        done.set()
        cursor = read_until(engine, done)[-1]
        second_is_committed.set()
        slow_one.result()
    with reading(engine) as conn:
        assert [change.number for change in journal.list_changes(conn, 0)] == [1, 2, 3]
        assert journal.list_changes(conn, cursor) == [], "number 2 came after the cursor stood at 3"


def append_by_sequence(conn: sa.Connection, post: int) -> None:
    conn.execute(
        sa.text(
            "INSERT INTO journal (number, post, revision, kind, at)"
            " VALUES (nextval('numbers'), :post, 1, 'revised', :now)"
        ),
        {"post": post, "now": NOW},
    )


def test_a_writer_waits_for_the_number_of_the_one_before(engine: sa.Engine) -> None:
    post = a_stored_post(engine)
    has_number, commits = threading.Event(), threading.Event()

    def first() -> int:
        with writing(engine) as conn:
            change = journal.append(conn, post, 1, ChangeKind.REVISED, now=NOW)
            has_number.set()
            commits.wait(30)
            return change.number

    def second() -> int:
        has_number.wait(30)
        with writing(engine) as conn:
            return journal.append(conn, post, 1, ChangeKind.REVISED, now=NOW).number

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(first), pool.submit(second)
        has_number.wait(30)
        with reading(engine) as conn:
            assert journal.head(conn) == 1
        commits.set()
        assert (one.result(), two.result()) == (2, 3)


@given(hours=st.lists(st.integers(-48, 48), min_size=1, max_size=12))
def test_a_clock_that_goes_back_never_moves_at_back(hours: list[int]) -> None:
    engine = _memory()
    post = a_stored_post(engine)
    for hour in hours:
        with writing(engine) as conn:
            journal.append(conn, post, 1, ChangeKind.REVISED, now=NOW + timedelta(hours=hour))
    with reading(engine) as conn:
        times = [change.at for change in journal.list_changes(conn, 0)]
        moment = NOW + timedelta(hours=hours[0])
        older = [number for number, at in enumerate(times, 1) if at < moment]
        assert journal.number_before(conn, moment) == max(older, default=0)
    assert times == sorted(times)
    assert times[-1] == NOW + timedelta(hours=max([0, *hours]))


def test_a_range_is_what_comes_after_its_cursor_up_to_its_end(engine: sa.Engine) -> None:
    post = a_stored_post(engine)
    with writing(engine) as conn:
        for _ in range(4):
            journal.append(conn, post, 1, ChangeKind.REVISED, now=NOW + DAY)
    with reading(engine) as conn:
        assert [change.number for change in journal.list_changes(conn, 1, 3)] == [2, 3]
        assert [change.number for change in journal.list_changes(conn, 3)] == [4, 5]
        assert journal.head(conn) == 5
        assert journal.newest_at(conn) == NOW + DAY
        assert journal.number_before(conn, NOW + DAY) == 1


def test_an_empty_journal_begins_at_0(engine: sa.Engine) -> None:
    with reading(engine) as conn:
        assert journal.head(conn) == 0
        assert journal.list_changes(conn, 0) == []
        assert journal.newest_at(conn) is None
        assert journal.number_before(conn, NOW) == 0


def test_a_batch_and_a_single_writer_of_one_post_do_not_deadlock(engine: sa.Engine) -> None:
    """The batch holds the lock and wants the row; the single writer must not hold the row and want the lock."""
    save(engine, incoming())
    save(engine, incoming(external_id="other.md", published=NOW), now=NOW + DAY)
    batch_has_lock = threading.Event()
    from posts import store

    with reading(engine) as conn:
        guids = [post.guid for post in reversed(store.list_all_posts(conn))]

    def batch() -> None:
        with writing(engine) as conn:
            store.withdraw_post(conn, guids[0], now=NOW)
            batch_has_lock.set()
            single_started.wait(30)
            store.withdraw_post(conn, guids[1], now=NOW)

    def single() -> None:
        batch_has_lock.wait(30)
        single_started.set()
        with writing(engine) as conn:
            store.withdraw_post(conn, guids[1], now=NOW)

    single_started = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(batch), pool.submit(single)]:
            one.result(30)
    with reading(engine) as conn:
        kinds = [change.kind for change in journal.list_changes(conn, 2)]
        assert kinds == [ChangeKind.WITHDRAWN, ChangeKind.WITHDRAWN]
        assert conn.execute(sa.select(sa.func.count()).select_from(posts)).scalar_one() == 2


def _memory() -> sa.Engine:
    from newsletter import tables as _newsletter_tables  # noqa: F401  registers its tables
    from posts.database import open_engine
    from posts.tables import metadata

    engine = open_engine("sqlite://")
    metadata.create_all(engine)
    return engine
