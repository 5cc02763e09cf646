"""What an evaluation says, as the client reads it; figures are None where nothing can be claimed, and `reason` says why."""

import msgspec


class Figures(msgspec.Struct, frozen=True):
    """Accuracy over `n` samples, of which a share `covers` could have been asked, with a 95 % interval; `naive` is that of the answers.

    Of a regression stream `mae` takes its place, with `low`, `high` and `naive`, and `rmse` has an interval of its own.
    """

    n: int
    covers: float
    asked: int
    answered: int
    low: float | None
    high: float | None
    naive: float | None
    effective: float | None  # labels of random sampling that the interval is worth
    reason: str | None
    accuracy: float | None = None
    macro_f1: float | None = None
    kappa: float | None = None
    log_loss: float | None = None
    mae: float | None = None
    rmse: float | None = None
    rmse_low: float | None = None
    rmse_high: float | None = None
    inside: float | None = None  # share of labels within the predictions' intervals


class OfClass(msgspec.Struct, frozen=True):
    """How well a class is told from the others."""

    answered: int
    share: float  # of all traffic
    precision: float | None
    recall: float | None
    f1: float | None


class Part(msgspec.Struct, frozen=True):
    """Accuracy, or the mean absolute error, over the traffic with one value of a slice."""

    asked: int
    answered: int
    share: float | None  # of all traffic
    low: float | None
    high: float | None
    naive: float | None
    reason: str | None
    accuracy: float | None = None
    mae: float | None = None


class Spent(msgspec.Struct, frozen=True):
    """Answers that were bought, and their price."""

    labels: int
    money: float | None
    currency: str | None


class Saved(msgspec.Struct, frozen=True):
    """Labels that random asking would have needed, and how many more than were bought; `high` None: perhaps none would do."""

    random: int | None
    labels: int | None
    low: int | None
    high: int | None
    money: float | None
    reason: str | None


class Evaluation(msgspec.Struct, frozen=True):
    """A stream's figures: of the last 2,000 samples, the last 500, and since the start, by class and by slice (of the last 2,000)."""

    covers: float
    window: Figures
    recent: Figures
    total: Figures
    slices: dict[str, dict[str, Part]]
    spent: Spent
    saved: Saved
    classes: dict[str, OfClass] = {}
