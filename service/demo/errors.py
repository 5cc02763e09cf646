"""What can go wrong in a demo beside what its client reports, drawn as one tree; every message is meant for the person at the terminal.

DemoError
├── ServerFailed  the server that was started here did not come up, or went away
└── NoPicture     what draws is not installed
"""


class DemoError(Exception):
    """The root: `str()` of it is a sentence for a person."""


class ServerFailed(DemoError):
    """The server process ended before its time, or never became ready."""


class NoPicture(DemoError):
    """matplotlib is not installed."""
