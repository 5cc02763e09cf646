"""What River needs for the same decision, bare: `python -m benchmarks.edge.river_loop SECONDS`.

It prints samples a second and CPU seconds a sample. The scaler learns from every sample, as the service's does; the model was
taught as many labels. No ids, budget, log or HTTP.
"""

import itertools
import sys
import time

from river.linear_model import LogisticRegression
from river.preprocessing import StandardScaler

from benchmarks.edge import workload
from benchmarks.edge.targets import LABELS

_TURN = 1_000  # samples between looks at the clock


def main() -> int:
    """Teach, then predict for so many seconds."""
    scaler, model = StandardScaler(), LogisticRegression()
    for features, label in itertools.islice(workload.samples(seed=6), LABELS):
        scaler.learn_one(features)
        model.learn_one(scaler.transform_one(features), label == "fraud")
    endless, done = itertools.cycle(workload.pool()), 0
    started, before = time.perf_counter(), time.process_time()
    until = started + float(sys.argv[1])
    while time.perf_counter() < until:
        for features in itertools.islice(endless, _TURN):
            scaler.learn_one(features)
            model.predict_proba_one(scaler.transform_one(features))
        done += _TURN
    print([done / (time.perf_counter() - started), (time.process_time() - before) / done])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
