"""`askwhen whatif`, in reading order: read the log, replay it, tell, write. Returns an exit code."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from service.adapters.sqlite import SqliteReader, database_of
from service.core.errors import AskwhenError, Invalid, UnknownStream
from service.core.tasks import REGRESSION
from service.simulate.command import sentence
from service.simulate.files import check_place, write_whole
from service.simulate.pool import interruptible
from service.tabular import BadFile
from service.whatif.finding import Finding
from service.whatif.judge import Judge, replays_of
from service.whatif.past import Located, Past
from service.whatif.plan import Options, alternatives
from service.whatif.screen import introduction, progress, show

FAILED, REFUSED, INTERRUPTED = 1, 2, 130


def whatif(options: Options) -> int:
    """Tell; 0 if all was answered, 2 where something was refused or was no use, 1 if the disk failed, 130 if interrupted."""
    errors = Console(stderr=True, highlight=False)
    try:
        with interruptible():
            return _Command(options, errors).run()
    except (BadFile, Invalid) as error:
        return _said(errors, sentence(error), REFUSED)
    except AskwhenError as error:
        return _said(errors, str(error), REFUSED)
    except OSError as error:
        return _said(errors, str(error), FAILED)
    except KeyboardInterrupt:
        errors.print("interrupted; nothing was written", style="yellow")
        return INTERRUPTED


def _said(errors: Console, words: str, code: int) -> int:
    errors.print(f"askwhen: {words}", style="red", markup=False, soft_wrap=True)
    return code


class _Command:
    def __init__(self, options: Options, errors: Console) -> None:
        self._options = options
        self._errors = errors
        self._console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, force_terminal=False)

    def run(self) -> int:
        """Everything."""
        options = self._options
        wanted = list(alternatives(options))
        if options.json is not None:
            check_place(options.json, database_of(options.folder))
        past = _past(options.folder, options.stream)
        if past.config.task == REGRESSION:
            raise Invalid("/task", "what-ifs are told of streams whose labels are classes")
        for alternative in wanted:
            alternative.of(past.config, past.config.model)
        view = past.view
        words = introduction(options.stream, view.seen, len(view.rows), int(view.rows.answered.sum()))
        self._errors.print(words, markup=False, soft_wrap=True)
        with progress(self._errors, sum(replays_of(alternative, options.replays) for alternative in wanted)) as step:
            judge = Judge(past, options.replays, step)
            found = [judge.find(alternative) for alternative in wanted]
        same = any(alternative.same_questions for alternative in wanted)
        show(self._console, judge.now, found, past.config.budget.currency, same=same)
        if options.json is not None:
            self._write(options.json, _record(options, judge.now, zip(wanted, found, strict=True)))
        return REFUSED if any(one.reason is not None for one in found) else 0

    def _write(self, path: Path, record: dict[str, Any]) -> None:
        content = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
        write_whole(path, content)
        self._console.print(f"{path} ({len(content):,} bytes)", markup=False, soft_wrap=True)


def _past(folder: Path, stream: str) -> Past:
    """The past of a stream up to this moment, beside a server that goes on; raises `UnknownStream`."""
    reader = SqliteReader(database_of(folder))
    try:
        upto = reader.last(stream)
        if not upto:
            known = ", ".join(reader.streams()) or "none"
            raise UnknownStream(f"there is no stream {stream!r} in this folder; there are: {known}")

        def read() -> Iterable[Located]:
            return reader.read(stream, 0, upto)

        return Past(read)
    finally:
        reader.close()


def _record(options: Options, now: Finding, found: Iterable[tuple[Any, Finding]]) -> dict[str, Any]:
    """What `--json` writes."""
    rows = [{"patch": alternative.patch, **msgspec.to_builtins(one)} for alternative, one in found]
    return {"stream": options.stream, "replays": options.replays, "now": now, "alternatives": rows}
