"""Where requests go, and what is no finding because no JSON Schema can say it. schemathesis loads this for `loadtest.fuzz`."""

import re
from typing import Any

import schemathesis

HELD = "held"  # a stream that is there before anything is sent
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@schemathesis.hook
def map_case(context: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
    """Send most of what needs a stream to one that exists; sequences find their own."""
    del context
    stream = case.path_parameters.get("stream")
    if case.operation.method.lower() == "delete" and stream == HELD:
        case.path_parameters["stream"] = f"not-{HELD}"
    inside = case.operation.path.startswith("/v1/streams/{stream}/")
    if inside and isinstance(stream, str) and _NAME.fullmatch(stream) and len(stream) % 4 != 0:
        case.path_parameters["stream"] = HELD
    return case


@schemathesis.hook
def filter_failure(context: schemathesis.HookContext, failure: Exception, case: schemathesis.Case, response: schemathesis.Response) -> bool:
    """Keep a failure unless it is a 422, or a 404 for an unasked sample, that the contract demands and a schema cannot foretell."""
    del context
    if type(failure).__name__ == "EnsureResourceAvailability":
        return not case.operation.path.endswith("/samples/{sample_id}")
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 422:
        return True
    pointer = response.json()["errors"][0]["pointer"]
    # A pipeline's steps have to fit together: tests/core/test_pipeline.py.
    fitting = pointer.startswith("#/model/pipeline/")
    # Validators do not look into base64.
    encoded = pointer.startswith("#/data_base64")
    # What a patch makes of a configuration depends on that configuration.
    patching = case.operation.method.lower() == "patch"
    # JSON Schema counts 1.0 as an integer; the contract does not.
    return not (fitting or encoded or patching or _is_whole_float(case.body, pointer))


def _is_whole_float(body: Any, pointer: str) -> bool:
    for name in pointer.removeprefix("#/").replace("~1", "/").replace("~0", "~").split("/"):
        body = body[int(name)] if isinstance(body, list) else body.get(name) if isinstance(body, dict) else body
    return isinstance(body, float) and body.is_integer()
