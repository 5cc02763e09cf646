"""The extra `embed`: its model is there without a network, gives the same every time, and knows what words mean."""

import socket

import numpy as np
import pytest

from service.adapters import embedder
from service.core.catalogue import effective
from service.core.embeddings import numbers_of

pytest.importorskip("wordllama")


@pytest.fixture
def offered():
    """Texts are embedded as a server does it."""
    embedder.offer()


def alike(one, other):
    """The cosine of two texts."""
    a, b = numbers_of(embedder.embed(one)), numbers_of(embedder.embed(other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_it_loads_from_its_package_alone(monkeypatch):
    """Nothing is asked of a network."""

    def refuse(*_arguments):
        raise AssertionError("a network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    embedder.load.cache_clear()

    assert len(embedder.embed("hello")) == 4 * 256


def test_texts_that_mean_the_same_are_alike():
    """Without a word in common."""
    assert alike("the price of a flight to Paris", "airfare for travel in France") > alike(
        "the price of a flight to Paris", "a recipe for soup with chicken"
    )


def test_it_is_the_package_s_own_mean():
    """Of the vectors of all tokens, to the bit every time."""
    text = "what is the process for ordering new checks"

    assert np.allclose(numbers_of(embedder.embed(text)), embedder.load().embed(text)[0], atol=1e-6)
    assert embedder.embed(text) == embedder.embed(text)


@pytest.mark.parametrize("text", ["", "🦊", "word " * 13_000, "\x00", "日本語"])
def test_any_text_is_taken(text):
    """Of a long one the beginning counts; one without tokens has no embedding."""
    embedding = embedder.embed(text)

    assert embedding is None if not text else np.isfinite(numbers_of(embedding)).all()
    assert embedder.embed("word " * 13_000) == embedder.embed("word " * 400)


@pytest.mark.usefixtures("offered")
def test_with_it_a_stream_may_embed_its_text():
    """The configuration is taken."""
    assert effective({"model": {"type": "text", "params": {"embed": True}}}).model.params["embed"]
