"""Teacher-bounded regression, restated."""
import numpy as np

from pieces import case, formula


def teacher_bounded(S, T, truth, margin=0.0):
    sums = []
    for s, t, y in zip(S, T, truth):
        error = np.sum((s - y) ** 2)
        sums.append(error if error.real + margin > np.sum((t - y) ** 2) else 0)
    return np.mean(sums)


def cases():
    for name, shape, options in [
        ("teacher_bounded_paths", (5, 4, 2), {}),
        ("teacher_bounded_margin", (6, 3), dict(margin=2.0)),
        ("teacher_bounded_numbers", (9,), dict(margin=0.1)),
    ]:
        inputs = {"S": formula(shape, 2), "T": formula(shape, 4), "trajectories": formula(shape, 3)}
        yield case(name, teacher_bounded, inputs, options)
