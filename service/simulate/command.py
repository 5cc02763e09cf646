"""`askwhen simulate`, in reading order: look at the file, run everything side by side, tell, write. Returns an exit code."""

import sys
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool

from rich.console import Console

from service.adapters import embedder
from service.core.errors import Invalid
from service.simulate import report
from service.simulate.files import as_json, check_place, write_whole
from service.simulate.plan import Job, Options, Plan
from service.simulate.pool import cores, interruptible, processes
from service.simulate.records import records
from service.simulate.screen import introduction, progress, show
from service.simulate.source import Source, Survey, source, survey
from service.simulate.verdict import Study
from service.simulate.work import Found, FoundErrors, Task, load, work
from service.tabular import BadFile

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130

_OPTIONS = {"/model": "--model", "/query/rule": "--rule", "/query/measure": "--measure", "/budget": "--budget"}
_LINES = {".jsonl", ".ndjson"}  # ends of names of JSON lines


def simulate(options: Options) -> int:
    """Simulate; 0 if all went well, 2 where there was nothing to work with, 1 if a process or the disk failed, 130 if interrupted."""
    errors = Console(stderr=True, highlight=False)
    embedder.offer()
    try:
        with interruptible():
            _Command(options, errors).run()
    except (BadFile, Invalid) as error:
        errors.print(f"askwhen: {sentence(error)}", style="red", markup=False, soft_wrap=True)
        return UNUSABLE
    except BrokenProcessPool:
        errors.print("askwhen: a process of the simulation was ended, perhaps for want of memory: fewer --jobs or --rows", style="red")
        return FAILED
    except OSError as error:
        errors.print(f"askwhen: {error}", style="red", markup=False, soft_wrap=True)
        return FAILED
    except KeyboardInterrupt:
        errors.print("interrupted; nothing was written", style="yellow")
        return INTERRUPTED
    return 0


def sentence(error: BadFile | Invalid) -> str:
    """What is wrong, led by the option that brought it."""
    if isinstance(error, BadFile):
        return str(error)
    option = next((name for start, name in _OPTIONS.items() if error.pointer.startswith(start)), None)
    parameter = error.pointer.partition("/params/")[2]
    return ": ".join(filter(None, (option, parameter, error.detail)))


class _Command:
    def __init__(self, options: Options, errors: Console) -> None:
        self._options = options
        self._errors = errors
        self._console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, force_terminal=False)

    def run(self) -> None:
        """Everything."""
        options = self._options
        for path in filter(None, (options.json, options.report)):
            check_place(path, options.file)
        if options.report is not None:
            report.check()
        origin = source(options.file, options.label, options.rows, options.task)
        options = self._options = options.of(origin.task)
        plan = Plan(options)
        seen = survey(origin)
        plan.follow(seen)
        self._errors.print(introduction(origin, seen), markup=False, soft_wrap=True)
        study = Study(plan, self._found(plan, origin))
        show(self._console, study, seen, options)
        self._write(study, seen, origin)

    def _found(self, plan: Plan, origin: Source) -> dict[Job, Found | FoundErrors]:
        options, jobs = self._options, plan.jobs
        workers = min(options.jobs or cores(), len(jobs))
        done: dict[Job, Found | FoundErrors] = {}
        with progress(self._errors, len(jobs)) as step, processes(workers, load, origin) as pool:
            running: dict[Future[Found | FoundErrors], Job] = {
                pool.submit(work, Task(job, plan.config(job.rule, job.budget), options.delay, options.lost)): job for job in jobs
            }
            for future in as_completed(running):
                done[running[future]] = future.result()
                step()
        return done

    def _write(self, study: Study, seen: Survey, origin: Source) -> None:
        """Write what was asked for, once all of it is made."""
        options, files = self._options, {}
        if options.json is not None:
            files[options.json] = as_json(records(study), lines=options.json.suffix in _LINES)
        if options.report is not None:
            files[options.report] = report.page(study, seen, origin).encode()
        for path, content in files.items():
            write_whole(path, content)
            self._console.print(f"{path} ({len(content):,} bytes)", markup=False, soft_wrap=True)
