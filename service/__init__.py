"""askwhen decides, for every event of a stream, whether a label for it is worth paying for, and learns from each label."""

__version__ = "0.1.0"
