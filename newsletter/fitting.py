"""What is shortened so that a mail keeps to its size: whole posts to excerpts, these to headlines, from the end."""

from collections.abc import Callable, Sequence

from newsletter.story import Form, Story

HTML_BYTES = 90_000
"""Gmail clips a mail at about 102 kB of HTML (mail.md 6)."""


def fitting_caps(
    stories: Sequence[Story], excess_bytes: int, size_at: Callable[[Story, Form], int]
) -> dict[int, Form]:
    """How much each post may have (by id) so that `excess_bytes` are saved, or as near as it goes.

    Later posts give way first, the lead last, and nothing is taken from a post that saves nothing. One headline
    always stays. Empty where nothing more can be saved.
    """
    caps: dict[int, Form] = {}
    forms = {story.post: story.form for story in stories}
    for form in (Form.EXCERPT, Form.HEADLINE, Form.MORE):
        for story in reversed(stories[1:] if form is Form.MORE else stories):
            if excess_bytes <= 0:
                return caps
            if forms[story.post] <= form:
                continue
            saved = size_at(story, forms[story.post]) - size_at(story, form)
            if saved > 0:
                caps[story.post] = forms[story.post] = form
                excess_bytes -= saved
    return caps
