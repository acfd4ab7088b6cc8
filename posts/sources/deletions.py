"""May the posts whose files are gone be withdrawn, or has something happened to the folder? Pure (DESIGN.md 8.10)."""

_FEW = 5
_SHARE = 5


def deletions_held(*, known: int, missing: int, is_empty: bool) -> str | None:
    """Why nothing is withdrawn, or None where it may be: of `known` posts `missing` are gone, together.

    A folder that holds no post any more is more likely unmounted than emptied; and more than five that are a fifth of
    all are more likely a mistake than a decision.
    """
    if not missing:
        return None
    if is_empty:
        return f"holds no post any more, and held {known}; none of them is withdrawn."
    if missing > _FEW and missing * _SHARE >= known:
        return f"has lost {missing} of {known} posts at once; none of them is withdrawn."
    return None
