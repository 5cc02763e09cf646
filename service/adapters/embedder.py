"""The extra `embed`: WordLlama's packaged model, a mean of vectors of tokens. Loaded from the package's own files, never from a network."""

from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from service.core import embedder
from service.core.embeddings import embedding_of

_log = structlog.get_logger("askwhen.embedder")
_MOST = 2_000  # characters that are looked at; they take about 3 ms


def offer() -> bool:
    """Have texts embedded in this process, by a model that is loaded when it is first needed; False where the extra is not installed."""
    there = find_spec("wordllama") is not None
    embedder.offer(embed if there else None)
    return there


def prepare(streams: Iterable[str]) -> None:
    """Load the model before these streams need it; says so where it is not there any more."""
    for stream in streams:
        if embedder.embedded("a trial") is None:
            _log.warning("texts are not embedded: pip install 'askwhen[embed]'", stream=stream)


def embed(text: str) -> bytes | None:
    """The mean of the vectors of a text's tokens, 256 numbers; None where there is none."""
    model = load()
    tokens = model.tokenizer.encode(text[:_MOST], add_special_tokens=False).ids
    return embedding_of(np.add.reduce(model.embedding[tokens], axis=0) / len(tokens)) if tokens else None


@cache
def load() -> Any:
    """Load the model, which takes half a second and 60 MB."""
    import wordllama  # noqa: PLC0415 - an extra, and slow

    # The package looks for its tokenizer in a folder of another name than it has; as a cache its own folder is right.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
