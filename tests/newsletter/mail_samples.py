"""Posts, settings and recipients for the tests of mails; the golden files are made of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import jinja2

from dateline.templating import build_templates
from newsletter.message import Recipient, build_message, load_edition
from newsletter.render import EditionSpec, SealedIssue, seal_issue
from newsletter.spec import MailSettings, NewsletterSettings
from newsletter.tokens import Keys
from posts.model import Content, Enclosure, Post, Status
from posts.settings import Site

WEB_URL = "https://mail.riverline.example"
DATE = datetime(2009, 9, 15, 23, 0, tzinfo=UTC)
NEXT = DATE + timedelta(days=1)
KEYS = Keys(b"k" * 32)
SITE = Site(
    title="The River Line",
    tagline="News from both banks of the border",
    url="https://riverline.example/",
    timezone="America/Chicago",
    contact="desk@riverline.example",
    tips="https://riverline.example/tips/",
    policy="Comments are read before they appear.",
    postal_address="The River Line\n12 Ferry Street\nEl Paso, Texas",
)
MAIL = MailSettings(
    **{"from": "digest@news.riverline.example", "reply_to": "desk@riverline.example"}
)


def a_newsletter(**values: object) -> NewsletterSettings:
    """A daily newsletter; what a test names replaces the usual."""
    usual: dict[str, object] = {
        "slug": "daily",
        "title": "The Daily Line",
        "schedule": "0 18 * * *",
    }
    return NewsletterSettings(**(usual | values))  # type: ignore[arg-type]


def a_post(number: int, **values: object) -> Post:
    """A short post of two paragraphs, each seven hours older than the number before."""
    published = values.pop("published", DATE - timedelta(hours=1 + 7 * (number - 1)))
    content: dict[str, object] = {
        "title": f"Story number {number}",
        "html": f"<p>What happened first in story {number}. {words(20)}</p>\n<p>{words(30)}</p>",
        "source_text": "",
        "language": "en",
        "authors": ("Ada Quintero",),
    }
    return Post(
        id=number,
        guid=f"tag:riverline.example,2009:{number}",
        slug=f"story-{number}",
        path=f"/2009/09/story-{number}/",
        source="content",
        external_id=f"{number}.md",
        status=Status.PUBLISHED,
        revision=1,
        content=Content(**(content | values)),  # type: ignore[arg-type]
        content_hash=f"hash {number}",
        published=published,  # type: ignore[arg-type]
        updated=DATE,
        first_seen=DATE,
    )


def words(count: int) -> str:
    """So many words in sentences of ten."""
    sentence = "The ferry crossed the river twice before the fog came."
    whole, rest = divmod(count, 10)
    return " ".join([sentence] * whole + (["Then it stopped."[: rest * 5]] if rest else []))


def a_recipient(**values: object) -> Recipient:
    """A reader; what a test names replaces the usual."""
    usual: dict[str, object] = {
        "subscriber": 7,
        "subscription": 9,
        "generation": 0,
        "address": "reader@example.org",
        "name": None,
        "since": datetime(2009, 3, 5, 18, 0, tzinfo=UTC),
        "language": "en",
    }
    return Recipient(**(usual | values))  # type: ignore[arg-type]


def templates() -> jinja2.Environment:
    """The shipped templates."""
    return build_templates(None)


def sealed(
    posts: Sequence[Post],
    *,
    languages: Sequence[str] = ("en",),
    newsletter: NewsletterSettings | None = None,
    site: Site = SITE,
    mail: MailSettings = MAIL,
    previous_subject: str | None = None,
    number: int | None = 128,
) -> SealedIssue:
    """An issue of these posts, an edition a language."""
    return seal_issue(
        newsletter or a_newsletter(),
        site,
        WEB_URL,
        mail,
        templates(),
        [EditionSpec(language=language, posts=tuple(posts)) for language in languages],
        issue_id=812,
        number=number,
        date=DATE,
        next_due=NEXT,
        previous_subject=previous_subject,
    )


def message(issue: SealedIssue, recipient: Recipient | None = None, *, edition: int = 0) -> bytes:
    """The message of one reader of an edition."""
    chosen = issue.editions[edition]
    loaded = load_edition(
        chosen.program, dict(enumerate(issue.parts)), language=chosen.language, seal=chosen.seal
    )
    return build_message(
        loaded,
        recipient or a_recipient(),
        issue_id=812,
        date=DATE,
        keys=KEYS,
        web_url=WEB_URL,
        from_domain="news.riverline.example",
        zone=SITE.zone,
    )


DEPOSITION = """<p>The ministry handed over eleven pages on Monday. They are given here as they were typed, with the
names of witnesses left out; the stamps on the originals are described in brackets. Nobody at the ministry would
speak about them, and the two officers who signed the third page have since been moved to another district.</p>
<blockquote><p><strong>Ministry of Public Works, 14 September 2009</strong></p>
<p>In answer to your request of 2 September, this office states that the crossing was closed by order of the
district engineer. The order is attached. No other paper about the closing is kept here.</p>
<p>The office adds that the ferry’s licence runs until the end of the year, and that <em>no complaint</em> about it
had been received before the closing.</p></blockquote>
<p>The order itself is shorter. It names no reason:</p>
<figure><blockquote><p>The crossing at the old landing is closed from today until further notice. Vehicles of the
water authority may pass. The guard post is to be kept day and night.</p></blockquote>
<figcaption>District engineer, order 77, 1 September 2009</figcaption></figure>
<h3>What the ledger shows</h3>
<p>The harbour ledger, which anybody may read, has these entries for the week:</p>
<table><thead><tr><th>Day</th><th>Crossings</th><th>Note</th></tr></thead><tbody>
<tr><td>Monday</td><td>14</td><td>fog until nine</td></tr>
<tr><td>Tuesday</td><td>3</td><td>closed at noon</td></tr>
<tr><td>Wednesday</td><td>0</td><td>—</td></tr></tbody></table>
<p>Three things do not agree:</p>
<ul><li>the order is dated a day <strong>before</strong> the request for it;</li>
<li>the ledger was written in two hands, as <a href="https://riverline.example/ledger/">its scans</a> show;</li>
<li>nobody has seen the guard post.</li></ul>
<p><img src="https://pictures.example/landing.jpg" alt="The old landing, with a chain across it" width="800"
height="500"></p>
<pre><code>order  77   dated  1 Sep
request     dated  2 Sep    &lt;-- a day later</code></pre>
<p>We asked again on Tuesday. 🚢 The answer, if it comes, will be printed here.</p>"""


def a_document_post(**values: object) -> Post:
    """A long article made of quoted documents, with a table, a list, code, a picture and a sound."""
    usual: dict[str, object] = {
        "title": "Eleven pages about a closed ferry, and what they leave out",
        "html": DEPOSITION,
        "tags": ("ferry",),
        "comment_count": 12,
        "comments_url": "https://riverline.example/2009/09/ferry/#comments",
        "enclosures": (
            Enclosure(
                url="https://riverline.example/media/hearing.mp3",
                type="audio/mpeg",
                title="The hearing, 14 minutes",
            ),
        ),
    }
    return a_post(1, **(usual | values))


def a_week() -> list[Post]:
    """Thirty posts of a week in two languages; some have a translation, one is right to left, one leads."""
    titles = (
        "Council votes to reopen the night market after two years",
        "El puente viejo cierra tres días para reparar el piso",
        "Water prices rise again; the authority blames the pumps",
        "La cosecha de nuez llega temprano y los precios caen",
        "A teacher, a bus and forty kilometres of dust",
        "Trains will stop at the border station from October",
        "Tres barrios siguen sin luz después de la tormenta",
        "Who owns the empty lots along Ferry Street?",
        "The library lends seeds now, and people bring them back",
        "Abren de nuevo la escuela de oficios en el centro",
    )
    posts = []
    for number in range(1, 31):
        title = titles[(number - 1) % len(titles)]
        is_spanish = title.split()[0] in ("El", "La", "Tres", "Abren")
        posts.append(
            a_post(
                number,
                title=title if number <= 10 else f"{title} ({number})",
                language="es" if is_spanish else "en",
                authors=("Inés Robledo", "Ada Quintero") if number % 4 == 0 else ("Ada Quintero",),
                html=f"<p>{words(40)}</p><p>{words(60 + 90 * (number % 3))}</p>",
                summary="Two years, three hearings and one vote." if number == 5 else None,
                comment_count=number if number % 5 == 0 else 0,
                comments_url=f"https://riverline.example/{number}/#comments",
                lead=number == 3,
                published=DATE - timedelta(hours=2 + 5 * (number - 1)),
            )
        )
    posts[5] = a_post(
        6,
        title="شهادة من الضفة الأخرى",
        language="ar",
        html="<p>قال الشاهد إن العبارة توقفت قبل الظهر. ثم جاء الحارس وأغلق البوابة.</p>"
        "<blockquote><p>لا أحد يعبر اليوم.</p></blockquote>",
        published=DATE - timedelta(hours=27),
    )
    posts[1] = _translated(posts[1], "bridge")
    posts[2] = _translated(posts[2], "water")
    posts.append(
        a_post(
            31,
            title="El agua sube otra vez; la autoridad culpa a las bombas",
            language="es",
            translation_key="water",
            lead=True,
            html=f"<p>La autoridad del agua lo anunció el lunes. {words(150)}</p><p>{words(300)}</p>",
            published=posts[2].published,
        )
    )
    return posts


def _translated(post: Post, key: str) -> Post:
    from dataclasses import replace

    return replace(post, content=replace(post.content, translation_key=key))
