"""Ties the rendering of mails to this press: what `newsletter` calls to seal an issue's editions."""

from collections.abc import Sequence
from datetime import datetime

from dateline.press import Press
from newsletter import issues
from newsletter.compose import EditionPlan
from newsletter.due import next_time, parse_schedule
from newsletter.issues import Issue
from newsletter.release import Sealer
from newsletter.render import EditionSpec, SealedIssue, seal_issue
from newsletter.spec import NewsletterSettings
from posts.database import reading
from posts.errors import NotFound


def find_newsletter(press: Press, slug: str) -> NewsletterSettings:
    """The settings of a newsletter; raises NotFound, naming those there are."""
    for newsletter in press.config.newsletters:
        if newsletter.slug == slug:
            return newsletter
    known = ", ".join(newsletter.slug for newsletter in press.config.newsletters) or "none"
    raise NotFound(f'there is no newsletter "{slug}"', remedy=f"Configured: {known}.")


def build_sealer(press: Press) -> Sealer:
    """Seals with this press's templates and settings. When the next issue comes counts from the issue's own Date,
    so that the same issue gives the same bytes whenever it is sealed (DESIGN.md 8.1)."""

    def seal(
        newsletter: NewsletterSettings, issue: Issue, editions: Sequence[EditionPlan]
    ) -> SealedIssue:
        config = press.config
        return seal_issue(
            newsletter,
            config.site,
            config.web.url,
            config.mail,
            press.templates,
            [
                EditionSpec(language=one.language, posts=one.posts, notes=one.notes)
                for one in editions
            ],
            issue_id=issue.id,
            number=issue.number,
            date=issue.date,
            next_due=_next_due(press, newsletter, issue),
            previous_subject=_previous_subjects(press, issue),
        )

    return seal


def _next_due(press: Press, newsletter: NewsletterSettings, issue: Issue) -> datetime | None:
    lines = newsletter.frequencies
    own = lines.get(issue.frequency or "")
    wanted = [own] if own is not None else list(lines.values())
    zone = press.config.site.zone
    times = [next_time(parse_schedule(line), zone, issue.date) for line in wanted]
    return min(times, default=None)


def _previous_subjects(press: Press, issue: Issue) -> dict[str, str] | None:
    """What the newsletter's last issue was called, by language: mail programs thread equal subjects (digest.md)."""
    with reading(press.engine) as conn:
        last = issues.find_last_released(conn, issue.newsletter, before=issue.released)
        return issues.list_subjects(conn, last.id) if last else None
