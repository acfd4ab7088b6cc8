"""Everything a feed reader sees, floor 2: from a post to an entry, from entries to the document at one URL."""
