"""An app over fakes, and a client of it."""

import httpx
import pytest

from service.adapters.prometheus import metrics
from service.api.app import create_app
from service.api.intake import Limits
from service.guard import Guard

MAX_BODY = 10_000


@pytest.fixture
async def client(build):
    """A client of an app over fakes, with a stream `s` that asks about everything; `client.house` is what stands behind it."""
    house = build()
    observer, render = metrics(
        house.engine.learners, house.engine.claimed, estimates=house.engine.appraisal.estimates, pools=house.engine.pools
    )
    for part in (house.engine.flow, house.engine.questions, house.engine.choosing, house.engine.erasure):
        part._observers = [house.observer, observer]
    house.engine.administration._forget = [*house.engine.administration._forget, observer.forget]
    guard = Guard()
    app = create_app(house.engine, guard, render, limits=Limits(MAX_BODY, 100 * MAX_BODY, 50, 10), refused=observer.refused)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test") as made:
        made.house, made.guard, made.app = house, guard, app
        (await made.put("/v1/streams/s", json={"budget": {"rate": 1.0, "burst": 100}})).raise_for_status()
        yield made
