"""What a document of a remote feed says, whatever its format. Pure."""

from dataclasses import dataclass

from posts.model import IncomingPost, SourceFault


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed:
    """A remote feed's document, read: the feed about itself, and its posts."""

    title: str = ""
    tagline: str = ""
    language: str | None = None
    home_url: str | None = None
    posts: tuple[IncomingPost, ...] = ()
    faults: tuple[SourceFault, ...] = ()
    summaries_only: bool = False
