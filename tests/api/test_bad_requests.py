"""Every kind of bad request: the right status, a problem that points at the place, nothing changed, and the service goes on."""

import base64
import json
from typing import NamedTuple

import pytest

from service.core.events import encode

MAX_BODY = 10_000
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
EVENT = {"Content-Type": "application/cloudevents+json"}
EVENTS = {"Content-Type": "application/cloudevents-batch+json"}
BINARY = {**JSON, "ce-specversion": "1.0", "ce-id": "e", "ce-source": "/t", "ce-type": "sample"}
DIGITS = b"1" + b"0" * 5_000
SAMPLES, LABELS = "/v1/streams/s/samples", "/v1/streams/s/labels"
QUERIES = "/v1/streams/s/queries"


class Bad(NamedTuple):
    """A request, the status it gets, and where the problem points."""

    method: str
    path: str
    body: bytes
    status: int
    pointer: str | None = None
    headers: dict[str, str] = JSON


def sample(body, pointer="#", status=422, headers=JSON):
    """A bad sample."""
    return Bad("POST", SAMPLES, body, status, pointer, headers)


def label(body, pointer="#", status=422, headers=JSON):
    """A bad label."""
    return Bad("POST", LABELS, body, status, pointer, headers)


def claim(body, pointer="#", status=422, headers=JSON):
    """A bad claim."""
    return Bad("POST", f"{QUERIES}/claim", body, status, pointer, headers)


def pooled(kind, body, pointer="#", status=422, headers=JSON):
    """A bad call for questions."""
    return Bad("POST", f"/v1/streams/s/pool/{kind}", body, status, pointer, headers)


def put(body, pointer="#", status=422, headers=JSON):
    """A bad configuration for a new stream."""
    return Bad("PUT", "/v1/streams/t", body, status, pointer, headers)


def patch(body, pointer="#", status=422, headers=JSON):
    """A bad change of a stream."""
    return Bad("PATCH", "/v1/streams/s", body, status, pointer, headers)


def get(path, status, pointer=None):
    """A bad look."""
    return Bad("GET", path, b"", status, pointer, {})


def event(pointer, status=422, **attributes):
    """A bad CloudEvent in structured mode; an attribute that is None is left out."""
    whole = {"specversion": "1.0", "id": "e", "source": "/t", "type": "sample", "data": {"features": {}}, **attributes}
    return sample(json.dumps({name: value for name, value in whole.items() if value is not None}).encode(), pointer, status, EVENT)


def inference(pointer, data, status=422):
    """A bad inference request of KServe's payload logger."""
    return event(pointer, status, type="org.kubeflow.serving.inference.request", data=data)


def tensor(shape, data, **others):
    """An inference request of protocol V2."""
    return {"inputs": [{"name": "x", "shape": shape, "data": data, "datatype": "FP64", **others}]}


def nested(depth, value=1):
    """Lists in lists."""
    for _ in range(depth):
        value = [value]
    return value


BAD = {
    # no JSON
    "empty": sample(b""),
    "blank": sample(b"  \n"),
    "begun": sample(b"{"),
    "two documents": sample(b'{"features": {}} {}'),
    "trailing comma": sample(b'{"features": {},}'),
    "single quotes": sample(b"{'features': {}}"),
    "comment": sample(b'{"features": {} /* none */}'),
    "array": sample(b"[]"),
    "null": sample(b"null"),
    "string with colons": sample(b'"a:b:c"'),
    "no features": sample(b"{}", "#"),
    "UTF-16": sample('{"features": {}}'.encode("utf-16")),
    "byte order mark": sample(b'\xef\xbb\xbf{"features": {}}'),
    "invalid UTF-8": sample(b'{"features": {"x": "\xff"}}'),
    "overlong UTF-8": sample(b'{"features": {"x": "\xc0\xaf"}}'),
    "UTF-8 surrogate": sample(b'{"features": {"x": "\xed\xa0\x80"}}'),
    "lone surrogate": sample(b'{"features": {"x": "\\ud800"}}'),
    "lone surrogate in a name": sample(b'{"features": {"\\udc00": 1}}'),
    "raw control character": sample(b'{"features": {"x": "\x01"}}'),
    "NaN": sample(b'{"features": {"x": NaN}}'),
    "Infinity": sample(b'{"features": {"x": -Infinity}}'),
    "1e999": sample(b'{"features": {"x": 1e999}}'),
    "an integer of 5,000 digits": sample(b'{"features": {"x": ' + DIGITS + b"}}"),
    "leading zero": sample(b'{"features": {"x": 01}}'),
    "hexadecimal": sample(b'{"features": {"x": 0x1}}'),
    "depth 1,000": sample(b'{"features":' + b"[" * 1_000 + b"]" * 1_000 + b"}"),
    "objects of depth 1,000": sample(b'{"features":' + b'{"x":' * 1_000 + b"1" + b"}" * 1_001),
    # duplicate keys
    "duplicate feature": sample(b'{"features": {"x": 1, "x": 2}}', "#/features/x"),
    "duplicate by an escape": sample(b'{"features": {"x": 1, "\\u0078": 2}}', "#/features/x"),
    "duplicate beside colons": sample(b'{"features": {"a:b": ":", "x": 1, "x": 1}}', "#/features/x"),
    "duplicate with a slash": sample(b'{"features": {"a/b": 1, "a/b": 2}}', "#/features/a~1b"),
    "duplicate features": sample(b'{"features": {"x": 1}, "features": {}}', "#/features"),
    "duplicate id, first null": sample(b'{"features": {}, "id": null, "id": "a"}', "#/id"),
    "duplicate in a configuration": put(b'{"budget": {"rate": 0.1, "rate": 0.2}}', "#/budget/rate"),
    "duplicate in a list": put(b'{"model": {"pipeline": [{"class": "a"}, {"class": "b", "class": "c"}]}}', "#/model/pipeline/1/class"),
    "duplicate in a label": label(b'{"sample_id": "known", "label": "a", "label": "b"}', "#/label"),
    # features
    "features a number": sample(b'{"features": 1}', "#/features"),
    "features a list": sample(b'{"features": [1]}', "#/features"),
    "feature a list": sample(b'{"features": {"x": [1]}}', "#/features/x"),
    "feature an object": sample(b'{"features": {"x": {"y": 1}}}', "#/features/x"),
    "deep feature": sample(b'{"features":{"x":' + b"[" * 60 + b"]" * 60 + b"}}", "#/features/x"),
    "too deep a feature": sample(b'{"features":{"x":' + b"[" * 63 + b"]" * 63 + b"}}"),
    "1e101": sample(b'{"features": {"x": 1e101}}', "#/features/x"),
    "an integer above 1e100": sample(b'{"features": {"x": 1' + b"0" * 101 + b"}}", "#/features/x"),
    "name with slash and tilde": sample(b'{"features": {"a/b~c": []}}', "#/features/a~1b~0c"),
    "nameless feature": sample(b'{"features": {"": 1}}', "#/features"),
    "long name": sample(b'{"features": {"' + b"x" * 201 + b'": 1}}', "#/features"),
    "1,001 features": sample(json.dumps({"features": {str(n): 1 for n in range(1_001)}}).encode().replace(b" ", b""), "#/features", 422),
    "name with a NUL before it": sample(b'{"features": {"\\u0000x": 1}}', "#/features/\0x"),
    # probabilities of the caller's own model; the classes are a and b
    "probabilities a list": sample(b'{"features": {}, "probabilities": [0.5, 0.5]}', "#/probabilities"),
    "probabilities empty": sample(b'{"features": {}, "probabilities": {}}', "#/probabilities"),
    "probability a string": sample(b'{"features": {}, "probabilities": {"a": "1"}}', "#/probabilities"),
    "probability true": sample(b'{"features": {}, "probabilities": {"a": true}}', "#/probabilities"),
    "probability null": sample(b'{"features": {}, "probabilities": {"a": 1, "b": null}}', "#/probabilities"),
    "probability negative": sample(b'{"features": {}, "probabilities": {"a": 1.25, "b": -0.25}}', "#/probabilities/b"),
    "probability not finite": sample(b'{"features": {}, "probabilities": {"a": 1e999, "b": 0}}'),
    "probability NaN": sample(b'{"features": {}, "probabilities": {"a": NaN}}'),
    "probabilities off 1": sample(b'{"features": {}, "probabilities": {"a": 0.5, "b": 0.49}}', "#/probabilities"),
    "probability of no class": sample(b'{"features": {}, "probabilities": {"a": 0.5, "c": 0.5}}', "#/probabilities/c"),
    "probability of what is no label": sample(b'{"features": {}, "probabilities": {"a\\u0007": 1}}', "#/probabilities/a\x07"),
    "duplicate probability": sample(b'{"features": {}, "probabilities": {"a": 0.5, "b": 0.5, "a": 0.5}}', "#/probabilities/a"),
    "same id, now with probabilities": sample(b'{"id": "known", "features": {"x": 1}, "probabilities": {"a": 1}}', None, 409),
    "label with other probabilities": label(b'{"sample_id": "known", "label": "a", "probabilities": {"a": 1}}', None, 409),
    "label with probabilities off 1": label(
        b'{"sample_id": "new", "label": "a", "features": {}, "probabilities": {"a": 2}}', "#/probabilities"
    ),
    "label with a probability of no class": label(
        b'{"sample_id": "new", "label": "a", "features": {}, "probabilities": {"c": 1}}', "#/probabilities/c"
    ),
    "external with a committee": put(b'{"model": {"type": "external"}, "query": {"measure": "committee"}}', "#/query/measure"),
    # the sample's other fields
    "unknown field": sample(b'{"features": {}, "fields": 1}', "#/fields"),
    "unknown field with a quirk": sample(b'{"features": {}, "a/b`": 1}', "#/a~1b`"),
    "id a number": sample(b'{"features": {}, "id": 7}', "#/id"),
    "id empty": sample(b'{"features": {}, "id": ""}', "#/id"),
    "id of 129 characters": sample(b'{"features": {}, "id": "' + b"i" * 129 + b'"}', "#/id"),
    "id with a control character": sample(b'{"features": {}, "id": "a\\u0007"}', "#/id"),
    "id with a line separator": sample('{"features": {}, "id": "a\u2028"}'.encode(), "#/id"),
    "time in words": sample(b'{"features": {}, "time": "yesterday"}', "#/time"),
    "time without zone": sample(b'{"features": {}, "time": "2026-01-01T00:00:00"}', "#/time"),
    "time a number": sample(b'{"features": {}, "time": 1}', "#/time"),
    "time before the calendar": sample(b'{"features": {}, "time": "0001-01-01T00:00:00+01:00"}', "#/time"),
    "February 30": sample(b'{"features": {}, "time": "2026-02-30T00:00:00Z"}', "#/time"),
    "same id, other features": sample(b'{"id": "known", "features": {"x": 2}}', None, 409),
    "unknown stream": Bad("POST", "/v1/streams/none/samples", b'{"features": {}}', 404),
    "stream with a slash": Bad("POST", "/v1/streams/a%2Fb/samples", b'{"features": {}}', 404),
    "stream with a NUL": Bad("POST", "/v1/streams/s%00/samples", b'{"features": {}}', 404),
    "no stream": Bad("POST", "/v1/streams//samples", b'{"features": {}}', 404),
    "Idempotency-Key empty": sample(b'{"features": {}}', "#", 422, {**JSON, "Idempotency-Key": ""}),
    "Idempotency-Key too long": sample(b'{"features": {}}', "#", 422, {**JSON, "Idempotency-Key": "k" * 101}),
    "Idempotency-Key unprintable": sample(b'{"features": {}}', "#", 422, {**JSON, "Idempotency-Key": "a\x7f"}),
    # bodies
    "too large": sample(b'{"features": {"x": "' + b"y" * MAX_BODY + b'"}}', None, 413),
    "too large an NDJSON": sample(b"\n" * (100 * MAX_BODY + 1), None, 413, NDJSON),
    "too many lines": sample(b'{"features":{}}\n' * 51, None, 413, NDJSON),
    "too many events": sample(b"[" + b"{}," * 50 + b"{}]", None, 413, EVENTS),
    "too large a configuration": put(b'{"classes": ["' + b"c" * MAX_BODY + b'"]}', None, 413),
    "text": sample(b'{"features": {}}', None, 415, {"Content-Type": "text/plain"}),
    "form": sample(b'{"features": {}}', None, 415, {"Content-Type": "application/x-www-form-urlencoded"}),
    "no media type": sample(b'{"features": {}}', None, 415, {}),
    "empty media type": sample(b'{"features": {}}', None, 415, {"Content-Type": ""}),
    "almost JSON": sample(b'{"features": {}}', None, 415, {"Content-Type": "application/jsonx"}),
    "media type in other scripts": sample(b'{"features": {}}', None, 415, {"Content-Type": "application/j\u00e4son"}),
    "Latin-1": sample(b'{"features": {}}', None, 415, {"Content-Type": "application/json; charset=latin-1"}),
    "compressed": sample(b"\x1f\x8b", None, 415, {**JSON, "Content-Encoding": "gzip"}),
    "NDJSON configuration": put(b"{}", None, 415, NDJSON),
    "compressed configuration": put(b"{}", None, 415, {**JSON, "Content-Encoding": "br"}),
    # CloudEvents
    "event without specversion": event("#", specversion=None),
    "event of version 0.3": event("#/specversion", specversion="0.3"),
    "event without id": event("#", id=None),
    "event with an empty id": event("#/id", id=""),
    "event's id too long": event("#/id", id="i" * 129),
    "event's id a number": event("#/id", id=7),
    "event without source": event("#", source=None),
    "event with an empty type": event("#/type", type=""),
    "event's time in words": event("#/time", time="now"),
    "event without data": event("#/data", data=None),
    "event with a bad feature": event("#/data/features/x", data={"features": {"x": []}}),
    "event with a bad id in its data": event("#/data/id", data={"features": {}, "id": ""}),
    "event with both kinds of data": event("#/data_base64", data_base64="e30="),
    "event whose base64 is none": event("#/data_base64", data=None, data_base64="!"),
    "event whose base64 is no JSON": event("#/data_base64", data=None, data_base64=base64.b64encode(b"\xff\x00").decode()),
    "event with XML": event(None, 415, datacontenttype="text/xml", data="<x/>"),
    "event with a duplicate": sample(
        b'{"specversion":"1.0","id":"e","source":"/t","type":"t","data":{"features":{"x":1,"x":1}}}', "#/data/features/x", 422, EVENT
    ),
    "event no JSON": sample(b"{", "#", 422, EVENT),
    "events no array": sample(b"{}", "#", 422, EVENTS),
    "events no JSON": sample(b"[", "#", 422, EVENTS),
    "binary event without id": sample(b'{"features": {}}', "#", 422, {name: value for name, value in BINARY.items() if name != "ce-id"}),
    "binary event of version 2.0": sample(b'{"features": {}}', "#", 422, {**BINARY, "ce-specversion": "2.0"}),
    "binary event with a bad id": sample(b'{"features": {}}', "#", 422, {**BINARY, "ce-id": "%00"}),
    "binary event with text": sample(b"x", None, 415, {**BINARY, "Content-Type": "text/plain"}),
    "binary event with a bad feature": sample(b'{"features": {"x": {}}}', "#/features/x", 422, BINARY),
    # KServe
    "inference of nothing": inference("#/data", {}),
    "inference of no sample": inference("#/data", {"instances": []}),
    "instances no list": inference("#/data", {"instances": {"x": 1}}),
    "second instance nested": inference("#/data/instances/1/x", {"instances": [{"x": 1}, {"x": {}}]}),
    "third instance ragged": inference("#/data/instances/2/1", {"instances": [[1, 2], [1], [1, [2]]]}),
    "1,001 instances": inference(None, {"instances": [1] * 1_001}, 413),
    "shape that lies": inference("#/data/inputs/0/data", tensor([2, 2], [1, 2, 3])),
    "shape of 10^18": inference("#/data/inputs/0", tensor([10**18], [1])),
    "shape of 2,000 dimensions": inference("#/data/inputs/0", tensor([2**31] * 800, [1])),
    "nothing, two billion wide": inference("#/data", tensor([0, 2**31 - 1], [])),
    "1,001 features wide": inference("#/data/inputs/0/shape", tensor([1, 1_001], [1] * 1_001)),
    "negative shape": inference("#/data/inputs/0", tensor([-1], [1])),
    "shape of nothing": inference("#/data/inputs/0", tensor([], [])),
    "many samples in a shape": inference(None, tensor([2_000, 0], []), 413),
    "zero samples": inference("#/data", tensor([0, 3], [])),
    "tensor without a name": inference("#/data/inputs/0", {"inputs": [{"shape": [1], "data": [1]}]}),
    "tensor nested 50 deep": inference("#/data/inputs/0/data", tensor([1], nested(50))),
    "tensor nested 300 deep": inference("#", tensor([1], nested(300))),
    "tensor of objects": inference("#/data/inputs/x", tensor([1], [{}])),
    "tensors of other lengths": inference(
        "#/data/inputs/1/shape", {"inputs": [{"name": "x", "shape": [1], "data": [1]}, {"name": "y", "shape": [2], "data": [1, 2]}]}
    ),
    # labels
    "label missing": label(b'{"sample_id": "known"}'),
    "label null": label(b'{"sample_id": "known", "label": null}', "#/label"),
    "label with a fraction": label(b'{"sample_id": "known", "label": 0.5}', "#/label"),
    "label a list": label(b'{"sample_id": "known", "label": ["a"]}', "#/label"),
    "label an object": label(b'{"sample_id": "known", "label": {}}', "#/label"),
    "label of 65 bits": label(b'{"sample_id": "known", "label": 36893488147419103232}', "#/label"),
    "label too long": label(b'{"sample_id": "known", "label": "' + b"l" * 201 + b'"}', "#/label"),
    "label with a control character": label(b'{"sample_id": "known", "label": "\\n"}', "#/label"),
    "label that is no class": label(b'{"sample_id": "known", "label": "c"}', "#/label"),
    "label for nobody": label(b'{"label": "a"}', "#/sample_id"),
    "label for an empty id": label(b'{"sample_id": "", "label": "a"}', "#/sample_id"),
    "label for a number": label(b'{"sample_id": 1, "label": "a"}', "#/sample_id"),
    "label for an unknown sample": label(b'{"sample_id": "ghost", "label": "a"}', None, 404),
    "label with other features": label(b'{"sample_id": "known", "label": "a", "features": {"x": 9}}', None, 409),
    "label with bad features": label(b'{"sample_id": "new", "label": "a", "features": {"x": []}}', "#/features/x"),
    "label with features a list": label(b'{"sample_id": "new", "label": "a", "features": []}', "#/features"),
    "labeler a number": label(b'{"sample_id": "known", "label": "a", "labeler": 1}', "#/labeler"),
    "labeler too long": label(b'{"sample_id": "known", "label": "a", "labeler": "' + b"u" * 129 + b'"}', "#/labeler"),
    "labeled_at in words": label(b'{"sample_id": "known", "label": "a", "labeled_at": "soon"}', "#/labeled_at"),
    "label with an unknown field": label(b'{"sample_id": "known", "label": "a", "weight": 2}', "#/weight"),
    "label of an unknown stream": Bad("POST", "/v1/streams/none/labels", b'{"sample_id": "a", "label": 1}', 404),
    "retraction of nothing": Bad("DELETE", "/v1/streams/s/labels/known", b"", 404),
    "retraction of an unknown sample": Bad("DELETE", "/v1/streams/s/labels/ghost", b"", 404),
    "retraction by nobody": Bad("DELETE", "/v1/streams/s/labels/known?labeler=%07", b"", 422, "#/query/labeler"),
    # questions and erasure
    "claim of nobody": claim(b"{}"),
    "claim by an empty name": claim(b'{"labeler": ""}', "#/labeler"),
    "claim by a control character": claim(b'{"labeler": "u\\u0000"}', "#/labeler"),
    "claim of 501": claim(b'{"labeler": "u", "limit": 501}', "#/limit"),
    "claim of none": claim(b'{"labeler": "u", "limit": 0}', "#/limit"),
    "claim for longer than a day": claim(b'{"labeler": "u", "lease": 86401}', "#/lease"),
    "claim for half a second": claim(b'{"labeler": "u", "lease": 0.5}', "#/lease"),
    "claim with an unknown field": claim(b'{"labeler": "u", "for": 5}', "#/for"),
    "batch of none": pooled("select", b'{"n": 0}', "#/n"),
    "batch in portions of none": pooled("select", b'{"n": 5, "at_once": 0}', "#/at_once"),
    "batch of 501": pooled("select", b'{"n": 501}', "#/n"),
    "batch of half a question": pooled("select", b'{"n": 1.5}', "#/n"),
    "batch with an unknown field": pooled("select", b'{"n": 5, "for": 5}', "#/for"),
    "batch without a body": pooled("select", b""),
    "batch as text": pooled("select", b"{}", None, 415, {"Content-Type": "text/plain"}),
    "101 made samples": pooled("synthesise", b'{"n": 101}', "#/n"),
    "made samples that are perhaps asked": pooled("synthesise", b'{"ask": "perhaps"}', "#/ask"),
    "made samples of one class": pooled("synthesise", b"{}", None, 409),
    "pool of a stream that is not there": get("/v1/streams/nope/pool", 404),
    "pool below nothing": put(b'{"pool": {"size": -1}}', "#/pool/size"),
    "pool of everything": put(b'{"pool": {"size": 10001}}', "#/pool/size"),
    "pool of the best": put(b'{"pool": {"keep": "best"}}', "#/pool/keep"),
    "claim named twice": claim(b'{"labeler": "u", "labeler": "v"}', "#/labeler"),
    "claim as text": claim(b'{"labeler": "u"}', None, 415, {"Content-Type": "text/plain"}),
    "claim of an unknown stream": Bad("POST", "/v1/streams/none/queries/claim", b'{"labeler": "u"}', 404),
    "skip of an unknown question": Bad("POST", f"{QUERIES}/ghost/skip", b'{"labeler": "u"}', 404),
    "skip for a long reason": Bad("POST", f"{QUERIES}/known/skip", b'{"labeler": "u", "reason": "' + b"x" * 201 + b'"}', 422, "#/reason"),
    "release of an unknown question": Bad("POST", f"{QUERIES}/ghost/release", b'{"labeler": "u"}', 404),
    "release of no question": Bad("POST", f"{QUERIES}//release", b'{"labeler": "u"}', 404),
    "something else with a question": Bad("POST", f"{QUERIES}/known/other", b'{"labeler": "u"}', 404),
    "erasure of an unknown sample": Bad("DELETE", f"{SAMPLES}/ghost", b"", 404),
    # streams
    "upper case": Bad("PUT", "/v1/streams/Upper", b"{}", 422, "#/stream"),
    "64 characters": Bad("PUT", "/v1/streams/" + "x" * 64, b"{}", 422, "#/stream"),
    "leading dot": Bad("PUT", "/v1/streams/.t", b"{}", 422, "#/stream"),
    "other scripts": Bad("PUT", "/v1/streams/%E6%B5%81", b"{}", 422, "#/stream"),
    "stream with a line feed": Bad("PUT", "/v1/streams/t%0A", b"{}", 422, "#/stream"),
    "configuration a list": put(b"[]"),
    "configuration missing": put(b""),
    "configuration with an unknown field": put(b'{"budgte": {}}', "#/budgte"),
    "unknown field within": put(b'{"budget": {"rates": 1}}', "#/budget/rates"),
    "rate 7": put(b'{"budget": {"rate": 7}}', "#/budget/rate"),
    "rate NaN": put(b'{"budget": {"rate": NaN}}'),
    "burst a fraction": put(b'{"budget": {"burst": 0.5}}', "#/budget/burst"),
    "burst 1e300": put(b'{"budget": {"burst": 1e300}}', "#/budget/burst"),
    "money without a price": put(b'{"budget": {"spend": 5}}', "#/budget/spend"),
    "per a century": put(b'{"budget": {"labels": 5, "per": "century"}}', "#/budget/per"),
    "budget a list": put(b'{"budget": []}', "#/budget"),
    "exploration in words": put(b'{"exploration": "much"}', "#/exploration"),
    "no classes": put(b'{"classes": []}', "#/classes"),
    "the same class twice": put(b'{"classes": [1, "1"]}', "#/classes"),
    "a class with a fraction": put(b'{"classes": ["a", 0.5]}', "#/classes/1"),
    "1,001 classes": put(json.dumps({"classes": list(range(1_001))}).encode().replace(b" ", b""), "#/classes"),
    "99 votes": put(b'{"labels": {"per_sample": 99}}', "#/labels/per_sample"),
    "unknown model": put(b'{"model": {"type": "gpt"}}', "#/model/type"),
    "model and pipeline": put(b'{"model": {"type": "logistic", "pipeline": [{"class": "naive_bayes.GaussianNB"}]}}', "#/model"),
    "unknown parameter": put(b'{"model": {"params": {"a/b": 1}}}', "#/model/params/a~1b"),
    "parameter in words": put(b'{"model": {"params": {"drift": "small"}}}', "#/model/params/drift"),
    "parameter of 400 digits": put(b'{"model": {"params": {"drift": 1' + b"0" * 400 + b"}}}", "#/model/params/drift"),
    "deep parameter": put(b'{"model": {"params": {"drift": ' + b"[" * 60 + b"]" * 60 + b"}}}", "#/model/params/drift"),
    "too deep a parameter": put(b'{"model": {"params": {"drift": ' + b"[" * 300 + b"]" * 300 + b"}}}"),
    "empty pipeline": put(b'{"model": {"pipeline": []}}', "#/model/pipeline"),
    "a class off the list": put(b'{"model": {"pipeline": [{"class": "os.system"}]}}', "#/model/pipeline/0/class"),
    "a step that is none": put(b'{"model": {"pipeline": [1]}}', "#/model/pipeline/0"),
    "pipeline parameter of 400 digits": put(
        b'{"model": {"pipeline": [{"class": "linear_model.LogisticRegression", "params": {"l2": 1' + b"0" * 400 + b"}}]}}",
        "#/model/pipeline/0/params/l2",
    ),
    "unknown rule": put(b'{"query": {"rule": "best"}}', "#/query/rule"),
    "unknown measure": put(b'{"query": {"measure": "best"}}', "#/query/measure"),
    "parameter of another measure": put(
        b'{"query": {"measure": "density", "measure_params": {"members": 3}}}', "#/query/measure_params/members"
    ),
    "parameter of a measure that has none": put(b'{"query": {"measure_params": {"beta": 3}}}', "#/query/measure_params/beta"),
    "committee of one": put(b'{"query": {"measure": "committee", "measure_params": {"members": 1}}}', "#/query/measure_params/members"),
    "window without end": put(b'{"query": {"measure": "density", "measure_params": {"recent": 9999}}}', "#/query/measure_params/recent"),
    "negative exponent": put(b'{"query": {"measure": "density", "measure_params": {"beta": -1}}}', "#/query/measure_params/beta"),
    "unknown parameter of a rule": put(b'{"query": {"params": {"x": 1}}}', "#/query/params/x"),
    "huge parameter of a rule": put(b'{"query": {"params": {"gain": 1e308}}}', "#/query/params/gain"),
    "patch of a negative rate": patch(b'{"budget": {"rate": -1}}', "#/budget/rate"),
    "patch a list": patch(b"[]"),
    "patch of depth 1,000": patch(b'{"m":' * 1_000 + b"1" + b"}" * 1_000),
    "patch of depth 60": patch(b'{"model":' + b'{"params":' * 60 + b"1" + b"}" * 61, "#/model/params/params"),
    "patch of depth 300": patch(b'{"model":' + b'{"params":' * 300 + b"1" + b"}" * 301),
    "patch of an unknown model": patch(b'{"model": {"type": "gpt"}}', "#/model/type"),
    "patch with an unknown field": patch(b'{"x": 1}', "#/x"),
    "patch as text": patch(b"{}", None, 415, {"Content-Type": "text/plain"}),
    "patch of an unknown stream": Bad("PATCH", "/v1/streams/none", b"{}", 404),
    "deletion of an unknown stream": Bad("DELETE", "/v1/streams/none", b"", 404),
    # looking
    "unknown stream's summary": get("/v1/streams/none", 404),
    "invalid UTF-8 in a path": get("/v1/streams/%FF", 404),
    "unknown sample": get("/v1/streams/s/samples/ghost", 404),
    "sample of no name": get("/v1/streams/s/samples/", 404),
    "sample of 2,000 characters": get("/v1/streams/s/samples/" + "y" * 2_000, 404),
    "no limit": get(f"{QUERIES}?limit=0", 422, "#/query/limit"),
    "negative limit": get(f"{QUERIES}?limit=-1", 422, "#/query/limit"),
    "limit of 501": get(f"{QUERIES}?limit=501", 422, "#/query/limit"),
    "limit of 5,000 digits": get(f"{QUERIES}?limit=" + "9" * 5_000, 422, "#/query/limit"),
    "limit in words": get(f"{QUERIES}?limit=all", 422, "#/query/limit"),
    "two limits": get(f"{QUERIES}?limit=1&limit=501", 422, "#/query/limit"),
    "unknown order": get(f"{QUERIES}?order=best", 422, "#/query/order"),
    "unknown state": get(f"{QUERIES}?state=closed", 422, "#/query/state"),
    "cursor of percent signs": get(f"{QUERIES}?cursor=%25", 422, "#/query/cursor"),
    "empty cursor": get(f"{QUERIES}?cursor=", 422, "#/query/cursor"),
    "cursor of other JSON": get(f"{QUERIES}?cursor=W10", 422, "#/query/cursor"),
    "cursor of NaN": get(f"{QUERIES}?cursor=" + base64.urlsafe_b64encode(b"[NaN,1]").decode(), 422, "#/query/cursor"),
    "cursor in other scripts": get(f"{QUERIES}?cursor=%F0%9F%98%80", 422, "#/query/cursor"),
    "questions of an unknown stream": get("/v1/streams/none/queries", 404),
    # paths and methods
    "nothing": get("/v1/nothing", 404),
    "trailing slash": get("/v1/streams/", 404),
    "trailing slash after a stream": get("/v1/streams/s/", 404),
    "two slashes": get("/v1//streams", 404),
    "a path of dots": get("/v1/streams/%2e%2e%2f%2e%2e%2fetc", 404),
    "POST of streams": Bad("POST", "/v1/streams", b"{}", 405),
    "DELETE of samples": Bad("DELETE", SAMPLES, b"", 405),
    "GET of labels": get(LABELS, 405),
    "a method of its own": Bad("BREW", "/v1/streams/s", b"", 405),
    "TRACE": Bad("TRACE", SAMPLES, b"", 405),
}


async def everything(client):
    """All that is stored and shown."""
    stored = [(name, seq, encode(event)) for name in client.house.log.streams() for seq, event in client.house.log.read(name, 0, 2**62)]
    return stored, (await client.get("/v1/streams")).text, (await client.get(QUERIES)).text


@pytest.fixture
async def careful(client):
    """The client of a stream with declared classes and one open question, `known`."""
    (await client.patch("/v1/streams/s", json={"classes": ["a", "b"]})).raise_for_status()
    (await client.post(SAMPLES, json={"id": "known", "features": {"x": 1}})).raise_for_status()
    await client.house.settled()
    return client


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_a_bad_request_gets_a_problem_and_changes_nothing(careful, bad):
    """RFC 9457 problem details with the place; what is stored and shown is what it was, and the next request is answered."""
    before = await everything(careful)
    headers = {name: value.encode("latin-1") for name, value in bad.headers.items()}
    answer = await careful.request(bad.method, bad.path, content=bad.body, headers=headers)
    problem = answer.json()

    assert (answer.status_code, problem["status"]) == (bad.status, bad.status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.keys() - {"errors"} == {"type", "title", "status", "detail", "instance"}
    assert problem["detail"]
    assert problem["instance"] in {answer.request.url.path[:1_000], "/v1/streams/\ufffd"}
    assert (problem["errors"][0]["pointer"] if "errors" in problem else None) == bad.pointer
    assert await everything(careful) == before
    assert (await careful.post(SAMPLES, json={"id": "known", "features": {"x": 1}})).json()["replayed"]


async def test_every_refusal_is_counted_by_its_status(careful):
    """At the edge and behind it."""
    for bad in (BAD["1e101"], BAD["text"], BAD["unknown stream's summary"], BAD["TRACE"]):
        await careful.request(bad.method, bad.path, content=bad.body, headers=bad.headers)
    lines = (await careful.get("/metrics")).text.splitlines()

    assert {line for line in lines if line.startswith("askwhen_refusals_total{")} == {
        f'askwhen_refusals_total{{status="{status}"}} 1.0' for status in (404, 405, 415, 422)
    }


async def test_allow_names_every_method_of_the_path(client):
    """Also where several routes share it."""
    stream = await client.post("/v1/streams/s", content=b"{}", headers=JSON)
    samples = await client.get(SAMPLES)

    assert stream.headers["allow"] == "DELETE, GET, PATCH, PUT"
    assert samples.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "traceparent", ["", "00", "00-" + "0" * 32, "00-" + "A" * 32 + "-" + "b" * 16 + "-01", "x" * 5_000, "00-%00-1-01"], ids=range(6)
)
async def test_a_malformed_traceparent_is_ignored(client, traceparent):
    """The standard says so: a sample is worth more than its trace."""
    answer = await client.post(SAMPLES, json={"id": "a", "features": {}}, headers={"traceparent": traceparent})

    assert answer.status_code == 200


async def test_in_a_batch_of_lines_the_bad_ones_get_their_problems_in_their_places(careful):
    """The good ones are done, in order, whatever stands between them."""
    bad = [case for case in BAD.values() if case.path == SAMPLES and case.headers is JSON and b"\n" not in case.body.strip()]
    bad = [case for case in bad if case.status == 422 and case.body.strip()][:24]
    lines = [line for number, case in enumerate(bad) for line in (b'{"id": "n%d", "features": {"x": 1}}' % number, case.body)]
    answer = await careful.post(SAMPLES, content=b"\n\n" + b"\n".join(lines), headers=NDJSON)
    answers = [json.loads(line) for line in answer.text.splitlines()]

    assert answer.status_code == 200
    assert [good["id"] for good in answers[::2]] == [f"n{number}" for number in range(len(bad))]
    assert [(problem["status"], problem["errors"][0]["pointer"]) for problem in answers[1::2]] == [(422, case.pointer) for case in bad]
    assert (await careful.get("/v1/streams/s")).json()["summary"]["seen"] == 1 + len(bad)


async def test_in_a_batch_of_labels_the_bad_ones_get_their_problems_in_their_places(careful):
    """Unknown samples, unknown classes and garbage between good labels."""
    lines = [
        b'{"sample_id": "known", "label": "c"}',
        b'{"sample_id": "known", "label": "a"}',
        b"\x00",
        b'{"sample_id": "ghost", "label": "a"}',
        b'{"sample_id": "new", "label": "b", "features": {"x": 3}}',
    ]
    answer = await careful.post(LABELS, content=b"\n".join(lines), headers=NDJSON)
    answers = [json.loads(line) for line in answer.text.splitlines()]

    assert [told.get("outcome", told.get("status")) for told in answers] == [422, "learned", 422, 404, "learned"]


async def test_in_a_batch_of_events_the_bad_ones_get_their_problems_in_their_places(client):
    """Each pointer leads through its own event."""
    good = {"specversion": "1.0", "id": "e1", "source": "/t", "type": "sample", "data": {"features": {"x": 1}}}
    events = [good, {**good, "specversion": "0.3"}, 7, {**good, "id": "e2", "data": {"features": {"x": {}}}}, {**good, "id": "e3"}]
    answer = await client.post(SAMPLES, content=json.dumps(events).encode(), headers=EVENTS)

    assert [told.get("id", told.get("status")) for told in answer.json()] == ["e1", 422, 422, 422, "e3"]
    assert [told["errors"][0]["pointer"] for told in answer.json() if "errors" in told] == ["#/specversion", "#", "#/data/features/x"]


async def test_a_request_that_is_cut_short_changes_nothing(careful):
    """The client goes away in the middle of its body; nobody is left to read the 400."""
    before, sent = await everything(careful), []
    pieces = iter([{"type": "http.request", "body": b'{"features": {}}', "more_body": True}, {"type": "http.disconnect"}])

    async def receive():
        return next(pieces)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": SAMPLES, "headers": [(b"content-type", b"application/json")], "query_string": b""}
    await careful.app(scope, receive, send)

    assert sent[0]["status"] == 400
    assert await everything(careful) == before
