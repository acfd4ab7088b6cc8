"""The application, floor 3: command line, config, clock, actions, web pages and migrations."""

__version__ = "0.1.0"
