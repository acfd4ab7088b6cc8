"""`feeds/user_agents.py`: what is kept of a User-Agent, from real ones and from hostile ones."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feeds.user_agents import BROWSER, KNOWN, NOBODY, OTHER, Agent, parse_user_agent


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        pytest.param(
            "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 16 subscribers; like FeedFetcher-Google)",
            Agent("Feedly", "1", 16),
            id="Feedly",
        ),
        pytest.param(
            "Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 3 subscribers; )",
            Agent("Inoreader", "1", 3),
            id="Inoreader",
        ),
        pytest.param(
            "Mozilla/5.0 (compatible; inoreader.com; 7 subscribers)",
            Agent("Inoreader", "", 7),
            id="Inoreader behind Mozilla",
        ),
        pytest.param(
            "NewsBlur Feed Fetcher - 1,234 subscribers - https://www.newsblur.com/site/6865328/the-border"
            ' ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15")',
            Agent("NewsBlur", "", 1234, "6865328"),
            id="NewsBlur",
        ),
        pytest.param(
            "Feedbin feed-id:1373711 - 157 subscribers",
            Agent("Feedbin", "", 157, "1373711"),
            id="Feedbin",
        ),
        pytest.param(
            "Feedbin feed-id:1 - 1 subscriber", Agent("Feedbin", "", 1, "1"), id="one subscriber"
        ),
        pytest.param(
            "Mozilla/5.0 (compatible; theoldreader.com; 2 subscribers; feed-id=5a3b)",
            Agent("The Old Reader", "", 2, "5a3b"),
            id="The Old Reader",
        ),
        pytest.param(
            "Feedfetcher-Google; (+http://www.google.com/feedfetcher.html; 4 subscribers; feed-id=9048986372668769311)",
            Agent("Feedfetcher-Google", "", 4, "9048986372668769311"),
            id="Feedfetcher-Google",
        ),
        pytest.param(
            "Some Reader/2.4 (+https://reader.example; 12 readers)",
            Agent("Some Reader", "2", 12),
            id="readers instead of subscribers",
        ),
        pytest.param(
            "Mozilla/5.0 (compatible; Miniflux/2.2.3; +https://miniflux.app)",
            Agent("Miniflux", "2"),
            id="Miniflux, which says no number",
        ),
        pytest.param(
            "FreshRSS/1.24.3 (Linux; https://freshrss.org)", Agent("FreshRSS", "1"), id="FreshRSS"
        ),
        pytest.param(
            "Tiny Tiny RSS/23.04-0578bf80 (https://tt-rss.org/)",
            Agent("Tiny Tiny RSS", "23"),
            id="Tiny Tiny RSS",
        ),
        pytest.param("newsboat/2.21.0 (Linux x86_64)", Agent("Newsboat", "2"), id="newsboat"),
        pytest.param("curl/8.5.0", Agent("curl", "8"), id="curl"),
        pytest.param(
            "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.6.1",
            Agent("Thunderbird", "115"),
            id="a program behind a browser's words",
        ),
        pytest.param(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0",
            Agent(BROWSER),
            id="a browser",
        ),
        pytest.param("", Agent(NOBODY), id="nothing"),
        pytest.param("Reader for ann@example.org", Agent(OTHER), id="a mail address"),
        pytest.param("192.0.2.7", Agent(OTHER), id="a network address"),
        pytest.param("Reader-4f1bfdb1a9/1.0", Agent(OTHER), id="an id of an installation"),
    ],
)
def test_a_program_is_known_by_its_name_and_what_it_declares(text: str, agent: Agent) -> None:
    assert parse_user_agent(text) == agent


@pytest.mark.parametrize(
    "text",
    [
        "Feedly/1.0 (99999999999 subscribers)",
        "Feedly/1.0 (-5 subscribers)",
        "Feedly/1.0 (1.5 subscribers)",
        "Feedly/1.0 (1e9 subscribers)",
        "Feedly/1.0 (٣ subscribers)",
        "Feedly/1.0 (many subscribers)",
        "Feedly/1.0 (5 subscriberships)",
        "Feedly/1.0 " + "(" * 500 + "5 subscribers",
    ],
)
def test_what_is_no_plain_number_of_subscribers_is_none(text: str) -> None:
    assert parse_user_agent(text) == Agent("Feedly", "1")


pieces = st.sampled_from(
    [
        *(
            "Feedly/1.0",
            "Mozilla/5.0 (compatible; ",
            "feed-id:",
            "feed-id=",
            "/site/",
            " - ",
            "like ",
        ),
        *(
            "12 subscribers",
            "1,234 readers",
            "999999999 subscribers",
            "ann@example.org",
            "10.0.0.7",
        ),
        *("2001:db8::1", "\x00", "\ud800", "'; DROP TABLE posts;--", "<script>", "İ", "9" * 40),
    ]
)
agents = st.one_of(
    st.text(max_size=300),
    st.lists(st.one_of(pieces, st.text(max_size=12)), max_size=30).map("".join),
)


@given(agents)
@example("İ" * 20 + "feedly/9")
@example("Mozilla/5.0 (compatible; " * 40)
def test_whatever_a_user_agent_holds_only_a_short_harmless_name_is_kept(text: str) -> None:
    agent = parse_user_agent(text)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9 ._+-]{0,39}", agent.program)
    if agent.program not in KNOWN.values():
        assert sum(map(str.isdigit, agent.program)) <= 4
    assert re.fullmatch(r"[0-9]{0,4}", agent.major)
    assert re.fullmatch(r"[0-9A-Za-z_-]{0,24}", agent.feed_id)
    assert agent.subscribers is None or 0 <= agent.subscribers <= 999_999_999
