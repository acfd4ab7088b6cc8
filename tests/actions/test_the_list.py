"""The list by hand: files in and out, endings, erasing."""

import csv
import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline.actions.subscribers import (
    add,
    build_form,
    erase,
    export,
    import_file,
    unsubscribe,
)
from dateline.actions.suppress import suppress_address
from dateline.press import Press
from newsletter.tables import deliveries, notices, subscribers, subscriptions, suppressions
from posts.database import reading, writing
from posts.errors import DatelineError, NotFound, Refused
from tests.actions.mailing import Clock
from tests.dateline.web.arrange import a_post, a_press, a_reader, an_issue


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A press with one newsletter and no reader."""
    return replace(a_press(tmp_path), clock=Clock())


def statuses(press: Press) -> dict[str, str]:
    """Status by address."""
    with reading(press.engine) as conn:
        query = sa.select(subscribers.c.address, subscriptions.c.status).join(subscriptions)
        return {row.address: row.status for row in conn.execute(query)}


def a_file(folder: Path, text: str) -> Path:
    """A readers' file."""
    path = folder / "readers.csv"
    path.write_text(text, "utf-8")
    return path


def test_without_a_word_on_consent_nobody_is_added(press: Press, tmp_path: Path) -> None:
    path = a_file(tmp_path, "ana@example.org\n")
    for consent, ask in ((None, False), ("  ", False), ("on paper", True)):
        with pytest.raises(Refused, match="consent"):
            import_file(press, path, "daily", consent=consent, ask=ask)
        with pytest.raises(Refused, match="consent"):
            add(press, "ana@example.org", "daily", consent=consent, ask=ask)
    assert statuses(press) == {}


def test_suppressed_and_unsubscribed_readers_stay_so(press: Press, tmp_path: Path) -> None:
    a_reader(press, "left@example.org")
    unsubscribe(press, "left@example.org")
    a_reader(press, "dead@example.org")
    suppress_address(press, "dead@example.org")
    suppress_address(press, "gone@example.org")
    before = statuses(press)
    path = a_file(
        tmp_path, "LEFT@example.org\nnew@example.org\ndead@example.org\nGone@example.org\n"
    )
    result = import_file(press, path, "daily", consent="on paper")
    assert (result.rows, result.added, result.already) == (4, 1, 0)
    assert [(row.line, row.why.split(";")[0].split(":")[0]) for row in result.refused] == [
        (1, "has unsubscribed"),
        (3, "is suppressed"),
        (4, "is suppressed"),
    ]
    assert statuses(press) == before | {"new@example.org": "active"}


def test_a_second_import_of_a_file_changes_nothing(press: Press, tmp_path: Path) -> None:
    path = a_file(tmp_path, "ana@example.org\neva@example.org\n")
    import_file(press, path, "daily", consent="on paper")
    result = import_file(press, path, "daily", consent="on paper")
    assert (result.added, result.already, result.refused) == (0, 2, [])


@pytest.mark.parametrize("consent", ["on paper", None])
def test_a_dry_run_says_the_same_and_writes_nothing(
    press: Press, tmp_path: Path, consent: str | None
) -> None:
    path = a_file(tmp_path, "Email\nana@example.org\nnobody\nana@example.org\n")
    ask = consent is None
    said = import_file(press, path, "daily", consent=consent, ask=ask, dry_run=True)
    assert statuses(press) == {}
    with reading(press.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(notices)).scalar_one() == 0
    done = import_file(press, path, "daily", consent=consent, ask=ask)
    assert replace_dry(said) == replace_dry(done)
    assert statuses(press) == {"ana@example.org": "pending" if ask else "active"}


def replace_dry(result: object) -> dict[str, object]:
    """A result without the word on whether it was dry."""
    return {
        name: getattr(result, name) for name in ("rows", "added", "asked", "already", "refused")
    }


def test_a_file_that_is_none_says_where_and_what_to_do(press: Press, tmp_path: Path) -> None:
    with pytest.raises(DatelineError, match=r"readers\.csv.*no column with mail addresses"):
        import_file(press, a_file(tmp_path, "a;b\nc;d\n"), "daily", consent="on paper")
    with pytest.raises(NotFound, match="Configured: daily"):
        import_file(press, a_file(tmp_path, "a@example.org\n"), "weekly", consent="on paper")


def test_what_was_exported_comes_in_again_the_same(press: Press, tmp_path: Path) -> None:
    cells = ["=HYPERLINK(1)", "+1", "-2", "@x", 'Ana "the pen", Díaz', "Ana"]
    for number, name in enumerate(cells):
        add(press, f"r{number}@example.org", "daily", consent="on paper", name=name, language="es")
    add(press, "=cmd@example.org", "daily", consent="on paper")
    text = "".join(export(press))
    table = list(csv.reader(io.StringIO(text)))
    assert len(table) == 8
    assert not [cell for row in table for cell in row if cell[:1] in set("=+-@\t\r")]
    (tmp_path / "other").mkdir()
    other = a_press(tmp_path / "other")
    path = tmp_path / "export.csv"
    path.write_text(text, "utf-8", newline="")
    result = import_file(other, path, "daily", consent="on paper")
    assert (result.added, result.refused) == (7, [])
    names = sa.select(subscribers.c.address, subscribers.c.name, subscribers.c.language)
    with reading(press.engine) as one, reading(other.engine) as two:
        ours = {tuple(row) for row in one.execute(names)}
        theirs = {tuple(row) for row in two.execute(names)}
    assert ours == theirs


def test_an_export_can_be_narrowed(press: Press) -> None:
    a_reader(press, "ana@example.org")
    a_reader(press, "eva@example.org")
    unsubscribe(press, "eva@example.org")
    assert [line.split(",")[0] for line in export(press, status="active")] == [
        "Email",
        "ana@example.org",
    ]
    assert len(list(export(press, newsletter="other"))) == 1


def test_ending_by_hand_can_be_repeated_and_knows_who_is_there(press: Press) -> None:
    a_reader(press, "ana@example.org")
    assert unsubscribe(press, "Ana@Example.org") == 1
    assert unsubscribe(press, "ana@example.org") == 0
    with pytest.raises(NotFound):
        unsubscribe(press, "nobody@example.org")


def test_erasing_leaves_no_byte_of_the_address_in_the_file(press: Press, tmp_path: Path) -> None:
    a_post(press)
    address = "quetzalcoatl@erased.example"
    for number in range(40):
        a_reader(press, f"r{number}@example.org")
    a_reader(press, address)
    issue = an_issue(press)
    add(press, "quetzalcoatl.second@erased.example", "daily", ask=True)
    with writing(press.engine) as conn:
        mine = deliveries.c.number == 41
        conn.execute(
            sa.update(deliveries)
            .where(mine)
            .values(state="failed", code=550, reply=f"550 5.1.1 <{address}> unknown")
        )
    assert erase(press, address, suppress=True)
    assert erase(press, "quetzalcoatl.second@erased.example")
    with reading(press.engine) as conn:
        row = conn.execute(
            sa.select(deliveries.c.state, deliveries.c.code, deliveries.c.reply).where(
                deliveries.c.issue == issue.id, mine
            )
        ).one()
        assert tuple(row) == ("failed", 550, None)
        assert conn.execute(sa.select(sa.func.count()).select_from(suppressions)).scalar_one() == 1
    # the daemon still has the database open: closing the last connection would empty the log anyhow
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name.endswith("-wal") for path in found)
    assert [path for path in found if b"quetzalcoatl" in path.read_bytes().lower()] == []


def test_erasing_an_address_that_is_not_there_can_still_suppress_it(press: Press) -> None:
    assert not erase(press, "nobody@example.org", suppress=True)
    with pytest.raises(Refused, match="suppressed"):
        add(press, "nobody@example.org", "daily", consent="on paper")


def test_a_waiting_delivery_of_an_erased_reader_is_excluded_and_the_books_balance(
    press: Press,
) -> None:
    from dateline.actions.books import report
    from dateline.actions.deliver import deliver

    a_post(press)
    a_reader(press, "ana@example.org")
    a_reader(press, "eva@example.org")
    issue = an_issue(press)
    erase(press, "eva@example.org")
    deliver(press)
    books = report(press, issue.id).books
    assert (books.recipients, books.sent, books.excluded) == (2, 1, {"erased": 1})


def test_the_form_to_paste_posts_to_this_server_without_javascript(press: Press) -> None:
    form = build_form(press, "daily")
    assert 'action="https://press.example/subscribe"' in form
    assert 'method="post"' in form
    assert 'name="newsletter" value="daily"' in form
    assert "<script" not in form
    with pytest.raises(NotFound, match="Configured: daily"):
        build_form(press, "weekly")


def test_a_pending_reader_becomes_active_by_an_import_with_consent(
    press: Press, tmp_path: Path
) -> None:
    add(press, "ana@example.org", "daily", ask=True)
    result = import_file(
        press, a_file(tmp_path, "ana@example.org\n"), "daily", consent="on paper, 2008"
    )
    assert result.added == 1
    assert statuses(press) == {"ana@example.org": "active"}


def test_an_address_is_not_asked_again_the_same_day(press: Press) -> None:
    add(press, "ana@example.org", "daily", ask=True)
    with pytest.raises(Refused, match="not long ago"):
        add(press, "ana@example.org", "daily", ask=True)
    later = replace(press, clock=lambda: press.clock() + timedelta(days=2))
    assert add(later, "ana@example.org", "daily", ask=True) == "asked"
