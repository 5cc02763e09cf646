"""What stands for text in columns, vectors and models: its hash, so that erased text has to be looked for in none of them."""

from functools import lru_cache
from hashlib import blake2b

WORD = "\x1f"  # what the name of a column begins with that stands for a word of a text, where others may stand beside it
LONG = 100  # characters; longer words and values are not kept at hand
_RECENT = 65_536  # hashes that are


def token(word: str) -> str:
    """Return what stands for a word in columns and models: 16 hex digits of its BLAKE2b hash.

    >>> token("day")
    '24d40f22980b7da2'
    """
    return recent_token(word) if len(word) <= LONG else _hashed(word)


def _hashed(word: str) -> str:
    return blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


recent_token = lru_cache(_RECENT)(_hashed)  # for words of at most 100 characters


@lru_cache(_RECENT)
def column_of(name: str, value: str) -> str:
    """Return the one-hot column of a string value of at most 100 characters: the feature's name and the value's token."""
    return f"{name}={_hashed(value)}"


def is_word(column: str) -> bool:
    """Whether a column stands for a word of a text that was noticed."""
    return column.startswith(WORD)
