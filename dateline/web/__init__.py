"""The public pages: front page, posts, issues, feeds, and the subscriber's own pages."""
