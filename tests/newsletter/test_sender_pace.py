"""A real ledger, relays and a sender: limits, slow providers and relays with trouble; books balance, nobody twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from newsletter.books import books
from newsletter.flusher import Answer, Flusher, Request
from newsletter.gates import Gate, Gates, provider_key, relay_key
from newsletter.notices import queue_notice
from newsletter.paces import list_found, list_paces
from newsletter.pacing import Bounds, Window
from newsletter.runs import Pace, State
from newsletter.sender import Sender
from newsletter.tables import batches, subscribers
from newsletter.transport.pool import SmtpTransport
from newsletter.transport.relays import RelayChain
from newsletter.transport.smtp import Relay
from posts.database import reading, writing
from tests.newsletter.ledger_builders import NOW, a_released_issue, issue_status, on_wire
from tests.newsletter.test_sender import Told, a_flusher
from tests.smtp_sink import Manners, Sink

SLOW = "slow.example"
GONE = "421 4.3.2 closing for now"


@dataclass
class Site(Manners):
    """A relay that does as a test says. `per_s`: how many a second it takes for each domain; `greets`, `answers` may be
    changed on the way; `wait`: how long it holds answers back."""

    greets: str = "220 site.example ESMTP"
    per_s: dict[str, int] = field(default_factory=dict)
    wait: float = 0.0
    on_message: Callable[[int], None] = lambda count: None
    recipients: list[str] = field(default_factory=list)
    throttled: int = 0
    most: Counter[str] = field(default_factory=Counter)
    port: int = 0
    is_dead: bool = False
    _times: dict[str, list[float]] = field(default_factory=dict)
    _open: Counter[str] = field(default_factory=Counter)

    def greeting(self) -> str:
        """As the test says."""
        return GONE if self.is_dead else self.greets

    def rcpt(self, recipient: str) -> str:
        """Throttles."""
        domain = recipient.rpartition("@")[2]
        limit, now = self.per_s.get(domain), time.monotonic()
        times = [at for at in self._times.get(domain, []) if now - at < 1.0]
        self._times[domain] = times
        if limit is not None and len(times) >= limit:
            self.throttled += 1
            return "450 4.7.1 too many messages, slow down"
        times.append(now)
        self._open[domain] += 1
        self.most[domain] = max(self.most[domain], self._open[domain])
        return "250 2.1.5 ok"

    def dot(self, recipient: str) -> tuple[bool, str | None]:
        """Keeps it."""
        if self.is_dead:
            return False, ""
        self._open[recipient.rpartition("@")[2]] -= 1
        self.recipients.append(recipient)
        self.on_message(len(self.recipients))
        return True, "250 2.0.0 queued"

    def wait_s(self) -> float:
        """As the test says."""
        return self.wait

    def of(self, domain: str) -> list[str]:
        """Who of a domain got it."""
        return [recipient for recipient in self.recipients if recipient.endswith("@" + domain)]


class Clock:
    """The wall clock, as far ahead as the test wants."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        """The time."""
        return NOW + timedelta(seconds=time.monotonic() - self._began) + self.ahead


class CountingFlusher(Flusher):
    """Knows how often it turned, of all of its kind."""

    turns = 0

    def turn(self, request: Request) -> Answer:
        """A turn."""
        CountingFlusher.turns += 1
        return Flusher.turn(self, request)


@dataclass
class Run:
    """What a run came to."""

    sender: Sender
    chain: RelayChain
    told: Told
    took_s: float


def send(
    engine: sa.Engine,
    sites: Sequence[Site],
    *,
    relays: Sequence[Bounds] = (),
    providers: Sequence[tuple[str, Bounds]] = (),
    enough: Callable[[State], bool] = lambda state: state.idle,
    connections: int = 4,
    flush_every: int = 10,
    clock: Callable[[], datetime] | None = None,
    owner: str = "me",
    shared: bool = False,
    key: str | None = None,
    prepare: Callable[[Gates], None] = lambda gates: None,
) -> Run:
    """One process, from its start to its end, with what former ones found; at most a minute."""
    clock, told = clock or Clock(), Told()
    flusher = a_flusher(engine, CountingFlusher)
    flusher.clock, flusher.owner = clock, owner

    async def run() -> Run:
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            for site in sites:
                server = await loop.create_server(
                    lambda site=site: Sink(None, manners=site),  # type: ignore[misc]
                    "127.0.0.1",
                    site.port,
                )
                await stack.enter_async_context(server)
                site.port = server.sockets[0].getsockname()[1]
            bounds = relays or [Bounds() for _ in sites]
            gates = Gates(
                [
                    Gate(key or relay_key("127.0.0.1", site.port), bound, loop.time())
                    for site, bound in zip(sites, bounds, strict=True)
                ],
                groups={domain: provider_key(domain) for domain, _ in providers},
                providers=[
                    Gate(provider_key(domain), bound, loop.time()) for domain, bound in providers
                ],
                shared=shared,
            )
            with reading(engine) as conn:
                gates.restore(list_found(conn, clock()), loop.time(), clock())
            prepare(gates)

            def build(number: int, changed: Callable[[], None]) -> SmtpTransport:
                relay = Relay(host="127.0.0.1", port=sites[number].port)
                return SmtpTransport(
                    relay, connections, lambda: 0.5, first_wait_s=0.1, tick_s=0.1, changed=changed
                )

            chain = RelayChain(gates, build, told, tick_s=0.1)
            sender = Sender(
                flusher,
                chain,
                Pace(
                    connections=connections,
                    flush_every=flush_every,
                    retry_for=timedelta(hours=24),
                ),
                sender="press@news.example",
                clock=clock,
                chance=lambda: 0.5,
                log=told,
            )
            began = time.monotonic()
            async with asyncio.timeout(60):
                await sender.run(stop=lambda: False, enough=enough, grace_s=lambda: 1.0)
            return Run(sender, chain, told, time.monotonic() - began)

    return asyncio.run(run())


def an_issue(engine: sa.Engine, recipients: int, *, slow: int = 0, batch: int = 100) -> int:
    """An issue of which every `slow`th reader is at the slow provider."""
    issue = a_released_issue(engine, recipients, batch=batch)
    if slow:
        with writing(engine) as conn:
            address = subscribers.c.id.cast(sa.Text) + f"@{SLOW}"
            conn.execute(
                sa.update(subscribers)
                .where(subscribers.c.id % slow == 0)
                .values(address=address, address_key=address)
            )
    return issue


def assert_balanced(engine: sa.Engine, issue: int, sites: Sequence[Site], sent: int) -> None:
    """The books say what the relays say: so many, each once."""
    got = [recipient for site in sites for recipient in site.recipients]
    assert len(got) == len(set(got)) == sent
    with reading(engine) as conn:
        found = books(conn, issue)
    assert found.balance
    assert (found.sent, found.failed, found.in_doubt) == (sent, 0, 0)
    assert on_wire(engine, issue) == []


def test_a_limit_holds_over_a_restart_and_opens_again(sqlite_engine: sa.Engine) -> None:
    issue, site, clock = an_issue(sqlite_engine, 80), Site(), Clock()
    limit = [Bounds(windows=(Window(50, 3600, "50 in 1h"),))]
    said: list[State] = []

    def closed(state: State) -> bool:
        said.append(state)
        return state.trouble is not None and state.trouble_s > 0.3

    run = send(sqlite_engine, [site], relays=limit, enough=closed, clock=clock)
    assert_balanced(sqlite_engine, issue, [site], 50)
    assert run.sender.counts.sent == 50
    assert "its limit (50 in 1h) is used up until 15 September 19:0" in (said[-1].trouble or "")
    for ahead_min in (1, 30, 58):
        clock.ahead = timedelta(minutes=ahead_min)
        send(sqlite_engine, [site], relays=limit, enough=closed, clock=clock)
        assert len(site.recipients) == 50
    clock.ahead = timedelta(minutes=63)
    send(sqlite_engine, [site], relays=limit, clock=clock)
    assert_balanced(sqlite_engine, issue, [site], 80)
    assert issue_status(sqlite_engine, issue) == "done"


def test_a_limit_that_is_used_up_before_anything_is_in_hand_is_told_too(
    sqlite_engine: sa.Engine,
) -> None:
    issue, site = an_issue(sqlite_engine, 40, batch=10), Site()

    def closed(gates: Gates) -> None:
        gates.relays[0].free = 0
        gates.relays[0].opens = time.monotonic() + 600

    send(
        sqlite_engine,
        [site],
        relays=[Bounds(windows=(Window(20, 3600, "20 in 1h"),))],
        prepare=closed,
        enough=lambda state: "used up" in (state.trouble or "") and state.trouble_s > 0.1,
    )
    assert_balanced(sqlite_engine, issue, [site], 0)


def test_where_one_relays_limit_is_used_up_the_next_carries_on(sqlite_engine: sa.Engine) -> None:
    issue, sites = an_issue(sqlite_engine, 90), [Site(), Site()]
    limit = Bounds(windows=(Window(30, 3600, "30 in 1h"),))
    send(sqlite_engine, sites, relays=[limit, Bounds()])
    assert_balanced(sqlite_engine, issue, sites, 90)
    assert [len(site.recipients) for site in sites] == [30, 60]


def test_a_relay_that_greets_with_421_is_passed_over_and_comes_back(
    sqlite_engine: sa.Engine,
) -> None:
    issue, sites = an_issue(sqlite_engine, 300), [Site(greets=GONE), Site(wait=0.01)]

    def mends(count: int) -> None:
        if count == 20:
            sites[0].greets = "220 again"

    sites[1].on_message = mends
    run = send(sqlite_engine, sites)
    assert_balanced(sqlite_engine, issue, sites, 300)
    assert all(len(site.recipients) >= 20 for site in sites)
    assert [line.partition(" {")[0] for line in run.told.lines] == [
        "relay was set aside",
        "relay was well again",
        "issue was done",
    ]


def test_a_relay_that_dies_in_mid_issue_loses_nobody(sqlite_engine: sa.Engine) -> None:
    issue, sites = an_issue(sqlite_engine, 200), [Site(), Site()]

    def dies(count: int) -> None:
        sites[0].is_dead = count >= 60

    sites[0].on_message = dies
    run = send(sqlite_engine, sites, enough=lambda state: state.idle and not state.trouble)
    first, second = (set(site.recipients) for site in sites)
    with reading(sqlite_engine) as conn:
        found = books(conn, issue)
    assert found.balance
    # a dot that was never answered is in doubt; all else went through the second
    assert found.sent + found.in_doubt == 200
    assert found.in_doubt <= 4
    assert not first & second
    assert len(first) == 60
    assert len(second) == 200 - 60 - found.in_doubt
    assert any("relay was set aside" in line for line in run.told.lines)


def test_a_slow_provider_is_found_and_holds_nobody_else_up(sqlite_engine: sa.Engine) -> None:
    issue, clock = an_issue(sqlite_engine, 600, slow=2, batch=50), Clock()
    site = Site(per_s={SLOW: 5})
    others_at: list[float] = []
    began = time.monotonic()

    def note(count: int) -> None:
        if not others_at and len(site.of("example.net")) == 300:
            others_at.append(time.monotonic() - began)

    site.on_message = note
    run = send(
        sqlite_engine,
        [site],
        enough=lambda state: bool(others_at) and time.monotonic() - began > others_at[0] + 6,
        clock=clock,
    )
    # at 5 a second the slow ones take a minute; behind them the others would, too
    assert others_at[0] < 15
    assert len(site.of("example.net")) == 300
    assert 5 < len(site.of(SLOW)) < 200
    assert_balanced(sqlite_engine, issue, [site], len(site.recipients))
    gate = run.chain.gates.providers[provider_key(SLOW)]
    assert gate.pacer.rate_per_s is not None
    assert 1.0 < gate.pacer.rate_per_s < 15.0
    assert not run.chain.gates.relays[0].pacer.is_slowed
    with reading(sqlite_engine) as conn:
        (pace,) = list_paces(conn)
    assert (pace.kind, pace.name) == ("provider", SLOW)
    # the next process goes on from what was found: it throttles hardly any more
    before, site.throttled = len(site.of(SLOW)), 0
    start = time.monotonic()
    clock.ahead = timedelta(minutes=2)
    send(sqlite_engine, [site], enough=lambda state: time.monotonic() - start > 3, clock=clock)
    assert len(site.of(SLOW)) > before
    assert site.throttled <= 4
    assert_balanced(sqlite_engine, issue, [site], len(site.recipients))


def test_no_more_than_so_many_are_on_the_wire_to_one_provider(sqlite_engine: sa.Engine) -> None:
    issue = an_issue(sqlite_engine, 200, slow=2, batch=50)
    site = Site(wait=0.005)
    send(
        sqlite_engine,
        [site],
        providers=[(SLOW, Bounds(at_once=2))],
        connections=8,
    )
    assert_balanced(sqlite_engine, issue, [site], 200)
    assert site.most[SLOW] <= 2
    assert site.most["example.net"] > 2
    assert issue_status(sqlite_engine, issue) == "done"


def test_batches_that_wait_for_a_provider_make_place_for_the_others(
    sqlite_engine: sa.Engine,
) -> None:
    issue = an_issue(sqlite_engine, 600, slow=2, batch=50)
    site = Site()
    limit = Bounds(windows=(Window(7, 3600, "7 in 1h"),))
    run = send(
        sqlite_engine,
        [site],
        providers=[(SLOW, limit)],
    )
    assert run.took_s < 30
    assert (len(site.of("example.net")), len(site.of(SLOW))) == (300, 7)
    assert_balanced(sqlite_engine, issue, [site], 307)
    with reading(sqlite_engine) as conn:
        rows = conn.execute(sa.select(batches.c.owner, batches.c.due, batches.c.finished)).all()
    assert {row.owner for row in rows} == {None}
    assert sum(row.due is not None and row.due > NOW + timedelta(minutes=10) for row in rows) >= 8


def test_a_relay_that_throttles_everybody_is_slowed_as_a_whole(sqlite_engine: sa.Engine) -> None:
    issue = a_released_issue(sqlite_engine, 120, batch=50)
    with writing(sqlite_engine) as conn:
        address = "reader@domain" + (subscribers.c.id % 20).cast(sa.Text) + ".example"
        conn.execute(
            sa.update(subscribers).values(
                address=address, address_key=subscribers.c.id.cast(sa.Text) + address
            )
        )
    site = Site()
    times: list[float] = []

    def rcpt(recipient: str) -> str:
        now = time.monotonic()
        times[:] = [at for at in times if now - at < 1.0]
        if len(times) >= 20:
            return "451 4.7.0 rate limited"
        times.append(now)
        return "250 ok"

    site.rcpt = rcpt  # type: ignore[method-assign]  # a relay of this test's own
    run = send(sqlite_engine, [site])
    assert len(site.recipients) == 120
    with reading(sqlite_engine) as conn:
        assert books(conn, issue).sent == 120
        assert "relay" in {pace.kind for pace in list_paces(conn)}
    rate = run.chain.gates.relays[0].pacer.rate_per_s
    assert rate is not None
    assert 4 < rate < 60


def two_at_once(
    engine: sa.Engine, relays: Sequence[Bounds], enough: Callable[[State], bool]
) -> list[Site]:
    """Two processes' senders beside each other, each with a listener of its own for the one relay."""
    sites, clock = [Site(), Site()], Clock()

    def one(number: int) -> Run:
        # one key for both: to them it is one relay
        return send(
            engine,
            [sites[number]],
            relays=relays,
            enough=enough,
            clock=clock,
            owner=f"process {number}",
            shared=True,
            key="relay one.example:25",
        )

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(one, range(2)))
    return sites


def test_two_processes_share_a_limit(engine: sa.Engine) -> None:
    issue = a_released_issue(engine, 120, batch=10)
    limit = [Bounds(windows=(Window(70, 3600, "70 in 1h"),))]
    sites = two_at_once(
        engine, limit, lambda state: state.trouble is not None and state.trouble_s > 0.5
    )
    assert_balanced(engine, issue, sites, 70)
    assert all(site.recipients for site in sites)


def test_two_processes_share_a_rate(engine: sa.Engine) -> None:
    issue = a_released_issue(engine, 100, batch=10)
    began, CountingFlusher.turns = time.monotonic(), 0
    sites = two_at_once(engine, [Bounds(rate_per_s=20.0)], lambda state: state.idle)
    took_s = time.monotonic() - began
    assert_balanced(engine, issue, sites, 100)
    assert all(site.recipients for site in sites)
    # 5 seconds' worth, two of them ahead; alone each would take 20 a second
    assert took_s >= 2.9
    # nor does any of them ask for room all the time
    assert CountingFlusher.turns < 60 * took_s


def test_notices_go_first_count_and_are_held_back_by_a_relays_limit_alone(
    sqlite_engine: sa.Engine,
) -> None:
    issue, site = an_issue(sqlite_engine, 20, slow=2), Site()
    with writing(sqlite_engine) as conn:
        for number in range(4):
            queue_notice(conn, "confirm", None, f"new{number}@{SLOW}", b"To: x\r\n\r\nhi\r\n", NOW)
    limit = Bounds(windows=(Window(10, 3600, "10 in 1h"),))
    tight = Bounds(windows=(Window(2, 3600, "2 in 1h"),))
    run = send(
        sqlite_engine,
        [site],
        relays=[limit],
        providers=[(SLOW, tight)],
        enough=lambda state: state.trouble is not None and state.trouble_s > 0.3,
    )
    # somebody waits for a notice: the provider's limit does not hold it back, the relay's would
    new = [recipient for recipient in site.recipients if recipient.startswith("new")]
    assert len(new) == run.sender.counts.notices == 4
    assert len(site.of(SLOW)) <= 4 + 2
    assert len(site.recipients) == 10
    with reading(sqlite_engine) as conn:
        assert books(conn, issue).sent == 6
