"""The nginx file for `public/`: the same answers as `dateline run` gives for feeds, as far as static files can. Pure.

What nginx lacks is cutting deltas (RFC 3229), and making a slug of an old label ("Ciudad Juárez"): those it leaves to
the daemon where there is one behind it, and answers in full, or with 404, where there is none.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, quote_plus, urlsplit

from dateline.redirects import split_address
from feeds.opml import OPML_PATH
from feeds.serving import (
    CORS,
    OF_A_BODY,
    OPML_TYPE,
    PREFLIGHT,
    SHOWN_TYPE,
    STYLED_TYPES,
    cache_control,
    link_header,
    vary,
)
from feeds.spec import MEDIA_TYPES, STYLESHEET_PATH

_FORMATS = "|".join(MEDIA_TYPES)

_OLD_FEEDS: Sequence[tuple[str, str]] = (
    # Blogger
    (r"/feeds/posts/(?:default|summary)/?\?(?:.*&)?alt=rss(?:&.*)?", "/feeds/all.rss"),
    (r"/feeds/posts/(?:default|summary)/?\?(?:.*&)?alt=json.*", "/feeds/all.json"),
    (r"/feeds/posts/(?:default|summary)/?\?.*", "/feeds/all.atom"),
    (r"/feeds/posts/default/-/(?<d1>[a-z0-9-]+)/?\?(?:.*&)?alt=rss(?:&.*)?", "/feeds/tag-$d1.rss"),
    (r"/feeds/posts/default/-/(?<d2>[a-z0-9-]+)/?\?.*", "/feeds/tag-$d2.atom"),
    (r"/(?:atom|feed)\.xml\?.*", "/feeds/all.atom"),  # and Jekyll
    (r"/rss\.xml\?.*", "/feeds/all.rss"),
    # WordPress
    (r"/feed(?:/(?:rss2?|rdf))?/?\?.*", "/feeds/all.rss"),
    (r"/feed/(?<d3>atom|json)/?\?.*", "/feeds/all.$d3"),
    (r"/[0-9]{4}(?:/[0-9]{2}){0,2}/feed(?:/(?:rss2?|rdf))?/?\?.*", "/feeds/all.rss"),
    (r"/[0-9]{4}(?:/[0-9]{2}){0,2}/feed/(?<d11>atom|json)/?\?.*", "/feeds/all.$d11"),
    (r"/\?(?:.*&)?feed=(?<d4>atom|json)(?:&.*)?", "/feeds/all.$d4"),
    (r"/\?(?:.*&)?feed=(?:rss2?|rdf|feed)?(?:&.*)?", "/feeds/all.rss"),
    (
        r"/(?:category|tag)/(?:.+/)?(?<d5>[a-z0-9-]+)/feed/(?<d6>atom|json)/?\?.*",
        "/feeds/tag-$d5.$d6",
    ),
    (r"/(?:category|tag)/(?:.+/)?(?<d7>[a-z0-9-]+)/(?:feed|rss)/?\?.*", "/feeds/tag-$d7.rss"),
    (r"/author/(?<d8>[a-z0-9-]+)/(?:feed|rss)/?\?.*", "/feeds/author-$d8.rss"),  # and Ghost
    # Ghost, Hugo, Jekyll
    (r"/(?:rss/?|index\.xml|posts?/index\.xml)\?.*", "/feeds/all.rss"),
    (r"/(?:tags|categories)/(?<d9>[a-z0-9-]+)/index\.xml\?.*", "/feeds/tag-$d9.rss"),
    (r"/feed/(?:by_tag/|by_category/)?(?<d10>[a-z0-9-]+)\.xml\?.*", "/feeds/tag-$d10.atom"),
    # in one of several languages
    (
        r"/(?<d12>[a-z]{2,3}(?:-[a-z]{2,4})?)/"
        r"(?:feed(?:/(?:rss2?|rdf))?/?|rss/?|index\.xml|rss\.xml)\?.*",
        "/feeds/language-$d12.rss",
    ),
    (
        r"/(?<d13>[a-z]{2,3}(?:-[a-z]{2,4})?)/(?:feed/atom/?|feed\.xml|atom\.xml)\?.*",
        "/feeds/language-$d13.atom",
    ),
    (r"/(?<d14>[a-z]{2,3}(?:-[a-z]{2,4})?)/feed/json/?\?.*", "/feeds/language-$d14.json"),
)
_COMMENTS = (
    r"/comments/feed(?:/[a-z0-9]+)?/?\?.*",
    r"/feeds/(?:comments|[0-9]+/comments)/(?:default|summary|full)/?\?.*",
    r"/\?(?:.*&)?feed=comments-.*",
    r"/\?(?:.*&)?feed=[a-z0-9]*&(?:.*&)?(?:p|page_id)=[0-9].*",
    r"/\?(?:.*&)?(?:p|page_id)=[0-9]+&(?:.*&)?feed=.*",
    # A post's comments: its name is no number, which would be a month or a day.
    r"/[0-9]{4}(?:/[0-9]{2}){0,2}/(?![0-9]+/)[^/]+/feed(?:/(?:rss2?|rdf|atom|json))?/?\?.*",
)


def nginx_text(
    *,
    web_url: str,
    public: str,
    hubs: Sequence[str] = (),
    moved: Mapping[str, str] | None = None,
    gone: Iterable[str] = (),
    daemon: str | None = None,
    listen: str = "80",
) -> str:
    """A file for `/etc/nginx/conf.d/`. `moved` are the redirects of config, each followed to its end; `gone` the documents
    of removed feeds; `daemon` is where `dateline run` listens, None for `public` alone."""
    web = web_url.rstrip("/")
    return "\n".join(
        [
            _HEAD,
            *_maps(web, moved or {}, gone),
            "",
            "server {",
            f"    listen {listen};",
            f"    server_name {_quoted(urlsplit(web).hostname or '_')};",
            f"    root {_quoted(public)};",
            "",
            *_indented(_SERVER, 4),
            "",
            *_documents(web, hubs, daemon),
            "",
            *_others(web),
            "",
            *_missing(web, daemon),
            "}",
            "",
        ]
    )


_HEAD = """\
# Dateline's feeds for nginx, written by `dateline feeds nginx`. Write it again after a change of [web], [websub],
# [[redirects]] or [paths], and when a feed was taken away."""

_SERVER = """\
server_tokens off;
# Compressed by the build, never here. brotli needs Debian's libnginx-mod-http-brotli-static.
gzip off;
gzip_static on;
#brotli_static on;
# As `dateline run`: no parts of documents, and 304 only for the date that was sent.
max_ranges 0;
if_modified_since exact;"""


def _maps(web: str, moved: Mapping[str, str], gone: Iterable[str]) -> list[str]:
    """What becomes of addresses that are no file: a target, or "gone"."""
    rules = [(_pattern(from_), _target(to, web)) for from_, to in _by_weight(moved)]
    return [
        'map "$uri?$args" $dateline_moved {',
        '    default "";',
        *(f"    {_quoted('~' + pattern)} {_quoted(to)};" for pattern, to in rules),
        "}",
        'map "$uri?$args" $dateline_old {',
        '    default "";',
        *(f'    {_quoted(f"~^{pattern}$")} "{path}";' for pattern, path in _OLD_FEEDS),
        "}",
        'map "$uri?$args" $dateline_gone {',
        '    default "";',
        *(f"    {_quoted(f'~^{re.escape(path)}[?]')} 1;" for path in sorted(gone)),
        *(f"    {_quoted(f'~^{pattern}$')} 1;" for pattern in _COMMENTS),
        "}",
        "map $uri $dateline_varies {",
        f"    default {_quoted(vary(is_styled=True))};",
        f"    ~[.]json$ {_quoted(vary(is_styled=False))};",
        "}",
    ]


def _by_weight(moved: Mapping[str, str]) -> list[tuple[str, str]]:
    """The rules with most parameters first: nginx takes the first pattern that fits."""
    return sorted(moved.items(), key=lambda rule: -len(split_address(rule[0])[1]))


def _pattern(from_: str) -> str:
    path, parameters = split_address(from_)
    wanted = "".join(
        f"(?=(?:.*&)?{_spelt(name)}={_spelt(value)}(?:&|$))" for name, value in sorted(parameters)
    )
    return f"^{re.escape(path)}[?]{wanted}"


def _spelt(text: str) -> str:
    """A pattern for a part of a query, which nginx sees as it was sent."""
    ways = sorted({text, quote(text, safe=""), quote_plus(text)})
    return f"(?:{'|'.join(re.escape(way) for way in ways if ' ' not in way)})"


def _target(to: str, web: str) -> str:
    return _literal(web + to if to.startswith("/") else to)


def _documents(web: str, hubs: Sequence[str], daemon: str | None) -> list[str]:
    name = rf"(?<document>[a-z0-9][a-z0-9-]*\.(?:{_FORMATS}))"
    part = rf"(?<document>[a-z0-9][a-z0-9-]*/archive/[0-9]+\.(?:{_FORMATS}))"
    own = _literal(f"{web}/feeds/") + "$document"
    return [
        *_location(name, "@page", _of_feed(cache_control("/feeds/all.atom"), own, hubs), daemon),
        *_location(
            part,
            "@page_of_archive",
            _of_feed(cache_control("/feeds/all/archive/00001.atom"), own, ()),
            None,
        ),
    ]


def _links(own: str, hubs: Sequence[str]) -> str:
    """The Link header; `own` ends with nginx's variable, which the pattern lets be nothing but a name."""
    place = "https://document.invalid/"
    return _literal(link_header(place, hubs)).replace(place, own)


def _of_feed(holds: str, own: str, hubs: Sequence[str]) -> list[str]:
    return _headers(
        ("Cache-Control", holds),
        ("Vary", "$dateline_varies"),
        ("Link", _links(own, hubs)),
        *CORS,
        *OF_A_BODY,
    )


def _location(pattern: str, page: str, headers: Sequence[str], daemon: str | None) -> list[str]:
    """Documents, and the same as `page` for a browser that opens one: it shows no XML that has a type of feeds.

    A document that is not there goes the way of an error: looking for it first, with `try_files`, costs each answer a
    fifth.
    """
    shown = {
        ending: SHOWN_TYPE if media_type in STYLED_TYPES else media_type
        for ending, media_type in MEDIA_TYPES.items()
    }
    lines = [
        *_types(MEDIA_TYPES),
        *headers,
        *_preflight(),
        f"error_page 419 = {page};",
        "if ($http_sec_fetch_dest = document) { return 419; }",
    ]
    if daemon:
        lines += [
            "# A reader that asks for what changed gets it from the daemon (RFC 3229).",
            "error_page 418 = @missing;",
            "if ($http_a_im) { return 418; }",
        ]
    return [
        rf'    location ~ "^/feeds/{pattern}\z" {{',
        *_indented("\n".join(lines), 8),
        "        error_page 404 = @missing;",
        "        log_not_found off;",
        "    }",
        f"    location {page} {{",
        *_indented("\n".join([*_types(shown), *headers]), 8),
        "        try_files $uri @missing;",
        "    }",
    ]


def _types(types: Mapping[str, str]) -> list[str]:
    by_type: dict[str, list[str]] = {}
    for ending, media_type in types.items():
        by_type.setdefault(media_type, []).append(ending)
    return [
        "types {",
        *(
            f'    "{media_type}; charset=utf-8" {" ".join(endings)};'
            for media_type, endings in by_type.items()
        ),
        "}",
    ]


def _others(web: str) -> list[str]:
    lines = [
        f'types {{ "{OPML_TYPE}; charset=utf-8" opml; }}',
        *_headers(
            ("Cache-Control", cache_control(OPML_PATH)),
            ("Vary", vary(is_styled=False)),
            ("Link", _literal(link_header(web + OPML_PATH, ()))),
            *CORS,
            *OF_A_BODY,
        ),
        *_preflight(),
        "try_files $uri @missing;",
    ]
    return [
        f"    location = {OPML_PATH} {{",
        *_indented("\n".join(lines), 8),
        "    }",
        f"    location = {STYLESHEET_PATH} {{",
        *_indented("\n".join(_headers(("Cache-Control", cache_control(STYLESHEET_PATH)))), 8),
        "        try_files $uri @missing;",
        "    }",
        "    # The compressed files are for the documents beside them, and what begins with a dot is not finished.",
        r'    location ~ "/\.(?!well-known/)|\.(?:gz|br)\z" { return 404; }',
        "    location / {",
        "        try_files $uri $uri/index.html @missing;",
        "    }",
    ]


def _preflight() -> list[str]:
    return [
        "if ($request_method = OPTIONS) {",
        *_indented_headers(PREFLIGHT),
        "    return 204;",
        "}",
    ]


def _missing(web: str, daemon: str | None) -> list[str]:
    if daemon:
        lines = [
            "# Pages, redirects and removed feeds are the daemon's.",
            f"proxy_pass http://{daemon};",
            "proxy_set_header Host $http_host;",
            "proxy_set_header X-Forwarded-For $remote_addr;",
            "proxy_set_header X-Forwarded-Proto $scheme;",
        ]
    else:
        said = "This feed was removed for good; please stop asking for it.\\n"
        said += f"The feeds that there are: {_literal(web)}/feeds/\\n"
        told = (("Cache-Control", "public, max-age=86400"), *CORS)
        lines = [
            "types { }",
            'default_type "text/plain; charset=utf-8";',
            *_headers(*told),
            "if ($dateline_moved) { return 301 $dateline_moved; }",
            "if ($dateline_gone) {",
            *(f"    {line}" for line in _headers(*told, always=True)),
            f'    return 410 "{said}";',
            "}",
            f'if (-f $document_root$dateline_old) {{ return 301 "{_literal(web)}$dateline_old"; }}',
            "return 404;",
        ]
    return ["    location @missing {", *_indented("\n".join(lines), 8), "    }"]


def _headers(*headers: tuple[str, str], always: bool = False) -> list[str]:
    end = " always;" if always else ";"
    return [
        f"add_header {name} {value if value.startswith('$') else _quoted(value)}{end}"
        for name, value in headers
    ]


def _indented_headers(headers: Sequence[tuple[str, str]]) -> list[str]:
    return [f"    {line}" for line in _headers(*headers)]


def _indented(text: str, spaces: int) -> list[str]:
    return [" " * spaces + line if line else line for line in text.split("\n")]


def _literal(text: str) -> str:
    """An address in which nginx sees no variable of its own."""
    return text.replace("$", "%24")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
