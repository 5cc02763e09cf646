"""What can go wrong for a client, drawn as one tree; every message is meant for the person at the terminal.

ClientError
├── Unreachable   no answer from the server
├── Refused       the server answered with a problem
├── BadFile       a file of labels that cannot be read
└── ServerFailed  a server that was started here did not come up, or went away
"""


class ClientError(Exception):
    """The root: `str()` of it is a sentence for a person."""


class Unreachable(ClientError):
    """Nobody answers at that address."""


class Refused(ClientError):
    """A problem document (RFC 9457) instead of an answer."""

    def __init__(self, status: int, detail: str) -> None:
        """Keep the status beside the sentence."""
        super().__init__(detail)
        self.status = status


class BadFile(ClientError):
    """A file of labels that is missing, damaged, or lacks a column."""


class ServerFailed(ClientError):
    """The server process ended before its time, or never became ready."""
