"""What can go wrong for a client, drawn as one tree; every message is a sentence for a person.

ClientError
├── Unreachable      no answer: nobody listens, the connection broke, or it took too long
├── BadAnswer        an answer, but not as askwhen gives it
└── Refused          the server answered with a problem
    ├── Unauthorized   401, 403: no key, a wrong one, or one that may not do this
    ├── NotFound       404: no such stream or sample
    ├── Conflict       409: the same id came with other content
    ├── Invalid        any other 4xx: the request breaks a rule; `pointers` say where
    ├── Busy           429, 503, 507: short of something; worth another try, `retry_after` seconds later
    └── Broken         any other 5xx: a defect of the server or of something before it
"""

from typing import TypeGuard

from service.client.values import Problem


class ClientError(Exception):
    """The root of the tree."""


class Unreachable(ClientError):
    """Nobody answered."""


class BadAnswer(ClientError):
    """Somebody answered who is not askwhen, or not as this client knows it."""


class Refused(ClientError):
    """A problem document (RFC 9457) instead of an answer."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        """Keep the problem beside its sentence; `retry_after` is in seconds, None where the server did not say."""
        super().__init__(problem.sentence)
        self.problem = problem
        self.status = problem.status
        self.detail = problem.detail
        self.pointers = problem.pointers
        self.retry_after = retry_after


class Unauthorized(Refused):
    """No key, a wrong one, or one that may not do this."""


class NotFound(Refused):
    """No such stream or sample."""


class Conflict(Refused):
    """The same id came with other content."""


class Invalid(Refused):
    """The request breaks a rule."""


class Busy(Refused):
    """The server is short of something; nothing was stored."""


class Broken(Refused):
    """A defect of the server, or of something before it."""


_FAMILIES: dict[int, type[Refused]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    429: Busy,
    503: Busy,
    507: Busy,
}
_FIRST_OF_SERVER = 500


def is_busy(answer: object) -> TypeGuard[Problem]:
    """Whether a line of a batch was refused because the server was short of something."""
    return isinstance(answer, Problem) and _FAMILIES.get(answer.status) is Busy


def refusal(problem: Problem, retry_after: float | None = None) -> Refused:
    """The exception of a problem's family."""
    family = _FAMILIES.get(problem.status, Invalid if problem.status < _FIRST_OF_SERVER else Broken)
    return family(problem, retry_after)
