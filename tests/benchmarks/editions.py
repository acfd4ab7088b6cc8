"""Sealing one issue in 1, 10 and 100 editions: what it costs to render and to store, and without sharing anything.

Two kinds of lists: *positions*, as readers out of step have them (the newest 1, 2, 3 ... of the posts, in two
languages), and *slices*, which differ at both ends and so lead with different posts: more than a newsletter meets.
"""

import json
import random
import time
from collections.abc import Callable, Sequence

from newsletter.render import EditionSpec, SealedIssue, seal_issue
from newsletter.segments import packed_program
from posts.model import Post
from tests.newsletter.mail_samples import (
    DATE,
    MAIL,
    SITE,
    WEB_URL,
    a_newsletter,
    a_week,
    templates,
)

COUNTS = (1, 10, 100)


def positions(posts: Sequence[Post], count: int) -> list[EditionSpec]:
    """All posts in each language first, then what readers further on are owed."""
    lists = [
        EditionSpec(language=language, posts=tuple(posts[:end]))
        for end in range(len(posts), 0, -1)
        for language in ("en", "es")
    ]
    return [*lists[:2], *random.Random(1).sample(lists[2:], len(lists) - 2)][:count]


def slices(posts: Sequence[Post], count: int) -> list[EditionSpec]:
    """Lists that differ at both ends."""
    lists = [
        EditionSpec(language="en", posts=tuple(posts[start : len(posts) - end]))
        for start in range(10)
        for end in range(10)
    ]
    return random.Random(1).sample(lists, len(lists))[:count]


def stored_bytes(issue: SealedIssue) -> int:
    """What the database keeps of the mails of an issue: parts, and each edition's row without the web page."""
    rows = sum(
        len(json.dumps(packed_program(one.program)))
        + len(json.dumps(list(one.posts)))
        + len(one.subject.encode())
        + len(one.seal)
        for one in issue.editions
    )
    return sum(map(len, issue.parts)) + rows


def measured(specs: Sequence[EditionSpec], rounds: int = 7) -> tuple[float, int]:
    """The least CPU seconds of some rounds, and the bytes stored."""
    environment = templates()

    def seal() -> SealedIssue:
        return seal_issue(
            a_newsletter(), SITE, WEB_URL, MAIL, environment, specs, issue_id=1, number=1, date=DATE
        )

    least, issue = float("inf"), seal()
    for _ in range(rounds):
        before = time.process_time()
        issue = seal()
        least = min(least, time.process_time() - before)
    return least, stored_bytes(issue)


def main(_arguments: list[str]) -> None:
    """Prints a table a kind; the last column is the same editions sealed one by one, sharing nothing."""
    week = a_week()[:30]
    more = [*week, *_older(week, 30)]
    kinds: list[tuple[str, Callable[[Sequence[Post], int], list[EditionSpec]], list[Post]]] = [
        ("positions, 60 posts", positions, more),
        ("slices, 30 posts", slices, week),
    ]
    for name, lists, posts in kinds:
        print(f"{name}\n{'editions':>10}{'CPU ms':>10}{'kB':>10}{'alone ms':>12}{'alone kB':>12}")
        results = {}
        for count in COUNTS:
            specs = lists(posts, count)
            results[count] = seconds, size = measured(specs)
            alone = [measured([spec], 1) for spec in specs]
            print(
                f"{len(specs):>10}{seconds * 1000:>10.1f}{size / 1000:>10.1f}"
                f"{sum(one for one, _ in alone) * 1000:>12.1f}{sum(kept for _, kept in alone) / 1000:>12.1f}"
            )
        print(
            f"  100 against 10: {results[100][0] / results[10][0]:.2f} times the CPU, "
            f"{results[100][1] / results[10][1]:.2f} times the bytes\n"
        )


def _older(posts: Sequence[Post], count: int) -> list[Post]:
    from dataclasses import replace
    from datetime import timedelta

    return [
        replace(post, id=post.id + 100, published=post.published - timedelta(days=8))
        for post in posts[:count]
    ]
