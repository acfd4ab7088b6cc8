"""An issue to its sealed form: articles once per language, a small shell for each edition, all as byte segments."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import jinja2

from newsletter.compose import Noted
from newsletter.digest import Digest, DigestDesk, Shortened, address_of
from newsletter.fitting import HTML_BYTES, fitting_caps
from newsletter.headers import (
    date_header,
    domain_of,
    feedback_id,
    help_address,
    list_id,
    mailbox_header,
    plain_header,
    text_header,
)
from newsletter.layout import Laid, Layout
from newsletter.marks import Marks
from newsletter.segments import Item, PartBook, items_hash
from newsletter.spec import MailSettings, NewsletterSettings
from newsletter.story import Form, Story
from newsletter.words import Words
from posts.model import Post
from posts.settings import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionSpec:
    """What one edition holds, before it is rendered."""

    language: str
    posts: tuple[Post, ...]
    notes: tuple[Noted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEdition:
    """An edition as it is stored; `posts` are the ids of its posts in their order.

    `web_html` is the web copy, and empty but for the first edition of each language: it is what the issue's own page
    shows, so the edition of readers in step is to be given first.
    """

    language: str
    posts: tuple[int, ...]
    subject: str
    program: tuple[int | str, ...]
    seal: str
    web_html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedIssue:
    """A rendered issue: parts by number from 0, editions in the order they were given, what was shortened and why."""

    parts: tuple[bytes, ...]
    editions: tuple[SealedEdition, ...]
    seal: str
    shortened: tuple[Shortened, ...]


def seal_issue(
    newsletter: NewsletterSettings,
    site: Site,
    web_url: str,
    mail: MailSettings,
    templates: jinja2.Environment,
    editions: Sequence[EditionSpec],
    *,
    issue_id: int,
    number: int | None,
    date: datetime,
    next_due: datetime | None = None,
    previous_subject: str | Mapping[str, str] | None = None,
) -> SealedIssue:
    """Renders, inlines and encodes all editions. Deterministic: the same arguments give the same bytes (8.1).

    Raises TemplateError where a template cannot be used.
    """
    marks = Marks(_salt(newsletter, site, issue_id, date, editions))
    desk = DigestDesk(
        newsletter,
        site,
        web_url,
        number=number,
        date=date,
        next_due=next_due,
        previous_subject=previous_subject,
    )
    press = _Press(newsletter, mail, desk, Layout(templates, newsletter, site, marks), issue_id)
    book = PartBook()
    sealed: list[SealedEdition] = []
    shortened: dict[int, Shortened] = {}
    paged: set[str] = set()
    for spec in editions:
        digest, html = press.fitted(spec)
        shortened |= {one.post: one for one in digest.shortened if one.post not in shortened}
        items = press.message_items(digest, html)
        sealed.append(
            SealedEdition(
                language=digest.language,
                posts=tuple(post.id for post in spec.posts),
                subject=digest.subject,
                program=book.program(items),
                seal=items_hash(items, press.hashes),
                web_html="" if digest.language in paged else press.layout.web_copy(digest),
            )
        )
        paged.add(digest.language)
    return SealedIssue(
        parts=book.parts,
        editions=tuple(sealed),
        seal=hashlib.sha256("".join(edition.seal for edition in sealed).encode()).hexdigest(),
        shortened=tuple(shortened.values()),
    )


class _Press:
    """Renders the editions of one issue; what they share is made once."""

    def __init__(
        self,
        newsletter: NewsletterSettings,
        mail: MailSettings,
        desk: DigestDesk,
        layout: Layout,
        issue_id: int,
    ) -> None:
        self.newsletter = newsletter
        self.mail = mail
        self.desk = desk
        self.layout = layout
        self.issue_id = issue_id
        self.hashes: dict[Item, bytes] = {}
        self._headers_of: dict[str, tuple[bytes, bytes, bytes]] = {}
        seed = f"{newsletter.slug}\0{issue_id}\0{desk.date.isoformat()}".encode()
        self.boundary = "=_" + hashlib.sha256(seed).hexdigest()[:32]
        """The same for all editions: quoted-printable never holds `=_` (RFC 2045 6.7), so no text can end a part."""

    def fitted(self, spec: EditionSpec) -> tuple[Digest, Laid]:
        """The edition's digest, cut down until its HTML keeps to the bound (mail.md 6), and that HTML."""
        caps: dict[int, Form] = {}
        posts = {post.id: post for post in spec.posts}

        def size_at(story: Story, form: Form) -> int:
            if form is Form.MORE:
                return 0
            told = self.desk.stories.story(
                posts[story.post], form, words=Words(digest.language), is_lead=story.is_lead
            )
            return self.layout.article_size(told, digest.language)

        while True:
            digest = self.desk.digest(
                spec.posts, language=spec.language, caps=caps, notes=spec.notes
            )
            html = self.layout.html(digest)
            excess = html.size - HTML_BYTES
            further = fitting_caps(digest.stories, excess, size_at) if excess > 0 else {}
            if not further:
                return digest, html
            caps |= further

    def message_items(self, digest: Digest, html: Laid) -> list[Item]:
        """The whole message as segments and fields, boundary and headers included."""
        text = self.layout.text(digest)
        return [
            *self._headers(digest),
            self._part_head("plain"),
            *text.items,
            b"\r\n" + self._part_head("html"),
            *html.items,
            f"\r\n--{self.boundary}--\r\n".encode("ascii"),
        ]

    def _part_head(self, subtype: str) -> bytes:
        return (
            f"--{self.boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        ).encode("ascii")

    def _headers(self, digest: Digest) -> list[Item]:
        """The header: what is the same for all, with holes for To, Message-ID and List-Unsubscribe (mail.md 1.2)."""
        first, third, fourth = self._common_headers(digest)
        subject = text_header("Subject", digest.subject)
        return [
            first,
            "to",
            b"\r\n" + subject + date_header(self.desk.date) + b"Message-ID: ",
            "message_id",
            third,
            "list_unsubscribe",
            fourth,
        ]

    def _common_headers(self, digest: Digest) -> tuple[bytes, bytes, bytes]:
        """What stands before To, behind Message-ID and behind List-Unsubscribe; made once a language."""
        if digest.language in self._headers_of:
            return self._headers_of[digest.language]
        mail, slug, contact = self.mail, self.newsletter.slug, self.desk.site.contact
        domain = domain_of(mail.from_)
        first = mailbox_header("From", digest.name, mail.from_) + b"To: "
        third = b"\r\n"
        if mail.reply_to:
            third += mailbox_header("Reply-To", "", mail.reply_to)
        third += plain_header("List-Id", list_id(self.newsletter.title, slug, domain))
        fourth = b">\r\n" + b"".join(
            plain_header(name, value)
            for name, value in (
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
                ("List-Help", help_address(address_of(contact) or "", digest.subscribe_url)),
                ("List-Archive", f"<{digest.archive_url}>"),
                ("List-Post", "NO"),
                ("Feedback-ID", feedback_id(self.issue_id, slug, domain)),
                ("Auto-Submitted", "auto-generated"),
                ("Precedence", "bulk"),
                ("X-Auto-Response-Suppress", "OOF, AutoReply"),
                ("Content-Language", digest.language),
                ("MIME-Version", "1.0"),
            )
        )
        kind = f'Content-Type: multipart/alternative;\r\n boundary="{self.boundary}"\r\n\r\n'
        made = first, third + b"List-Unsubscribe: <", fourth + kind.encode("ascii")
        self._headers_of[digest.language] = made
        return made


def _salt(
    newsletter: NewsletterSettings,
    site: Site,
    issue_id: int,
    date: datetime,
    editions: Sequence[EditionSpec],
) -> str:
    """A hash over all that a digest can say: no post can hold it, since it is a hash over the post."""
    digest = hashlib.sha256(
        f"{newsletter!r}{site!r}{issue_id}{date.isoformat()}".encode("utf-8", "surrogatepass")
    )
    seen: set[tuple[int, int]] = set()
    for edition in editions:
        digest.update(edition.language.encode())
        for post in edition.posts:
            if (post.id, post.revision) not in seen:
                seen.add((post.id, post.revision))
                content = post.content
                digest.update(f"{post.guid}\0{post.content_hash}\0{content.title}\0".encode())
                for correction in post.corrections:
                    digest.update(f"{correction.note}\0".encode())
        for noted in edition.notes:
            digest.update(f"{noted.post.content.title}\0{noted.correction.note}\0".encode())
    return digest.hexdigest()[:24]
