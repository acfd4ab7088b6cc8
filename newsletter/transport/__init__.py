"""What takes messages: SMTP relays and a maildir, both behind `base.Transport`."""
