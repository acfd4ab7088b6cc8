"""How sending stands, in words: a rate, a length of time, who was put off; and the bar of `deliver`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dateline.actions.follow import Progress
    from newsletter.paces import FoundPace

_LINE_EVERY_S = 10.0


def rate_in_words(rate_per_s: float | None) -> str:
    """`1,234/s`, `2.5/s`, `30/min`; empty for None."""
    if rate_per_s is None:
        return ""
    if rate_per_s >= 9.95 or rate_per_s == 0:
        return f"{rate_per_s:,.0f}/s"
    return f"{rate_per_s:.1f}/s" if rate_per_s >= 0.95 else f"{rate_per_s * 60:.0f}/min"


def time_in_words(seconds: float | None) -> str:
    """`40 s`, `12 min`, `1 h 05 min`, `3 days`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{round(minutes / 1440)} days"


def found_in_words(found: Iterable[FoundPace]) -> list[str]:
    """A phrase for each relay or provider that asked to be spared."""
    return [f"{one.name or 'all mail'} takes {rate_in_words(one.rate_per_s)}" for one in found]


def clock_in_words(moment: datetime, zone: tzinfo) -> str:
    """The time of day in the site's zone."""
    return moment.astimezone(zone).strftime("%H:%M")


@contextmanager
def showing(zone: tzinfo) -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal, a line each ten seconds elsewhere; both on standard error."""
    if not sys.stderr.isatty():
        yield _lines(zone)
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column
    from rich.text import Text

    bar = Bar(
        TextColumn("Sending"),
        BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
        TextColumn("{task.fields[counted]}"),
        TextColumn("{task.fields[pace]}"),
        expand=True,
    )
    task = bar.add_task("", total=None, counted="", pace="")
    rest = Text("", overflow="ellipsis", no_wrap=True, style="dim")
    console = Console(stderr=True)
    with Live(Group(bar, rest), console=console, transient=True, refresh_per_second=5):

        def show(progress: Progress) -> None:
            bar.update(
                task,
                completed=progress.done,
                total=progress.total,
                counted=f"{progress.done:,}/{progress.total:,}",
                pace=_pace(progress),
            )
            rest.plain = _in_words(progress, zone)

        yield show


def _lines(zone: tzinfo) -> Callable[[Progress], None]:
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY_S:
            last = time.monotonic()
            told = [_pace(progress), _in_words(progress, zone)]
            counted = f"{progress.done} of {progress.total}"
            click.echo(" · ".join([counted, *filter(None, told)]), err=True)

    return show


def _pace(progress: Progress) -> str:
    left = time_in_words(progress.time_left_s)
    return "  ".join(filter(None, [rate_in_words(progress.rate_per_s), left and f"{left} left"]))


def _in_words(progress: Progress, zone: tzinfo) -> str:
    """What there is besides: trouble first, since a narrow terminal cuts the end off."""
    deferred = f"{progress.deferred:,} deferred"
    if progress.next_retry is not None:
        deferred += f" (next try {clock_in_words(progress.next_retry, zone)})"
    parts = [
        *([progress.trouble] if progress.trouble else []),
        *([deferred] if progress.deferred else []),
        *([f"{progress.failed:,} failed"] if progress.failed else []),
        *([f"{progress.in_doubt} in doubt"] if progress.in_doubt else []),
        *found_in_words(progress.found_rates),
    ]
    return " · ".join(parts)
