"""What the service is compared with: `empty`, a FastAPI endpoint that does nothing, and `echo`, a bare ASGI function."""

from typing import Any

import msgspec
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict


class Sample(BaseModel):
    """A sample as the service takes it."""

    model_config = ConfigDict(extra="forbid")

    features: dict[str, float | int | bool | str | None]
    id: str | None = None
    time: str | None = None


class Prediction(BaseModel):
    """As the service's."""

    label: str | None
    confidence: float | None
    probabilities: dict[str, float]


class Budget(BaseModel):
    """As the service's."""

    seen: int
    asked: int
    allowed: int
    open: int


class Query(BaseModel):
    """As the service's."""

    ask: bool
    probability: float
    reason: str
    utility: float
    threshold: float | None
    rule: str
    budget: Budget


class Answer(BaseModel):
    """As the service's."""

    id: str
    stream: str
    model_version: int
    prediction: Prediction
    query: Query
    replayed: bool


_CONSTANT = Answer(
    id="0123456789abcdef-100000001",
    stream="orders",
    model_version=400,
    prediction=Prediction(label="ok", confidence=0.8125, probabilities={"ok": 0.8125, "fraud": 0.1875}),
    query=Query(
        ask=False,
        probability=0.0150001,
        reason="confident",
        utility=0.375,
        threshold=0.91015625,
        rule="logit",
        budget=Budget(seen=120_000, asked=6_040, allowed=6_050, open=6_040),
    ),
    replayed=False,
)

empty = FastAPI()


@empty.post("/v1/streams/{stream}/samples")
async def post_sample(stream: str, sample: Sample) -> Answer:  # noqa: ARG001 - they are decoded and validated, no more
    """Answer with a constant."""
    return _CONSTANT


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Decode the body and send it back."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = msgspec.json.encode(msgspec.json.decode(body))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
