"""The post store, floor 1: posts, their journal, the database, sources, and the cleaning of HTML that arrives."""
