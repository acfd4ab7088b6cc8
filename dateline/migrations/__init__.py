"""The migrations: what turns an older database into the one that the code declares.

A migration that was released is never edited. A new one is written by

    python -m dateline.migrations.generate "what it does"

and then read and corrected by hand; `tests/dateline/test_migrations.py` says when one is missing. Until the first
release there is only 0001; `python -m dateline.migrations.generate --initial` writes it anew.
"""
