"""Mirrors `newsletter/transport/`."""
