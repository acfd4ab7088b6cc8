"""The sample newsroom of `dateline demo`."""
