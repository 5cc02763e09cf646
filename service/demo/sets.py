"""The real data sets that the demo streams, with what is said of them and the model that fits. Data and names; nothing is sent."""

from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from service.simulate import Pair
from service.simulate.datasets import shipped

Name = Literal["shuttle", "phishing", "image-segments", "bananas"]

DEFAULT: Name = "shuttle"


class DemoSet(NamedTuple):
    """A data set that River brings along."""

    about: str
    model: str
    classes: Mapping[Any, str]  # River's label -> a word for it; empty where River's are words
    limit: int | None  # samples that are sent unless told otherwise


SETS: Mapping[Name, DemoSet] = MappingProxyType(
    {
        "shuttle": DemoSet("telemetry of a space shuttle's radiators: is it normal?", "logistic", {0: "normal", 1: "anomaly"}, 10_000),
        "phishing": DemoSet("properties of web sites: is it phishing?", "logistic", {False: "legitimate", True: "phishing"}, None),
        "image-segments": DemoSet("colours and edges of outdoor pictures: which of 7 surfaces is it?", "logistic", {}, None),
        "bananas": DemoSet("points of two banana-shaped clouds: which one?", "knn", {False: "left", True: "right"}, None),
    }
)


def pairs(name: Name, limit: int | None = None) -> list[Pair]:
    """The samples with their true labels, in stream order, at most `limit`."""
    words = SETS[name].classes
    return [(features, words.get(label, str(label))) for features, label in islice(shipped(name), limit)]


def config(name: Name, rate: float) -> dict[str, Any]:
    """The stream's configuration, as a user would PUT it."""
    return {"model": {"type": SETS[name].model}, "budget": {"rate": rate, "burst": BURST, "price": PRICE, "currency": CURRENCY}}


BURST = 50  # questions to begin with
PRICE = 0.40  # of a label
CURRENCY = "EUR"
