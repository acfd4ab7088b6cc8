"""`feeds/audience.py`: counting in memory, whatever programs call themselves."""

import threading
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from feeds.audience import (
    MAX_DECLARED,
    MAX_NAMES,
    MAX_TALLIES,
    Audience,
    DeclaredKey,
    Tally,
    TallyKey,
)

DAY = date(2026, 11, 26)
FEEDLY = "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 16 subscribers; like FeedFetcher-Google)"


def test_requests_304s_and_those_without_validators_are_counted_by_feed_and_program() -> None:
    audience = Audience()
    audience.note("/feeds/all.atom", 200, "curl/8.5.0", False)
    audience.note("/feeds/all.rss", 200, "curl/8.6.1", False)
    audience.note("/feeds/all.atom", 304, "newsboat/2.21", True)
    audience.note("/feeds/all.atom", 226, "newsboat/2.21", True)
    audience.note("/feeds/tag-water.atom", 200, "", False)
    assert audience.take(DAY).tallies == {
        TallyKey("all", "curl", "8"): Tally(2, 0, 2),
        TallyKey("all", "Newsboat", "2"): Tally(2, 1, 0),
        TallyKey("tag-water", "none", ""): Tally(1, 0, 1),
    }


def test_what_was_taken_is_not_given_again() -> None:
    audience = Audience()
    audience.note("/feeds/all.atom", 200, FEEDLY, True)
    audience.take(DAY)
    assert audience.take(DAY).tallies == {}
    assert audience.take(DAY).declared == {}


def test_what_could_not_be_written_is_added_to_what_comes_next() -> None:
    audience = Audience()
    audience.note("/feeds/all.atom", 304, FEEDLY, True)
    taken = audience.take(DAY)
    audience.note("/feeds/all.atom", 200, FEEDLY.replace("16", "17"), False)
    audience.give_back(taken)
    noted = audience.take(DAY)
    assert noted.tallies == {TallyKey("all", "Feedly", "1"): Tally(2, 1, 1)}
    assert noted.declared == {DeclaredKey("all", "atom", "Feedly", ""): 17}


def test_archives_pages_and_errors_do_not_count() -> None:
    audience = Audience()
    for path in ("/feeds/all/archive/00001.atom", "/feeds.opml", "/", "/feeds/../x.atom"):
        audience.note(path, 200, "curl/8", False)
    for status in (404, 405, 410, 500):
        audience.note("/feeds/all.atom", status, "curl/8", False)
    assert audience.take(DAY).tallies == {}


def test_a_service_declares_for_each_format_and_each_id_of_its_own_and_the_newest_stands() -> None:
    audience = Audience()
    for path, agent in (
        ("/feeds/all.atom", "Feedbin feed-id:1 - 5 subscribers"),
        ("/feeds/all.atom", "Feedbin feed-id:2 - 7 subscribers"),
        ("/feeds/all.rss", "Feedbin feed-id:1 - 5 subscribers"),
        ("/feeds/all.atom", "Feedbin feed-id:1 - 6 subscribers"),
    ):
        audience.note(path, 200, agent, False)
    assert audience.take(DAY).declared == {
        DeclaredKey("all", "atom", "Feedbin", "1"): 6,
        DeclaredKey("all", "atom", "Feedbin", "2"): 7,
        DeclaredKey("all", "rss", "Feedbin", "1"): 5,
    }


def test_what_has_no_name_declares_nothing() -> None:
    audience = Audience()
    audience.note("/feeds/all.atom", 200, "192.0.2.7 (1000 subscribers)", False)
    assert audience.take(DAY).declared == {}


def test_made_up_names_run_out_and_known_programs_keep_theirs() -> None:
    audience = Audience()
    for number in range(MAX_NAMES + 100):
        name = "".join(chr(97 + int(digit)) for digit in str(number))
        audience.note("/feeds/all.atom", 200, f"Reader{name}/1.0", False)
    audience.note("/feeds/all.atom", 200, FEEDLY, True)
    tallies = audience.take(DAY).tallies
    assert len(tallies) == MAX_NAMES + 2
    assert tallies[TallyKey("all", "other", "")].requests == 100
    assert tallies[TallyKey("all", "Feedly", "")].requests == 1
    # and the same on the same day, however often it was taken in between
    audience.note("/feeds/all.atom", 200, "NewName/1", False)
    assert set(audience.take(DAY).tallies) == {TallyKey("all", "other", "")}
    audience.note("/feeds/all.atom", 200, "NewName/1", False)
    assert audience.take(date(2026, 11, 27)).tallies == {
        TallyKey("all", "other", ""): Tally(1, 0, 1)
    }
    audience.note("/feeds/all.atom", 200, "NewName/1", False)
    assert set(audience.take(date(2026, 11, 27)).tallies) == {TallyKey("all", "NewName", "1")}


def test_a_flood_of_programs_and_feeds_stays_within_its_bounds() -> None:
    audience = Audience()
    for number in range(MAX_TALLIES + 2_000):
        agent = f"Feedly/{number % 9} (feed-id:{number} - {number} subscribers)"
        audience.note(f"/feeds/tag-{number}.atom", 200, agent, False)
    audience.note("/feeds/all.atom", 200, "x" * 60_000, False)
    noted = audience.take(DAY)
    assert len(noted.tallies) == MAX_TALLIES
    assert len(noted.declared) == MAX_DECLARED


def test_threads_that_count_while_another_takes_lose_nothing() -> None:
    audience = Audience()
    barrier = threading.Barrier(5)
    each = 4_000

    def count() -> None:
        barrier.wait()
        for number in range(each):
            audience.note("/feeds/all.atom", 200, f"curl/{number % 7}", False)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    barrier.wait()
    taken = []
    while any(thread.is_alive() for thread in threads):
        taken.append(audience.take(DAY))
    taken.append(audience.take(DAY))
    assert sum(one.requests for noted in taken for one in noted.tallies.values()) == 4 * each


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["/feeds/all.atom", "/feeds/all.rss", "/feeds/tag-a.json", "/x", ""]),
            st.sampled_from([200, 226, 304, 404]),
            st.one_of(st.text(max_size=80), st.sampled_from(["", FEEDLY, "curl/8"])),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_no_request_is_lost_or_counted_twice_whatever_programs_call_themselves(
    requests: list[tuple[str, int, bytes, bool]],
) -> None:
    audience = Audience()
    counted = [one for one in requests if one[0].startswith("/feeds/") and one[1] != 404]
    for number, (path, status, agent, had_validators) in enumerate(requests):
        audience.note(path, status, agent, had_validators)
        if number % 7 == 0:
            audience.give_back(audience.take(DAY))
    tallies = audience.take(DAY).tallies.values()
    assert sum(one.requests for one in tallies) == len(counted)
    assert sum(one.not_modified for one in tallies) == sum(one[1] == 304 for one in counted)
    assert sum(one.unconditional for one in tallies) == sum(not one[3] for one in counted)
