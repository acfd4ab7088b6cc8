"""Sending a digest: our whole path (ledger, messages, wire) against smtp-source, nodemailer and smtplib.

One run, one sink, rounds in random order, each sender a process of its own. A message of ours is what the product
made of eight posts, another for each recipient; smtp-source sends one constant message of the same size. What a run
costs beside its messages (connections, QUIT, the first lease) is in its time: with few messages that tells.
Ratios are the median of the rounds' own ratios, since this and every machine has slow minutes.
"""

import argparse
import random
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.newsroom import Mailing, Newsroom, a_message, build_newsroom, copied, segments
from tests.benchmarks.processes import Run, SenderFailed, medians, run_module
from tests.benchmarks.rivals import (
    Nodemailer,
    Pattern,
    install_nodemailer,
    smtp_source,
    smtplib_composing,
    write_pattern,
)
from tests.benchmarks.signatures import write_keys, written_signature
from tests.benchmarks.sinks import Sink, fast_sink, find_program

BASELINE = "smtp-source"
NAMES = (
    BASELINE,
    "ours",
    "ours-no-ledger",
    "ours-ed25519",
    "ours-rsa",
    "nodemailer",
    "nodemailer-raw",
    "smtplib",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A ratio that the issue asks for."""

    name: str
    against: str
    least: float
    why: str = ""


ASKED = (
    Asked(name="ours", against=BASELINE, least=1.10),
    Asked(name="ours", against="ours-no-ledger", least=0.95, why="the ledger costs under 5%"),
    Asked(name="ours-ed25519", against=BASELINE, least=0.90),
    Asked(name="ours-rsa", against=BASELINE, least=0.40, why="on two cores"),
    Asked(name="ours", against="nodemailer", least=8),
    Asked(name="ours", against="smtplib", least=20),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Somebody who sends; `share` of the messages, since some are slow."""

    send: Callable[[int], Run]
    share: float = 1.0
    note: str = ""


def main(argv: list[str]) -> None:
    """`send [--only NAMES] [--messages N] [--rounds N] [--connections N] [--flush-every N]`."""
    parser = argparse.ArgumentParser(prog="send", epilog=f"Names: {', '.join(NAMES)}.")
    parser.add_argument("--only", default=",".join(NAMES), help="names, with commas between them")
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--flush-every", type=int, default=20)
    given = parser.parse_args(argv)
    names = given.only.split(",")
    if unknown := set(names) - set(NAMES):
        parser.error(f"no such sender: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as place, fast_sink() as sink:
        folder = Path(place)
        mailing = Mailing(
            port=sink.port, connections=given.connections, flush_every=given.flush_every
        )
        newsroom = build_newsroom(folder / "newsroom", given.messages)
        pattern = write_pattern(folder / "pattern", a_message(newsroom))
        senders = _senders(names, folder, newsroom, mailing, pattern)
        runs = _rounds(senders, sink, given.rounds, given.messages)
        _print_head(sink, mailing, newsroom, pattern, given.rounds)
    _print_table(senders, runs)
    _print_asked(runs)


def _senders(
    names: Sequence[str], folder: Path, newsroom: Newsroom, mailing: Mailing, pattern: Pattern
) -> dict[str, Sender]:
    """Those of `names` that this machine can run, in the order of the table."""
    senders: dict[str, Sender] = {}

    def rival(
        name: str, run: Callable[[Pattern, int, int, int], Run], share: float, note: str = ""
    ) -> None:
        if name in names:
            senders[name] = Sender(
                send=lambda count: run(pattern, mailing.port, count, mailing.connections),
                share=share,
                note=note,
            )

    if BASELINE in names and find_program(BASELINE) is None:
        print(f"{BASELINE} is left out: not installed (apt-get install postfix)")
    else:
        rival(BASELINE, smtp_source, 1.0, "one constant message")
    for name in names:
        if name.startswith("ours"):
            senders[name] = _our_sender(name, folder, newsroom, mailing)
    if any(name.startswith("nodemailer") for name in names):
        installed = folder / "nodemailer"
        if trouble := install_nodemailer(installed):
            print(f"nodemailer is left out: {trouble}")
        else:
            rival("nodemailer", Nodemailer(installed, composing=True), 0.04)
            rival("nodemailer-raw", Nodemailer(installed, composing=False), 0.08, "constant bytes")
    rival("smtplib", smtplib_composing, 0.01, "one connection")
    return {name: senders[name] for name in NAMES if name in senders}


def _our_sender(name: str, folder: Path, newsroom: Newsroom, mailing: Mailing) -> Sender:
    """Our sender under settings; `folder` keeps its key."""
    note = ""
    kind = name.removeprefix("ours-")
    if kind in ("ed25519", "rsa"):
        keys = write_keys(folder, kind)
        mailing = Mailing(
            port=mailing.port,
            connections=mailing.connections,
            flush_every=mailing.flush_every,
            dkim=keys,
        )
        note = written_signature(folder, keys)
    options = ["--no-ledger"] if kind == "no-ledger" else []
    copies = iter(range(1_000_000))

    def send(count: int) -> Run:
        room = copied(newsroom, folder / f"{name}-{next(copies)}", mailing)
        try:
            return run_module("ours", room.folder, "--issue", room.issue, *options)
        finally:
            shutil.rmtree(room.folder)

    return Sender(send=send, note=note)


def _rounds(
    senders: Mapping[str, Sender], sink: Sink, rounds: int, messages: int
) -> dict[str, list[Run | None]]:
    """A run a round of each, in an order that no round shares with the last; None where it failed."""
    runs: dict[str, list[Run | None]] = {name: [] for name in senders}
    for _ in range(rounds):
        for name in random.sample(sorted(senders), len(senders)):
            sender, before = senders[name], sink.cpu_s()
            try:
                run = sender.send(max(1, int(messages * sender.share)))
            except SenderFailed as failed:
                print(f"{name} failed: {failed}")
                runs[name].append(None)
            else:
                runs[name].append(replace(run, sink_cpu_s=sink.cpu_s() - before))
    return runs


def _print_head(
    sink: Sink, mailing: Mailing, newsroom: Newsroom, pattern: Pattern, rounds: int
) -> None:
    pieces, personal = segments(newsroom)
    print(
        f"sink: {sink.name}; messages of {pattern.size:,} bytes ({pieces} segments, {personal} of them personal); "
        f"{newsroom.readers:,} readers; {mailing.connections} connections, flush_every {mailing.flush_every}, "
        f"power-safe; medians of {rounds} rounds"
    )


def _print_table(senders: Mapping[str, Sender], runs: Mapping[str, Sequence[Run | None]]) -> None:
    print(
        f"{'':16}{'msg/s':>8}  {'[slowest-fastest]':19}{'% base':>7}"
        f"{'CPU us':>9}{'sink us':>9}{'peak MiB':>10}"
    )
    for name, sender in senders.items():
        whole = [run for run in runs[name] if run is not None]
        if not whole:
            continue
        middle = medians(whole)
        share = _ratio(runs, name, BASELINE)
        print(
            f"{name:16}{middle.rate_per_s:8,.0f}  "
            f"{f'[{middle.slowest:,.0f}-{middle.fastest:,.0f}]':19}"
            f"{'' if share is None else f'{share:.0%}':>7}"
            f"{middle.cpu_us:9,.0f}{_figure(middle.sink_cpu_us):>9}"
            f"{_figure(middle.peak_mib):>10}  {sender.note}"
        )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _print_asked(runs: Mapping[str, Sequence[Run | None]]) -> None:
    for asked in ASKED:
        ratio = _ratio(runs, asked.name, asked.against)
        if ratio is None:
            continue
        shown = (f"{ratio:.1f} times", f"{asked.least:g} times")
        if asked.least < 2:
            shown = (f"{ratio:.0%}", f"{asked.least:.0%}")
        why = f" ({asked.why})" if asked.why else ""
        print(f"{asked.name} / {asked.against}: {shown[0]}; asked: at least {shown[1]}{why}")


def _ratio(runs: Mapping[str, Sequence[Run | None]], name: str, against: str) -> float | None:
    """The median of the rounds' own ratios; None where one of the two did not run."""
    pairs = zip(runs.get(name, ()), runs.get(against, ()), strict=False)
    ratios = [mine.rate_per_s / other.rate_per_s for mine, other in pairs if mine and other]
    return statistics.median(ratios) if ratios else None
