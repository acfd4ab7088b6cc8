"""The commented config.toml that `init` writes, and that the repository ships: every setting, with its default."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a new config.toml says; everything else in it is a comment. `source_kind` is `folder` or `feed`."""

    title: str
    site_url: str
    web_url: str
    mail_from: str
    source_kind: str
    location: str
    newsletter_title: str
    tagline: str = ""
    language: str = "en"
    timezone: str = "UTC"
    allow_private: bool = False
    schedule: str = "0 18 * * *"


def config_text(beginning: Beginning) -> str:
    """The whole file. What stands behind `#` is the default or an example; delete the `#` to set it."""
    return "\n".join(
        [
            _HEAD,
            _site(beginning),
            _web(beginning),
            _KEPT,
            _sources(beginning),
            _FEEDS,
            _WEBSUB,
            _REDIRECTS,
            _newsletters(beginning),
            _mail(beginning),
        ]
    )


def quoted(text: str) -> str:
    """A TOML basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


_HEAD = """\
# Dateline's configuration. Every setting is here; what begins with "# " and a name is the default, or an example.
# `dateline check` reads this file and names every fault with its line; docs/config.md explains each setting.
# Any value can also come from the environment (DATELINE_MAIL__PORT=2525, DATELINE_NEWSLETTERS__0__SCHEDULE=...)
# or from a file $CREDENTIALS_DIRECTORY/mail__password. Relative paths count from the folder of this file.
"""


def _site(beginning: Beginning) -> str:
    return f"""\
[site]
# The newsroom itself. `url` is its home: a living blog's own address, or this server's.
title = {quoted(beginning.title)}
tagline = {quoted(beginning.tagline)}
url = {quoted(beginning.site_url)}
language = {quoted(beginning.language)}
# The zone in which dates are shown and schedules count.
timezone = {quoted(beginning.timezone)}
# What readers find in the footer of mails and pages; many countries ask for the postal address.
# contact = "desk@example.org"
# postal_address = "12 Main Street, Springfield"
# tips = "https://example.org/tips"
# policy = "https://example.org/comments"
# Told by feeds; pictures as PNG, the icon square, the logo twice as wide as it is high.
# rights = "© The Border Reporter, CC BY 4.0"
# icon = "https://example.org/icon.png"
# logo = "https://example.org/logo.png"
# A post older than this when it comes in is history: in feeds and pages, in nobody's mail.
# max_age = "14d"
# accent = "#9c2a1f"
# A folder whose files replace templates of the same name.
# templates = "templates"
# The secret that signs links, made at first use. Keep it with your backups: without it old links die.
# secret_file = "var/secret"
"""


def _web(beginning: Beginning) -> str:
    return f"""\
[web]
# The public address of this server, for unsubscribe links, issue pages and feeds. While it is this machine
# (127.0.0.1, localhost) or example.org, nothing is sent to a relay elsewhere: the links would be dead.
url = {quoted(beginning.web_url)}
# listen = "127.0.0.1:8300"
# Who sends this as a bearer token gets /metrics and /progress from elsewhere too.
# metrics_token = "sixteen characters or more"
"""


_KEPT = """\
[database]
# SQLite by default; postgresql://USER@HOST/NAME for several workers.
# url = "sqlite:///var/dateline.db"

[paths]
# public = "public"
# media = "media"
# var = "var"
"""


def _sources(beginning: Beginning) -> str:
    private = "allow_private = true" if beginning.allow_private else "# allow_private = false"
    return f"""\
# Where posts come from; as many [[sources]] as you like. kind = "folder": Markdown and HTML files. kind = "feed":
# a blog's feed (RSS, Atom, JSON Feed), or a page that names one.
[[sources]]
kind = {quoted(beginning.source_kind)}
location = {quoted(beginning.location)}
# every = "10m"
# For a folder whose posts are published elsewhere: where ({{slug}}, {{year}} and {{month}} are filled in).
# link = "https://example.org/{{year}}/{{month}}/{{slug}}.html"
# May it be fetched from a private address (this machine, the office)?
{private}
"""


_FEEDS = """\
# Feeds beside those that always exist: all, updates, headlines, media, and one per tag, author and language.
# [[feeds]]
# slug = "investigations"
# title = "Investigations"
# size = 50
# [feeds.select]
# tags = ["investigation"]
# authors = []
# languages = []
"""

_WEBSUB = """\
# WebSub: hubs tell readers at once what is new, without anybody asking every hour. Each document names the hubs, and
# they are told of each change. "https://pubsubhubbub.appspot.com/" is one that anybody may use.
# [websub]
# hubs = []
# May a hub be at a private address (your own, in the same network)?
# allow_private = false
"""

_REDIRECTS = """\
# Old addresses that feed readers still ask, and what took their place, for good. The feeds of Blogger, WordPress,
# Ghost, Hugo and Jekyll lead to ours without being named here.
# [[redirects]]
# from = "/news.php?format=rss"
# to = "/feeds/all.rss"
"""


def _newsletters(beginning: Beginning) -> str:
    return f"""\
# What readers subscribe to; as many [[newsletters]] as you like.
[[newsletters]]
slug = "daily"
title = {quoted(beginning.newsletter_title)}
# Minute, hour, day of month, month, weekday by name: "0 18 * * *", "30 7 * * mon-fri".
schedule = {quoted(beginning.schedule)}
# "all": every post to every reader. "own": only those in the reader's own language.
# languages = "all"
# How long the end of an issue's range rests, so that the fixes of the first minutes are in.
# settle = "20m"
# A due time missed by more than this (the machine was off) is merged into the next.
# max_lateness = "6h"
# minimum_posts = 1
# How much of each post a mail carries: "smart", "full" or "headlines".
# length = "smart"
# subject = "{{{{ newsletter }}}}: {{{{ lead }}}}"
# template = "digest"
# [newsletters.select]
# tags = []
# authors = []
# languages = []
"""


def _mail(beginning: Beginning) -> str:
    return f"""\
[mail]
# The address that mails come from; its domain should allow your relay (SPF, DKIM).
from = {quoted(beginning.mail_from)}
# reply_to = "desk@example.org"
# editors = ["desk@example.org"]
# "maildir": messages become files in var/outbox and nobody is really mailed. "smtp": they go to the relay below.
transport = "maildir"
# maildir = "var/outbox"
# host = "smtp.example.org"
# port = 587
# "starttls", "implicit" (port 465) or, only to this machine, "none".
# tls = "starttls"
# ca_file = "/etc/ssl/certs/ca-certificates.crt"
# username = "news"
# Better in a file, or in DATELINE_MAIL__PASSWORD, than here.
# password = ""
# password_file = "var/mail-password"
# connections = 10
# Messages a second to this relay; unset: no limit to one on this machine, 10 to any other.
# rate = 10
# Messages a second over all relays together.
# total_rate = 50
# What your provider allows in any hour or day; kept over restarts.
# limits = ["10000 in 1h"]
# A delivery that a crash left in doubt: "resend" (the reader may get it twice) or "hold" (you decide).
# in_doubt = "resend"
# retry_for = "24h"
# flush_every = 20
# power_safe = true
# stop_grace = "10s"

# Further relays, in order, for while the one above cannot be used; the same settings.
# [[mail.relays]]
# host = "smtp2.example.org"
# port = 587
# tls = "starttls"
# username = "news"
# password_file = "var/mail-password-2"

# Bounds for the readers of one provider, which share them.
# [[mail.domains]]
# domains = ["gmail.com", "googlemail.com"]
# connections = 5
# rate = 20
# limits = ["5000 in 1h"]

# Signatures (DKIM); leave them out where your provider signs. `dateline doctor keygen` makes a key.
# [[mail.dkim]]
# domain = "news.example.org"
# selector = "s1"
# key_file = "var/dkim-s1.pem"

[privacy]
# After so long a finished issue's deliveries give way to their totals.
# keep_deliveries = "90d"
"""
