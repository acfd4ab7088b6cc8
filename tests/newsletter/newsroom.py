"""A newsroom for tests: posts by a word, readers by a word, a clock that is a variable, and a seal that renders nothing."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from newsletter import drafts, frequencies, issues, subscribers, subscriptions
from newsletter.addresses import parse_address
from newsletter.compose import EditionPlan
from newsletter.issues import Issue
from newsletter.release import Release, release_issue
from newsletter.render import SealedEdition, SealedIssue
from newsletter.spec import NewsletterSettings
from newsletter.subscribers import NewSubscriber
from newsletter.subscriptions import Subscription
from newsletter.tables import deliveries, issue_posts, suppressions
from newsletter.tick import Ticker, TickResult, tick_newsletters
from newsletter.tokens import Keys
from posts import store
from posts.database import reading, writing
from posts.model import Content, IncomingPost
from posts.reconcile import decision
from posts.settings import Site

START = datetime(2026, 9, 1, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SITE = Site(title="Frontera", url="https://frontera.example/", timezone="America/Chicago")


class ManyFrequencies(NewsletterSettings):
    """A newsletter whose readers choose how often; config learns it in a later issue, the rules know it now."""

    lines: Mapping[str, str] = {"daily": "0 7 * * *", "weekly": "0 9 * * mon"}

    @property
    def frequencies(self) -> Mapping[str, str]:
        """Cron line by frequency."""
        return self.lines


def a_newsletter(**changes: object) -> NewsletterSettings:
    """`daily`, at seven in the morning of Chicago."""
    values = {"slug": "daily", "title": "The Daily", "schedule": "0 7 * * *", **changes}
    kind = ManyFrequencies if "lines" in changes else NewsletterSettings
    return kind.model_validate(values)


def plain_seal(
    newsletter: NewsletterSettings, issue: Issue, editions: Sequence[EditionPlan]
) -> SealedIssue:
    """A seal that depends on what a real one depends on: the posts, their revisions, the language, the Date."""
    sealed = []
    for edition in editions:
        said = repr(
            (
                edition.language,
                issue.date,
                [(p.id, p.revision, p.content.title) for p in edition.posts],
            )
        )
        sealed.append(
            SealedEdition(
                language=edition.language,
                posts=tuple(post.id for post in edition.posts),
                subject=edition.posts[0].content.title,
                program=(0, "to"),
                seal=hashlib.sha256(said.encode()).hexdigest(),
                web_html="<p>web</p>",
            )
        )
    whole = hashlib.sha256("".join(one.seal for one in sealed).encode()).hexdigest()
    return SealedIssue(parts=(b"part",), editions=tuple(sealed), seal=whole, shortened=())


@dataclass
class Newsroom:
    """One database with one newsletter; `now` is the time that everything happens at."""

    engine: sa.Engine
    newsletter: NewsletterSettings = field(default_factory=a_newsletter)
    now: datetime = START
    keys: Keys = field(default_factory=lambda: Keys(b"secret"))
    site: Site = SITE
    seal: object = plain_seal

    def begin(self) -> None:
        """The first look at the configuration."""
        with writing(self.engine) as conn:
            frequencies.sync_frequencies(conn, [self.newsletter], self.now, self.site.max_age)

    def post(
        self,
        name: str,
        *,
        published: datetime | None = None,
        first_poll: bool = False,
        **content: object,
    ) -> int:
        """Publishes or revises a post called `name`; gives its row id."""
        said = Content(
            **{
                "title": name,
                "html": f"<p>{name}</p>",
                "source_text": name,
                "language": "en",
                **content,
            }  # type: ignore[arg-type]  # the fields are checked by the dataclass
        )
        post = IncomingPost(
            source="https://blog.example/feed" if first_poll else "content",
            external_id=name,
            place=name,
            title=name,
            guid=name,
            markdown=name,
            published=published or self.now,
        )
        with writing(self.engine) as conn:
            stored = store.find_post(conn, name)
            decided = decision(
                post, said, stored, now=self.now, site=self.site, first_poll=first_poll
            )
            store.save_post(conn, post, decided, now=self.now)
            return store.get_post(conn, name).id

    def withdraw(self, name: str) -> None:
        """Takes a post back."""
        with writing(self.engine) as conn:
            store.withdraw_post(conn, name, now=self.now)

    def restore(self, name: str) -> None:
        """Makes it public again."""
        with writing(self.engine) as conn:
            store.restore_post(conn, name, now=self.now)

    def reader(
        self,
        name: str,
        *,
        frequency: str | None = None,
        language: str = "en",
        newsletter: str | None = None,
    ) -> Subscription:
        """An active reader called `name`."""
        with writing(self.engine) as conn:
            address = parse_address(f"{name}@example.org")
            new = NewSubscriber(address=address, name=None, language=language)
            subscribers.save_subscribers(conn, [new], self.now)
            found = subscribers.find_subscriber(conn, address.key)
            assert found is not None
            asked = subscriptions.ask_consent(
                conn,
                found.id,
                newsletter or self.newsletter.slug,
                frequency or next(iter(self.newsletter.frequencies)),
                consent={},
                via="test",
                now=self.now,
            )
            return subscriptions.activate(conn, asked, what="confirmed", via="test", now=self.now)

    def subscription(self, reader: Subscription) -> Subscription:
        """As it stands now."""
        with reading(self.engine) as conn:
            return subscriptions.get_subscription(conn, reader.id)

    def change(self, reader: Subscription, what: str, *args: object) -> Subscription:
        """Calls `leave`, `pause`, `resume`, `change_frequency` or `activate` for a reader."""
        with writing(self.engine) as conn:
            fresh = subscriptions.get_subscription(conn, reader.id)
            extra = {"what": "came back"} if what == "activate" else {}
            return getattr(subscriptions, what)(
                conn, fresh, *args, via="test", now=self.now, **extra
            )

    def compose(self, frequency: str | None = None) -> Issue | None:
        """The next regular issue by hand."""
        with writing(self.engine) as conn:
            name = frequency or next(iter(self.newsletter.frequencies))
            return drafts.compose_regular(conn, self.newsletter, name, now=self.now).issue

    def release(self, issue: Issue) -> Release:
        """Releases a draft."""
        return release_issue(
            self.engine,
            self.newsletter,
            issue.id,
            site_language="en",
            keys=self.keys,
            seal=self.seal,  # type: ignore[arg-type]  # a test may set one that fails
            now=self.now,
        )

    def send(self, frequency: str | None = None) -> Release:
        """Composes and releases the next issue by hand."""
        issue = self.compose(frequency)
        assert issue is not None, "nothing to send"
        return self.release(issue)

    def tick(
        self, *, poll: object = lambda: None, after: timedelta = timedelta(0)
    ) -> list[TickResult]:
        """One tick, `after` so long."""
        self.now += after
        ticker = Ticker(
            engine=self.engine,
            site=self.site,
            keys=self.keys,
            seal=self.seal,  # type: ignore[arg-type]  # as above
            poll=poll,  # type: ignore[arg-type]  # a test may count its calls
        )
        return tick_newsletters(ticker, [self.newsletter], now=self.now)

    def got(self, reader: Subscription, *, issue: int | None = None) -> list[str]:
        """The titles of the posts in all that a reader was sent or will be, issue by issue; excluded ones left out."""
        with reading(self.engine) as conn:
            query = sa.select(deliveries.c.issue, deliveries.c.edition).where(
                deliveries.c.subscription == reader.id,
                deliveries.c.state.is_distinct_from("excluded"),
            )
            titles: list[str] = []
            for number, edition in conn.execute(query.order_by(deliveries.c.issue)).all():
                if issue is None or number == issue:
                    ids = issues.list_edition_posts(conn, number)[edition]
                    found = store.list_by_ids(conn, ids)
                    titles += [found[one].content.title for one in ids]
            return titles

    def excluded(self, reader: Subscription) -> list[str | None]:
        """Why a reader was excluded, issue by issue."""
        with reading(self.engine) as conn:
            query = sa.select(deliveries.c.reason).where(
                deliveries.c.subscription == reader.id, deliveries.c.state == "excluded"
            )
            return list(conn.execute(query.order_by(deliveries.c.issue)).scalars())

    def suppress(self, reader: Subscription) -> None:
        """Puts a reader's address on the suppression list."""
        with writing(self.engine) as conn:
            key = subscribers.get_subscriber(conn, reader.subscriber).address_key
            conn.execute(
                sa.insert(suppressions).values(
                    address_hash=self.keys.address_hash(key), reason="hard", detail="", at=self.now
                )
            )

    def held(self, issue: Issue) -> int:
        """How many posts an issue holds."""
        with reading(self.engine) as conn:
            query = sa.select(sa.func.count()).select_from(issue_posts)
            return conn.execute(query.where(issue_posts.c.issue == issue.id)).scalar_one()

    def end(self, frequency: str | None = None) -> int:
        """How far a frequency's released issues reach."""
        with reading(self.engine) as conn:
            name = frequency or next(iter(self.newsletter.frequencies))
            return frequencies.get_frequency(conn, self.newsletter.slug, name).end
