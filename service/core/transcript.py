"""The chain of hashes that tells what a stream served: one link an event, of its position, outcome and the probabilities before learning.

An erasure takes out of the log what the probabilities were made of. Where that had taught, nothing can be told of what was served
from the beginning until a model without it serves: the transcript is suspended until then, and begins anew.
"""

from hashlib import blake2b

from service.core.digest import canonical_probabilities
from service.core.records import Applied

START = b"\0" * 32
SUSPENDED = b""


def link(transcript: bytes, seq: int, applied: Applied, probabilities: dict[str, float]) -> bytes:
    """Return the transcript (32 bytes) after the event at `seq`."""
    digest = blake2b(transcript, digest_size=32)
    digest.update(f"{seq}|{applied.outcome}|{applied.model_version}|".encode())
    digest.update(canonical_probabilities(probabilities))
    return digest.digest()
