"""Looking at an issue, releasing it, and stopping it: what an editor does with a draft."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import structlog

from dateline.actions.holding import note, note_release, refuse_held
from dateline.actions.relay import refuse_to_send
from dateline.actions.sealing import build_sealer, find_newsletter
from dateline.press import Press
from newsletter import drafts, issues
from newsletter.addresses import Address, parse_address
from newsletter.counterfoil import Entry, What
from newsletter.headers import domain_of
from newsletter.issues import Issue, IssueStatus
from newsletter.message import Recipient, build_message, load_edition
from newsletter.notices import queue_notice
from newsletter.release import Release, release_issue
from newsletter.resealing import Resealed, reseal_issue
from posts.database import reading, writing
from posts.errors import DatelineError, Refused

Released = Release
"""What `release` made: `issue`, `recipients`, `excluded`, `editions`."""

PREVIEW_ADDRESS = "reader@example.org"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewFiles:
    """Where a preview was written: for each language the mail as HTML, as text, and as the message itself."""

    issue: Issue
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """One edition of an issue, ready to be made a message of."""

    language: str
    program: tuple[int | str, ...]
    seal: str


def release(press: Press, issue_id: int) -> Released:
    """Releases a draft: seals it, and in one transaction makes a delivery for each of its readers.

    Raises Refused where the rules of DESIGN.md 8.4 do not allow it; nothing has happened then. Nothing is sent here:
    the delivery program sends what is released.
    """
    refuse_held(press)
    with reading(press.engine) as conn:
        newsletter = find_newsletter(press, issues.get_issue(conn, issue_id).newsletter)
    made = release_issue(
        press.engine,
        newsletter,
        issue_id,
        site_language=press.config.site.language,
        keys=press.keys,
        seal=build_sealer(press),
        now=press.clock(),
        note=note_release(press),
    )
    log.info(
        "issue released",
        issue=issue_id,
        newsletter=newsletter.slug,
        deliveries=made.recipients,
        excluded=made.excluded,
        editions=made.editions,
    )
    return made


def reseal(press: Press, issue_id: int) -> Resealed | None:
    """Seals an issue that is being sent anew, without what was withdrawn since (DESIGN.md 8.4).

    None where there is nothing to do or its batches are in somebody's hands. The delivery program calls it.
    """
    with reading(press.engine) as conn:
        newsletter = find_newsletter(press, issues.get_issue(conn, issue_id).newsletter)
    made = reseal_issue(
        press.engine, newsletter, issue_id, seal=build_sealer(press), now=press.clock()
    )
    if made is not None:
        log.warning(
            "issue sealed anew",
            issue=issue_id,
            newsletter=newsletter.slug,
            journal_number=made.line,
            editions=made.editions,
            excluded=made.excluded,
        )
    return made


def preview(press: Press, issue_id: int) -> PreviewFiles:
    """Writes an issue as its readers will see it into `var/preview/`, and holds the release to it.

    Of a released issue it writes what was sealed.
    """
    issue, shown, parts = _shown(press, issue_id)
    folder = press.var / "preview"
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    reader = parse_address(PREVIEW_ADDRESS)
    for edition in shown:
        name = f"issue-{issue.id}" + (f"-{edition.language}" if edition is not shown[0] else "")
        body = _message(press, issue, edition, parts, reader)
        html, text = _both_parts(body)
        for ending, content in (
            (".html", html.encode()),
            (".txt", text.encode()),
            (".eml", body),
        ):
            path = folder / (name + ending)
            path.write_bytes(content)
            files.append(path)
    return PreviewFiles(issue=issue, files=tuple(files))


def send_test(press: Press, issue_id: int, address: str) -> int:
    """Queues the issue as a mail to one address, as readers of the site's language will get it; gives the notice's id.

    Its links belong to nobody. Raises Refused for an address that is none, and where nothing may be sent: nobody is told
    that a test is sent which waits for a key.
    """
    try:
        reader = parse_address(address)
    except ValueError as error:
        raise Refused(f"the address {error}", remedy="Write it as reader@example.org.") from error
    refuse_to_send(press)
    issue, shown, parts = _shown(press, issue_id)
    body = _message(press, issue, shown[0], parts, reader)
    with writing(press.engine) as conn:
        notice = queue_notice(conn, "test", None, reader.address, body, press.clock())
    log.info("test mail queued", issue=issue_id, notice=notice)
    return notice


def pause(press: Press, issue_id: int) -> Issue:
    """Stops a released issue where it stands; who was on the wire is recorded. Safe to call twice."""
    return _move(
        press, issue_id, IssueStatus.PAUSED, (IssueStatus.RELEASED, IssueStatus.PAUSED), "paused"
    )


def resume(press: Press, issue_id: int) -> Issue:
    """Goes on with a paused issue."""
    return _move(
        press, issue_id, IssueStatus.RELEASED, (IssueStatus.PAUSED, IssueStatus.RELEASED), "resumed"
    )


def cancel(press: Press, issue_id: int) -> Issue:
    """Ends an issue. A draft was then never there; of a released one the rest is excluded and its range is covered."""
    now = press.clock()
    with writing(press.engine) as conn:
        issue = issues.get_issue(conn, issue_id)
        done = issue.status is IssueStatus.DRAFT and drafts.cancel_draft(conn, issue, now=now)
        done = done or issues.mark_status(
            conn,
            issue_id,
            IssueStatus.CANCELLED,
            old=(IssueStatus.RELEASED, IssueStatus.PAUSED, IssueStatus.CANCELLED),
            finished=now,
        )
        if not done:
            raise Refused(
                f'issue {issue_id} is "{issue.status}" and cannot be cancelled',
                remedy="All of it has gone out.",
            )
        issue = issues.get_issue(conn, issue_id)
        note(press, conn, Entry(what=What.CANCELLED, issue=issue_id))
    log.info("issue cancelled", issue=issue_id, newsletter=issue.newsletter)
    return issue


def _move(
    press: Press,
    issue_id: int,
    status: IssueStatus,
    old: tuple[IssueStatus, ...],
    done: str,
) -> Issue:
    with writing(press.engine) as conn:
        issue = issues.get_issue(conn, issue_id)
        if not issues.mark_status(conn, issue_id, status, old=old):
            raise Refused(
                f'issue {issue_id} is "{issue.status}" and cannot be {done}',
                remedy="Only an issue that is being sent can; `issues list` shows where each stands.",
            )
        issue = issues.get_issue(conn, issue_id)
    log.info(f"issue {done}", issue=issue_id, newsletter=issue.newsletter)
    return issue


def _shown(press: Press, issue_id: int) -> tuple[Issue, list[_Shown], dict[int, bytes]]:
    """The editions of an issue that a preview shows, one a language: of a draft sealed now, else as stored."""
    with reading(press.engine) as conn:
        issue = issues.get_issue(conn, issue_id)
        stored = issues.list_seals(conn, issue_id)
        parts = issues.list_parts(conn, issue_id) if stored else {}
    if stored:
        first = {
            language: _Shown(language=language, program=program, seal=seal)
            for language, program, seal in reversed(stored)
        }
        order = dict.fromkeys(language for language, _, _ in stored)
        return issue, [first[language] for language in order], parts
    if issue.status is not IssueStatus.DRAFT:
        raise Refused(f"issue {issue_id} is {issue.status} and was never released")
    newsletter = find_newsletter(press, issue.newsletter)
    made = drafts.preview_issue(
        press.engine,
        newsletter,
        issue_id,
        site_language=press.config.site.language,
        seal=build_sealer(press),
        now=press.clock(),
    )
    shown = {
        edition.language: _Shown(
            language=edition.language, program=edition.program, seal=edition.seal
        )
        for edition in reversed(made.sealed.editions)
    }
    order = dict.fromkeys(edition.language for edition in made.sealed.editions)
    return made.issue, [shown[language] for language in order], dict(enumerate(made.sealed.parts))


def _message(
    press: Press, issue: Issue, edition: _Shown, parts: dict[int, bytes], reader: Address
) -> bytes:
    loaded = load_edition(edition.program, parts, language=edition.language, seal=edition.seal)
    return build_message(
        loaded,
        Recipient(
            subscriber=0,
            subscription=0,
            generation=0,
            address=reader.address,
            name=None,
            since=None,
            language=edition.language,
        ),
        issue_id=issue.id,
        date=issue.date,
        keys=press.keys,
        web_url=press.config.web.url,
        from_domain=domain_of(press.config.mail.from_),
        zone=press.config.site.zone,
    )


def _both_parts(body: bytes) -> tuple[str, str]:
    """The HTML and the text of a message, decoded by the standard library: what a mail program will see."""
    message = email.message_from_bytes(body, policy=email.policy.default)
    if not isinstance(message, EmailMessage):
        raise DatelineError("the message cannot be read back")
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    return (
        html.get_content() if html is not None else "",
        text.get_content() if text is not None else "",
    )
