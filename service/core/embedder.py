"""What embeds a text: put here once a process by who may load it (`service.adapters.embedder`). The core knows what it gives, not how.

Its vectors stand in the events that teach, so that a replay asks for it only where an older answer is learned by another model.
"""

from typing import Protocol


class Embedder(Protocol):
    """Turns a text into an embedding, the same for the same text on one machine; None for a text without words that it knows."""

    def __call__(self, text: str) -> bytes | None:
        """Embed a text."""
        ...


class _Place:
    embedder: Embedder | None = None


def offer(embedder: Embedder | None) -> None:
    """Have texts embedded by this one, or by none."""
    _Place.embedder = embedder


def embedded(text: str) -> bytes | None:
    """Embed a text; None where nothing can, and its words have to do. The first one may take a second."""
    return None if _Place.embedder is None else _Place.embedder(text)
