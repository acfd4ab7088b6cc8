import pytest

from posts.bidi import isolated


@pytest.mark.parametrize("name", ["نور حداد", "לחם", "Noor حداد"])
def test_a_name_from_right_to_left_is_kept_apart_from_its_neighbours(name):
    assert isolated(name) == f"\u2068{name}\u2069"


@pytest.mark.parametrize("name", ["Ana Ruiz", "María", "李雷", "Иван", "", "4 · x"])
def test_any_other_name_stays_as_it_is(name):
    assert isolated(name) == name
