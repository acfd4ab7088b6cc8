"""A bad template holds back its own newsletter and no other, and nobody gets an empty mail."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline.actions.compose import compose, tick
from dateline.actions.deliver import deliver
from dateline.actions.poll import poll
from dateline.actions.release import release
from dateline.actions.subscribers import add
from dateline.config import load_config
from dateline.press import Press, open_press
from newsletter.issues import IssueStatus, get_issue
from newsletter.tables import deliveries, issues
from posts.database import reading
from posts.errors import TemplateError
from tests.actions.mailing import CONFIG, Clock, a_post, a_press

SECOND = """
[[newsletters]]
slug = "second"
title = "Second"
schedule = "0 18 * * *"
template = "theirs"
"""
LEAVE = '{% if not web %}<a href="{{ reader.unsubscribe_url }}">x</a>{% endif %}'


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A press with two newsletters, of which the second has a template of its own, and a reader of each."""
    clock = Clock()
    a_press(tmp_path, clock)
    (tmp_path / "mine/mail").mkdir(parents=True)
    config = CONFIG.replace("[site]\n", '[site]\ntemplates = "mine"\n')
    (tmp_path / "config.toml").write_text(config.replace("[mail]", SECOND + "\n[mail]"), "utf-8")
    write(tmp_path, "{{ days }}\n{{ reader.unsubscribe_url }}\n", "{{ days }}" + LEAVE)
    press = open_press(load_config(tmp_path / "config.toml", {}), tmp_path, clock=clock)
    for slug in ("daily", "second"):
        add(press, f"{slug}@example.net", slug, consent="asked")
    return press


def write(folder: Path, text: str, html: str) -> None:
    """The template of the second newsletter."""
    (folder / "mine/mail/theirs.txt.j2").write_text(text, "utf-8")
    (folder / "mine/mail/theirs.html.j2").write_text(html, "utf-8")


def list_deliveries(press: Press) -> list[str]:
    """The newsletters that have deliveries."""
    with reading(press.engine) as conn:
        query = sa.select(issues.c.newsletter).join(deliveries, deliveries.c.issue == issues.c.id)
        return [row.newsletter for row in conn.execute(query)]


BAD = [
    pytest.param("", "{{ days }}" + LEAVE, "renders nothing", id="nothing"),
    pytest.param(
        "{{ days }}{{ reader.unsubscribe_url }}",
        "{% if reader.name == 'Ana' %}{{ days }}{% endif %}" + LEAVE,
        "can only be printed",
        id="logic by reader",
    ),
    pytest.param(
        "{{ days }}{{ reader.unsubscribe_url }}", "{{ days }}{{ 1 // 0 }}", "Zero", id="raises"
    ),
]


@pytest.mark.parametrize(("text", "html", "reason"), BAD)
def test_an_issue_with_a_bad_template_is_not_released(
    press: Press, text: str, html: str, reason: str
) -> None:
    a_post(press, "News")
    poll(press)
    made = compose(press, "second").issue
    assert made is not None
    write(press.folder, text, html)
    with pytest.raises(TemplateError, match=reason) as refused:
        release(press, made.id)
    assert "theirs." in refused.value.where
    with reading(press.engine) as conn:
        assert get_issue(conn, made.id).status is IssueStatus.DRAFT
    assert list_deliveries(press) == []
    with pytest.raises(TemplateError, match=reason):
        compose(press, "second")


@pytest.mark.parametrize(("text", "html", "reason"), BAD)
def test_other_newsletters_go_out_and_the_mended_one_follows(
    press: Press, text: str, html: str, reason: str
) -> None:
    write(press.folder, text, html)
    a_post(press, "News")
    tick(press)
    assert isinstance(press.clock, Clock)
    press.clock.turn(hours=1, minutes=5)
    tick(press)
    press.clock.turn(minutes=30)
    [bad] = [one for one in tick(press) if one.error]
    assert (bad.newsletter, reason in str(bad.error)) == ("second", True)
    assert list_deliveries(press) == ["daily"]
    write(press.folder, "{{ days }}{{ reader.unsubscribe_url }}", "{{ days }}" + LEAVE)
    tick(press)
    assert list_deliveries(press) == ["daily", "second"]
    assert deliver(press).sent == 2
