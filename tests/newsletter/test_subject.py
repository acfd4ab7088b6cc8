"""Subjects of digests."""

import pytest

from newsletter.subject import cut_at_word, subject_line
from newsletter.words import Words
from posts.errors import TemplateError
from tests.newsletter.mail_samples import a_newsletter


def subject(lead: str = "The ferry is back", others: int = 4, **values: object) -> str:
    usual: dict[str, object] = {
        "words": Words("en"),
        "date": "Tuesday, September 15, 2009",
        "number": 128,
        "previous": None,
        "newsletter": a_newsletter(),
    }
    given = usual | values
    newsletter = given.pop("newsletter")
    return subject_line(newsletter, lead=lead, others=others, **given)  # type: ignore[arg-type]


def test_a_subject_is_the_leads_headline_and_the_number_of_the_others() -> None:
    assert subject() == "The ferry is back + 4 more"
    assert subject(words=Words("es")) == "The ferry is back + 4 más"
    assert subject(others=0) == "The ferry is back"


def test_a_long_headline_is_cut_at_a_word_to_70_characters() -> None:
    lead = "Council votes to reopen the night market after two years of hearings and delays"
    assert subject(lead) == (
        "Council votes to reopen the night market after two years of hearings… + 4 more"
    )
    assert len(subject(lead).partition(" +")[0]) <= 70


@pytest.mark.parametrize("length", range(60, 80))
def test_no_cut_is_longer_than_asked(length: int) -> None:
    text = "word and others " * 10
    assert len(cut_at_word(text, length)) <= length
    assert len(cut_at_word("x" * 300, length)) == length


def test_the_same_subject_never_comes_twice_running() -> None:
    assert subject(previous="The ferry is back + 4 more") == "The ferry is back + 4 more · No. 128"
    assert subject(previous="The ferry is back + 4 more", number=None) == (
        "The ferry is back + 4 more · Tuesday, September 15, 2009"
    )


def test_an_editors_template_makes_the_subject() -> None:
    newsletter = a_newsletter(
        subject="{{ newsletter }} {{ number }}: {{ lead }}{% if more %} (+{{ more }}){% endif %}"
    )
    assert subject("Salt & bread", newsletter=newsletter) == "The Daily Line 128: Salt & bread (+4)"


@pytest.mark.parametrize("template", ["{{ nobody }}", "{% if %}", "{{ ''.__class__.__mro__ }}"])
def test_a_subject_template_with_an_error_is_named(template: str) -> None:
    with pytest.raises(TemplateError, match=r"newsletters\.daily\.subject"):
        subject(newsletter=a_newsletter(subject=template))
