"""Everything a subscriber sees, floor 2: from the journal to an issue, from an issue to a mail, and the ledger of who got it."""
