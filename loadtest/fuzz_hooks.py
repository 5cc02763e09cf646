"""Where requests go, and what is no finding because no JSON Schema can say it. schemathesis loads this for `loadtest.fuzz`."""

import re
from typing import Any

import schemathesis

HELD = "held"  # a stream that is there before anything is sent
_BY_STREAM = ("of the stream's classes", "not a number with a fraction", "a label of a regression stream is a number")
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
    """Keep a failure unless the contract demands the answer and a schema cannot foretell it."""
    del context
    kind, refused = type(failure).__name__, response.status_code
    looking = case.operation.path.endswith("/samples/{sample_id}")
    if kind == "EnsureResourceAvailability":
        return not looking  # a sample that was not asked is forgotten
    if kind == "UseAfterFree":
        return not (looking and response.json().get("erased"))  # an erased sample leaves a tombstone
    if kind == "AcceptedNegativeData":
        return refused != 413  # that is no acceptance
    return not (kind == "RejectedPositiveData" and refused == 422 and _is_foreseen(case, response.json()["errors"][0]))


def _is_foreseen(case: schemathesis.Case, place: dict[str, str]) -> bool:
    pointer = place["pointer"]
    return bool(
        # A pipeline's steps have to fit together (tests/core/test_pipeline.py), and validators do not look into base64.
        pointer.startswith(("#/model/pipeline/", "#/data_base64"))
        # What a patch makes of a configuration depends on that configuration.
        or case.operation.method.lower() == "patch"
        # So do the classes that a label may be of, and whether labels are classes or numbers.
        or (pointer.endswith("/label") and any(words in place["detail"] for words in _BY_STREAM))
        # So do those that a sample may state; that they sum to 1, and that a stream needs them, no schema says.
        or (
            re.search(r"/probabilities(/[^/]*)?$", pointer)
            and re.search("sum to 1|of the stream's classes|model is `external`|regression", place["detail"])
        )
        # A committee cannot disagree about a model of the caller's own.
        or (pointer == "#/query/measure" and "`external`" in place["detail"])
        # JSON Schema counts 1.0 as an integer; the contract does not.
        or _is_whole_float(case.body, pointer)
    )


def _is_whole_float(body: Any, pointer: str) -> bool:
    for name in pointer.removeprefix("#/").replace("~1", "/").replace("~0", "~").split("/"):
        body = body[int(name)] if isinstance(body, list) else body.get(name) if isinstance(body, dict) else body
    values = body.values() if isinstance(body, dict) else [body]  # of an object the decoder does not say which member it was
    return any(isinstance(value, float) and value.is_integer() for value in values)
