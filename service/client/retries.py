"""When a request is sent again, and after how long. Values and arithmetic; who sends and sleeps is tenacity with one of the clients.

tenacity and not stamina, which is built on it: stamina's switches and its log of retries belong to the whole process, and a library
must leave its user's process alone.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from tenacity import RetryCallState, retry_if_exception_type, stop_after_attempt, stop_any, stop_before_delay
from tenacity.retry import retry_base
from tenacity.stop import stop_base

from service.client.calls import Unfinished
from service.client.errors import Busy, Unreachable


class Arguments(TypedDict):
    """What both of tenacity's controllers take."""

    stop: stop_base
    wait: Callable[[RetryCallState], float]
    retry: retry_base
    retry_error_callback: Callable[[RetryCallState], Any]


@dataclass(frozen=True, slots=True)
class Retries:
    """How patient a client is with a server that does not answer or is short of something (429, 503, 507).

    At most `attempts` tries, none of which begins more than `deadline` seconds after the first. Between them it waits `first`
    seconds, doubled each time up to `longest`, of which a random half is taken off, so that clients that were refused together do not
    come back together. Where the server says `Retry-After` it waits at least so long, or gives up at once if that is past the deadline.
    Lines of a batch that were refused for such a reason are sent again within the same bounds.
    """

    attempts: int = 10  # with these waits about half a minute, in which a server has started again
    deadline: float = 60.0  # seconds
    first: float = 0.2  # seconds
    longest: float = 10.0  # seconds

    def arguments(self) -> Arguments:
        """For `tenacity.Retrying` or `tenacity.AsyncRetrying`."""
        stop = stop_any(stop_after_attempt(self.attempts), stop_before_delay(self.deadline))
        return {"stop": stop, "wait": self._after, "retry": retry_if_exception_type((Busy, Unreachable)), "retry_error_callback": _given_up}

    def wait(self, attempt: int, retry_after: float | None = None) -> float:
        """Seconds to wait after that attempt, counted from 1, failed."""
        most = min(self.longest, self.first * 2.0 ** min(attempt - 1, 60))
        return (retry_after or 0.0) + most * random.uniform(0.5, 1.0)

    def _after(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        return self.wait(state.attempt_number, error.retry_after if isinstance(error, Busy) else None)


def _given_up(state: RetryCallState) -> Any:
    """What stands at the end: the exception of the last try, or the answers of a batch with the problems of its last lines."""
    outcome = state.outcome
    error = outcome.exception() if outcome is not None else None
    if isinstance(error, Unfinished):
        return error.answers
    raise error or AssertionError


ONCE = Retries(attempts=1)
