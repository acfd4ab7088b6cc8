"""The settings of newsletters and of mail."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from posts.settings import Duration, Selection, Settings

SCHEDULED = "scheduled"
"""The frequency of a newsletter whose `schedule` is one cron line (DESIGN.md 7)."""


INSTANT = "instant"
"""The frequency whose issues are sent before all others."""


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


Limit = Annotated[
    str,
    Field(
        pattern=r"^[1-9][0-9]{0,9} in [1-9][0-9]{0,5}[smhdw]$",
        description="At most so many in any such time: `10000 in 1h`.",
    ),
]


RelayHost = Annotated[str, Field(description="The relay's name.")]
RelayPort = Annotated[int, Field(ge=1, le=65535, description="The relay's port.")]
RelayTls = Annotated[
    Literal["starttls", "implicit", "none"],
    Field(description="Never a silent fallback; `none` only to this machine."),
]
CaFile = Annotated[str | None, Field(description="Certificates to trust instead of the system's.")]
Username = Annotated[str | None, Field(description="Login at the relay.")]
Password = Annotated[SecretStr | None, Field(description="Password at the relay.")]
PasswordFile = Annotated[str | None, Field(description="File whose first line is the password.")]
Connections = Annotated[int, Field(ge=1, le=1000, description="Connections to the relay at once.")]
RelayRate = Annotated[
    float | None,
    Field(
        gt=0,
        description="Messages a second to this relay; unset: no limit to one on this machine, 10 to any other.",
    ),
]
RelayLimits = Annotated[
    tuple[Limit, ...],
    Field(
        description="Most messages to this relay in any such time, kept over restarts: `10000 in 1h`."
    ),
]
"""What the first relay and the further ones have in common, said once."""


class RelaySettings(Settings):
    """`[[mail.relays]]`: a further relay, in order: it is used while those before it cannot be, or have used up their limits."""

    host: RelayHost
    port: RelayPort = 587
    tls: RelayTls = "starttls"
    ca_file: CaFile = None
    username: Username = None
    password: Password = None
    password_file: PasswordFile = None
    connections: Connections = 10
    rate: RelayRate = None
    limits: RelayLimits = ()


class DomainSettings(Settings):
    """`[[mail.domains]]`: how fast to send to the readers of one provider, whatever the relay (docs/sending.md)."""

    domains: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            description="The provider's domains, which share these bounds: `gmail.com, googlemail.com`.",
        ),
    ]
    connections: Annotated[
        int | None, Field(ge=1, description="Messages on the wire to it at once.")
    ] = None
    rate: Annotated[float | None, Field(gt=0, description="Messages a second.")] = None
    limits: Annotated[
        tuple[Limit, ...],
        Field(
            description="Most messages to it in any such time, kept over restarts: `5000 in 1h`."
        ),
    ] = ()


class DkimSettings(Settings):
    """`[[mail.dkim]]`: a key that signs every mail (RFC 6376); `dateline doctor keygen` writes one."""

    domain: Annotated[
        str, Field(description="The signing domain; as a rule that of `[mail] from`.")
    ]
    selector: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$",
            description="Where the public key lies: `SELECTOR._domainkey.DOMAIN`.",
        ),
    ]
    key_file: Annotated[
        str, Field(description="The private key, PEM: RSA of 2048 bits, or Ed25519.")
    ]


class PrivacySettings(Settings):
    """`[privacy]`: how long things are kept."""

    keep_deliveries: Annotated[
        Duration,
        Field(
            description="After so long a finished issue's deliveries give way to their totals; `explain` says so."
        ),
    ] = timedelta(days=90)


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
    host: RelayHost = "localhost"
    port: RelayPort = 587
    tls: RelayTls = "starttls"
    ca_file: CaFile = None
    username: Username = None
    password: Password = None
    password_file: PasswordFile = None
    connections: Connections = 10
    rate: RelayRate = None
    limits: RelayLimits = ()
    total_rate: Annotated[
        float | None, Field(gt=0, description="Messages a second over all relays together.")
    ] = None
    relays: Annotated[
        tuple[RelaySettings, ...],
        Field(description="Further relays, in order, for while this one cannot be used."),
    ] = ()
    domains: Annotated[
        tuple[DomainSettings, ...], Field(description="Bounds for single providers.")
    ] = ()
    dkim: Annotated[
        tuple[DkimSettings, ...], Field(description="The keys that sign every mail.")
    ] = ()
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
