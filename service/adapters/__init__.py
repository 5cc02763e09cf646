"""The driven side: one technology a module."""
