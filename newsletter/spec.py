"""The settings of newsletters and of mail."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from posts.settings import Duration, Selection, Settings

SCHEDULED = "scheduled"
"""The frequency of a newsletter whose `schedule` is one cron line (DESIGN.md 7)."""


class NewsletterSettings(Settings):
    """`[[newsletters]]`: what one subscribes to."""

    slug: Annotated[
        str,
        Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Its name in addresses and commands."),
    ]
    title: Annotated[
        str, Field(min_length=1, max_length=150, description="Its name in mails and pages.")
    ]
    schedule: Annotated[
        str,
        Field(
            description="Cron line in the site's zone; weekdays by name (`0 18 * * *`, `30 7 * * mon-fri`)."
        ),
    ]
    select: Annotated[Selection, Field(description="Which posts it carries.")] = Selection()
    languages: Annotated[
        Literal["all", "own"],
        Field(description="All posts to every reader, or only those in the reader's own language."),
    ] = "all"
    settle: Annotated[
        Duration,
        Field(
            description="How long the end of an issue's range rests before the issue is composed."
        ),
    ] = timedelta(minutes=20)
    max_lateness: Annotated[
        Duration, Field(description="A due time missed by more is merged into the next.")
    ] = timedelta(hours=6)
    minimum_posts: Annotated[
        int, Field(ge=1, description="Fewer new posts wait for the next issue.")
    ] = 1
    length: Annotated[
        Literal["smart", "full", "headlines"],
        Field(description="How much of each post a mail carries."),
    ] = "smart"
    subject: Annotated[
        str | None,
        Field(
            description="Subject template; `{{ lead }}`, `{{ more }}`, `{{ date }}`, `{{ number }}`, `{{ newsletter }}`."
        ),
    ] = None
    template: Annotated[str, Field(description="The mail's template, without its ending.")] = (
        "digest"
    )

    @property
    def frequencies(self) -> Mapping[str, str]:
        """Cron line by frequency; the one place that learns it when config offers several (a later issue)."""
        return {SCHEDULED: self.schedule}


class MailSettings(Settings):
    """`[mail]`: who mails come from and what takes them."""

    from_: Annotated[str, Field(alias="from", description="The address that mails come from.")]
    reply_to: Annotated[
        str | None, Field(description="Where replies go; an editor's mailbox that is read.")
    ] = None
    editors: Annotated[tuple[str, ...], Field(description="Who gets proofs and alarms.")] = ()
    transport: Annotated[
        Literal["maildir", "smtp"],
        Field(description="`maildir` (nobody is really mailed) or `smtp`."),
    ] = "maildir"
    maildir: Annotated[
        str | None, Field(description="The maildir; default `outbox` in `[paths] var`.")
    ] = None
    host: Annotated[str, Field(description="The relay's name.")] = "localhost"
    port: Annotated[int, Field(ge=1, le=65535, description="The relay's port.")] = 587
    tls: Annotated[
        Literal["starttls", "implicit", "none"],
        Field(description="Never a silent fallback; `none` only to this machine."),
    ] = "starttls"
    ca_file: Annotated[
        str | None, Field(description="Certificates to trust instead of the system's.")
    ] = None
    username: Annotated[str | None, Field(description="Login at the relay.")] = None
    password: Annotated[SecretStr | None, Field(description="Password at the relay.")] = None
    password_file: Annotated[
        str | None, Field(description="File whose first line is the password.")
    ] = None
    connections: Annotated[
        int, Field(ge=1, le=1000, description="Connections to the relay at once.")
    ] = 10
    rate: Annotated[
        float | None,
        Field(
            gt=0,
            description="Messages a second; default no limit to a relay on this machine, 10 to any other.",
        ),
    ] = None
    in_doubt: Annotated[
        Literal["resend", "hold"], Field(description="What happens to a delivery in doubt.")
    ] = "resend"
    retry_for: Annotated[
        Duration, Field(description="How long a refused recipient is tried again.")
    ] = timedelta(hours=24)
    flush_every: Annotated[
        int, Field(ge=1, le=500, description="Acknowledgements a flush waits for.")
    ] = 20
    power_safe: Annotated[
        bool, Field(description="SQLite synchronous=FULL: the bound holds for a power cut too.")
    ] = True
    stop_grace: Annotated[
        Duration, Field(description="How long a stop waits for what is on the wire.")
    ] = timedelta(seconds=10)
