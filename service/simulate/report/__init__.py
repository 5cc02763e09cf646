"""The page of `--report`: one file with words, plots and a table, that needs no network."""

from service.simulate.report.page import check, page

__all__ = ["check", "page"]
