"""Makes cases.json: displacement errors by NumPy, entries into zones by Shapely.

    python3 -m venv venv && venv/bin/pip install numpy shapely && venv/bin/python make_cases.py
"""

import json
import pathlib

import numpy
import shapely

random = numpy.random.default_rng(20261129)
cases = []
for examples, steps, corners in [(1, 1, 3), (7, 12, 4), (40, 12, 6)]:
    truth = random.normal(0, 1, (examples, steps, 2)).cumsum(1).round(3)
    answer = (truth + random.normal(0, 0.7, truth.shape)).round(3)
    observed = random.normal(0, 1, (examples, 8, 2)).cumsum(1).round(3)
    observed = (observed - observed[:, -1:]).round(3)
    angles = numpy.sort(random.uniform(0, 2 * numpy.pi, (examples, corners)), 1)
    radii = random.uniform(0.5, 3, (examples, corners))
    middle = random.normal(0, 1.5, (examples, 1, 2))
    zones = middle + radii[..., None] * numpy.stack([numpy.cos(angles), numpy.sin(angles)], -1)
    zones = zones.round(3)

    def errors(path):
        return numpy.linalg.norm(path - truth, axis=-1)

    def enters(path, zone):
        return any(shapely.Polygon(zone).covers(shapely.Point(place)) for place in path)

    velocity = observed[:, -1:] - observed[:, -2:-1]
    constant = velocity * numpy.arange(1, steps + 1)[None, :, None]
    right = [
        enters(answer[i], zones[i]) == enters(truth[i], zones[i]) for i in range(examples)
    ]
    cases.append(
        {
            "shape": [examples, steps, corners],
            "answer": answer.ravel().tolist(),
            "truth": truth.ravel().tolist(),
            "observed": observed.ravel().tolist(),
            "zones": zones.ravel().tolist(),
            "ade": errors(answer).mean(),
            "fde": errors(answer)[:, -1].mean(),
            "zone": numpy.mean(right),
            "gain": errors(constant).mean() - errors(answer).mean(),
        }
    )
versions = f"numpy {numpy.__version__}, shapely {shapely.__version__}"
text = json.dumps({"made_by": versions, "cases": cases})
(pathlib.Path(__file__).parent / "cases.json").write_text(text + "\n")
