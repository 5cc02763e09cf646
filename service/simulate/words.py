"""The verdict in plain words, and figures as people read them. Nothing is computed that the verdict does not know."""

from collections.abc import Iterator, Sequence

import msgspec

from service.core.catalogue import effective
from service.simulate.plan import RANDOM, Options
from service.simulate.source import Survey
from service.simulate.verdict import Advice, Needs, Study
from service.simulate.work import Found, FoundErrors

_SHOWN = 3  # rivals


def percent(share: float) -> str:
    """A share, to a tenth of a percent where that says something.

    >>> percent(0.05), percent(0.0312), percent(0.9314)
    ('5 %', '3.1 %', '93.1 %')
    """
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def interval(study: Study, run: Found | FoundErrors) -> str:
    """A run's estimate with its interval, or a dash where nothing can be said."""
    figure = study.figure
    told = figure.told(run.estimate)
    if told.score is None or told.low is None or told.high is None:
        return "–"
    low, high = sorted((told.low, told.high), key=abs)
    return f"{figure.text(told.score)} ({figure.text(low)} to {figure.text(high)})"


def headline(study: Study) -> str:
    """The recommendation in one sentence."""
    advice, score = study.advice, study.figure.text
    point = advice.point
    bought = f"With {percent(point.share)} of the labels ({point.labels:,.0f} of {study.n:,})"
    reached = f"rule {advice.rule} reaches {_article(study.figure.name)} of {score(point.score)}"
    others = f"every label gives {score(study.every.score)}"
    if advice.rule != RANDOM:
        others = f"random asking for as many labels reaches {score(advice.random)}, {others}"
    return f"{bought} {reached}; {others}."


def sentences(study: Study, survey: Survey, options: Options) -> list[str]:
    """What follows from it: savings, money, rivals, and what should give pause."""
    return [*_savings(study), *_money(study, options), *_rivals(study), *_estimate(study), *_pause(study, survey), _configured(study)]


def _configured(study: Study) -> str:
    config = study.plan.config(study.advice.rule, study.advice.point.budget)
    burst = effective(config).budget.burst
    return (
        f"To have it, configure a stream as {msgspec.json.encode(config).decode()}; its start-up grant of {burst} labels is counted here."
    )


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _savings(study: Study) -> Iterator[str]:
    advice = study.advice
    if advice.rule == RANDOM:
        if len(study.plan.rules) > 1:
            yield "No rule does better here than asking at random."
        return
    reference = (
        f"what random asking reaches with {percent(advice.reference.share)} of the labels ({study.figure.text(advice.reference.score)})"
    )
    if advice.needs is None:
        yield f"It does not reach {reference} with any budget that was tried."
    elif not (advice.needs.at_most and advice.needs.labels >= advice.reference.labels):
        yield f"To reach {reference} it needs {_needs(advice.needs, study.n)}."
    if advice.random_needs is None:
        yield "Random asking is not as good as that with any number of labels, every label included."
    elif advice.random_needs.labels > advice.point.labels:
        yield f"To be as good, random asking needs {_needs(advice.random_needs, study.n)}."


def _needs(needs: Needs, n: int) -> str:
    return f"{'at most ' if needs.at_most else ''}{percent(needs.labels / n)}"


def _money(study: Study, options: Options) -> Iterator[str]:
    if options.price is None:
        return
    advice: Advice = study.advice
    paid, every = advice.point.labels * options.price, study.n * options.price
    words = f"At {options.price:,.2f} a label that is {paid:,.2f} instead of {every:,.2f} for every label"
    random = advice.random_needs
    if random is not None and random.labels > advice.point.labels:
        words += f", and {random.labels * options.price:,.2f} for random asking that is as good"
    yield f"{words}."


def _rivals(study: Study) -> Iterator[str]:
    advice = study.advice
    if len(study.plan.rules) > 1 and len(study.plan.seeds) == 1:
        yield "One seed does not tell whether another rule is as good; give more with --seed."
    elif advice.rivals:
        more = len(advice.rivals) - _SHOWN
        names = [*advice.rivals[:_SHOWN], *([f"{more} more"] if more > 0 else [])]
        yield f"As good, for all that {len(study.plan.seeds)} seeds can tell: {_listed(names)}."


def _estimate(study: Study) -> Iterator[str]:
    advice = study.advice
    run = study.runs(advice.rule, advice.point.budget)[0]
    figure = study.figure
    told = figure.told(run.estimate)
    if told.score is None or told.naive is None:
        yield f"From the bought labels alone nothing can be claimed of the {figure.name}: {told.reason}."
        return
    yield (
        f"From the bought labels alone you would be told {interval(study, run)}, the truth being {figure.text(run.score)}; "
        f"the {figure.naive} would have said {figure.text(told.naive)}."
    )


def _pause(study: Study, survey: Survey) -> Iterator[str]:
    said, score = survey.constant
    if study.advice.point.score <= score:
        yield f"That is no better than always saying {said} ({study.figure.text(score)}): try another model with --model."
    if study.figure.enough(study.advice.point.score) > study.every.score:
        yield "Fewer labels did better than every label: the model's step suits few labels, or the stream drifts."
    if survey.prose and study.plan.model.get("type") not in ("auto", "text"):
        yield f"Column {survey.prose[0]!r} looks like prose; --model text reads its words."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
