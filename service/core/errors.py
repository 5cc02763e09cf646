"""Everything that askwhen raises on purpose. HTTP words do not belong here: `service.api.errors` has the table of statuses.

AskwhenError
├── Invalid                 the input breaks a rule; `pointer` says where
├── UnknownStream           no stream of that name
├── UnknownSample           no such sample is held
├── Conflict                the same id with other content
├── TooLarge                the input is larger than a limit
├── Unavailable             the log does not answer; try again
│   └── StorageFull         the disk is full; make room, then try again
├── FolderInUse             another server holds the data folder
├── Unusable                a file that a setting names is not what it should be
├── IncompatibleData        the data folder was written by another askwhen
├── CannotExport            the labelled data cannot be written as asked
└── CorruptLog              the log contradicts itself
"""

_LONGEST = 200  # characters of a name in a pointer


class AskwhenError(Exception):
    """The root of the tree."""


class Invalid(AskwhenError):
    """An input that breaks a rule.

    `pointer` is the RFC 6901 JSON pointer to the offending place (`""` is the whole document), `detail` says what is wrong there.
    """

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or '/'}: {detail}")
        self.pointer = pointer
        self.detail = detail


def below(pointer: str, name: str) -> str:
    """The JSON pointer to a member of the object at `pointer`; a long name is cut short.

    >>> below("/features", "a/b")
    '/features/a~1b'
    """
    return f"{pointer}/{name[:_LONGEST].replace('~', '~0').replace('/', '~1')}"


class UnknownStream(AskwhenError):
    """No stream of that name."""


class UnknownSample(AskwhenError):
    """No such sample is held."""


class Conflict(AskwhenError):
    """The same id came with other content."""


class TooLarge(AskwhenError):
    """The input is larger than a limit."""


class Unavailable(AskwhenError):
    """The log does not answer; nothing was stored."""


class StorageFull(Unavailable):
    """The disk is full; nothing was stored."""


class FolderInUse(AskwhenError):
    """Another server holds the data folder."""


class Unusable(AskwhenError):
    """A file that a setting names is not what it should be."""


class IncompatibleData(AskwhenError):
    """The data folder was written by another askwhen."""


class CannotExport(AskwhenError):
    """The labelled data cannot be written as asked."""


class CorruptLog(AskwhenError):
    """The log contradicts itself."""
