#!/usr/bin/env python3
"""Makes cases.json: errors of depth as the field takes them, restated with numpy.

    pip install numpy==2.4.6
    python3 make_cases.py > cases.json

Where the truth is NaN it is not known. The order is that of the usual codes: choose pixels, scale by
the medians, clip, take the errors of an image, then the mean over images.
"""
import json

import numpy as np


def errors(truth, answer):
    ratio = np.maximum(truth / answer, answer / truth)
    return {
        "abs_rel": np.mean(np.abs(truth - answer) / truth),
        "sq_rel": np.mean((truth - answer) ** 2 / truth),
        "rmse": np.sqrt(np.mean((truth - answer) ** 2)),
        "rmse_log": np.sqrt(np.mean((np.log(truth) - np.log(answer)) ** 2)),
        "delta1": np.mean(ratio < 1.25),
        "delta2": np.mean(ratio < 1.25**2),
        "delta3": np.mean(ratio < 1.25**3),
    }


def case(images, height, width, cap, median, seed):
    draw = np.random.default_rng(seed)
    truth = np.round(draw.uniform(1, 12, (images, height, width)), 3)
    truth[draw.uniform(size=truth.shape) < 0.2] = np.nan
    answer = np.round(draw.uniform(0.5, 9, truth.shape), 3)
    scores = []
    for t, a in zip(truth, answer):
        known = np.isfinite(t) & (t <= cap)
        t, a = t[known], a[known]
        if median:
            a = a * np.median(t) / np.median(a)
        a = np.clip(a, 1e-3, cap)
        one = errors(t, a)
        one["gain"] = np.mean(np.abs(np.median(t) - t) / t) - one["abs_rel"]
        scores.append(one)
    return {
        "shape": [images, 1, height, width],
        "cap": cap,
        "scaling": "MEDIAN" if median else "NONE",
        "truth": [None if np.isnan(t) else float(t) for t in truth.ravel()],
        "answer": answer.ravel().tolist(),
        "score": {key: float(np.mean([one[key] for one in scores])) for key in scores[0]},
    }


cases = [
    case(1, 4, 5, 80.0, True, 1),
    case(3, 3, 6, 8.0, True, 2),
    case(2, 4, 4, 10.0, False, 3),
]
print(json.dumps(cases, indent=1))
