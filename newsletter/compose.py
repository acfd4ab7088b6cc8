"""Which posts an issue holds, in what order, for whom, and which were left out and why. Pure (DESIGN.md 3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from newsletter.spec import NewsletterSettings
from posts.model import Change, ChangeKind, Correction, Post, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A post with lines in the range asked for. `life` is the number by which it counts as published; `held` says
    that an issue held it before it was taken back and restored; `restored` that a line in the range restored it;
    `covered` that an issue held it which this database has lost (`adopt --skip`)."""

    post: Post
    life: int
    held: bool = False
    restored: bool = False
    covered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A post that an issue does not hold, and the reason as the end of a sentence."""

    post: Post
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What an issue holds, newest first, and what it left out."""

    chosen: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def posts(self) -> tuple[Post, ...]:
        """The posts of `chosen`."""
        return tuple(candidate.post for candidate in self.chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A correction in a range: the line `number` of the journal, its post as it was at the corrected revision, and
    `published`, the number of the line that published the post."""

    number: int
    published: int
    post: Post
    correction: Correction


@dataclass(frozen=True, slots=True)
class EditionPlan:
    """A list of posts and notes in one language: what readers share whose lists are equal."""

    language: str
    posts: tuple[Post, ...]
    notes: tuple[Noted, ...] = ()


def life(changes: Iterable[Change], sealed: Sequence[int]) -> tuple[int, bool]:
    """The number by which a post counts as published, and whether a restoration did not count.

    `changes` are the post's own lines in order, `sealed` the numbers at which released regular issues that held it
    were sealed. A restored line counts where no issue sealed before it held the post; else it only undoes the
    withdrawal, and the line before it stands. So each life is in one range of each reader, and a post that somebody
    may have had has no second life.
    """
    number, held = 0, False
    for change in changes:
        if change.kind not in (ChangeKind.PUBLISHED, ChangeKind.RESTORED):
            continue
        if number and any(at < change.number for at in sealed):
            held = True
        else:
            number = change.number
    return number, held


def build_issue(
    newsletter: NewsletterSettings, candidates: Iterable[Candidate], *, after: int, upto: int
) -> Contents:
    """What the range `(after, upto]` holds for `newsletter`, newest first."""
    chosen: list[Candidate] = []
    left_out: list[LeftOut] = []
    for candidate in sorted(candidates, key=_newest_first):
        why = _why_not(newsletter, candidate, after, upto)
        if why is None:
            chosen.append(candidate)
        else:
            left_out.append(LeftOut(post=candidate.post, why=why))
    return Contents(chosen=tuple(chosen), left_out=tuple(left_out))


def build_special(posts: Iterable[Post], *, keep_order: bool = False) -> Contents:
    """What a special issue holds of `posts`: all that readers may see; history and selection do not matter."""
    chosen: list[Candidate] = []
    left_out: list[LeftOut] = []
    for post in posts:
        why = hidden(post)
        if why is None:
            chosen.append(Candidate(post=post, life=0))
        else:
            left_out.append(LeftOut(post=post, why=why))
    if not keep_order:
        chosen.sort(key=_newest_first)
    return Contents(chosen=tuple(chosen), left_out=tuple(left_out))


def edition_posts(
    newsletter: NewsletterSettings, candidates: Iterable[Candidate], *, after: int, language: str
) -> tuple[Post, ...]:
    """What a reader of `language` whose edition starts behind `after` gets, newest first.

    A post with a translation among them comes once, in the reader's language where there is one (digest.md).
    """
    mine = [candidate.post for candidate in candidates if candidate.life > after]
    if newsletter.languages == "own":
        mine = [post for post in mine if same_language(post.content.language, language)]
    return tuple(post for post in mine if stand_in(post, mine, language) is None)


def edition_notes(
    newsletter: NewsletterSettings,
    notes: Iterable[Noted],
    posts: Iterable[Post],
    *,
    after: int,
    language: str,
) -> tuple[Noted, ...]:
    """The corrections that a reader's edition of `posts` prints: of posts published before it begins (DESIGN.md 3).

    A post that the edition holds carries its notes itself.
    """
    held = {post.id for post in posts}
    return tuple(
        noted
        for noted in notes
        if noted.number > after >= noted.published
        and noted.post.id not in held
        and (newsletter.languages != "own" or same_language(noted.post.content.language, language))
    )


def stand_in(post: Post, among: Sequence[Post], language: str) -> Post | None:
    """The translation that a reader of `language` gets in the place of `post`, or None where he gets `post`."""
    key = post.content.translation_key
    if key is None:
        return None
    versions = [other for other in among if other.content.translation_key == key]
    best = min(
        versions,
        key=lambda each: (not same_language(each.content.language, language), each.id),
        default=post,
    )
    return None if best.id == post.id else best


def same_language(one: str, other: str) -> bool:
    """True when two language tags name one language, whatever their region."""
    return one.split("-")[0].lower() == other.split("-")[0].lower()


def hidden(post: Post) -> str | None:
    """Why no reader may see a post now, as the end of a sentence; None where they may."""
    if post.status is Status.WITHDRAWN:
        return "was withdrawn"
    if post.status is Status.DRAFT:
        return "is a draft"
    if post.status is Status.SCHEDULED:
        return f"is scheduled for {post.published:%Y-%m-%d %H:%M} UTC"
    if post.fault is not None:
        return f"is quarantined: {post.fault}"
    return None


def _why_not(
    newsletter: NewsletterSettings, candidate: Candidate, after: int, upto: int
) -> str | None:
    post = candidate.post
    why = hidden(post)
    if why is not None:
        return why
    if post.history:
        return "is history: it was old news, or there at the first poll, when it came in"
    if not newsletter.select.matches(post):
        return "is outside the newsletter's selection"
    if candidate.covered:
        return "was in an issue that was mailed before the database was adopted"
    if candidate.life > upto:
        return "was restored after the end of this range; it comes with the next issue"
    if candidate.life <= after:
        return "was restored, but an earlier issue held it before it was withdrawn"
    return None


def _newest_first(candidate: Candidate) -> tuple[float, int]:
    return (-candidate.post.published.timestamp(), -candidate.post.id)
