"""Alembic migrations; the newest revision is what the code's tables declare."""
