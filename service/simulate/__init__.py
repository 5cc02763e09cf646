"""The service's own core over a labelled stream, in memory: what bought labels would have been worth."""

from service.simulate.run import Label, Pair, Run, Stated, chosen, full, queried, sampled

__all__ = ["Label", "Pair", "Run", "Stated", "chosen", "full", "queried", "sampled"]
