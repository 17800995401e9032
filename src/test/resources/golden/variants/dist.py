"""DIST, restated."""
import numpy as np

from pieces import case, formula, length, log_softmax


def dist(S, T, inter_weight=1.0, intra_weight=1.0, temperature=1.0):
    def probabilities(z):
        p = np.exp(log_softmax(z / temperature, 1))
        return np.moveaxis(p, 1, -1).reshape(-1, z.shape[1])

    def distance(a, b):
        a, b = (x - np.mean(x, axis=1, keepdims=True) for x in (a, b))
        return 1 - np.mean(np.sum(a * b, axis=1) / (length(a, 1) * length(b, 1) + 1e-8).ravel())

    p, q = probabilities(S), probabilities(T)
    return temperature**2 * (inter_weight * distance(p, q) + intra_weight * distance(p.T, q.T))


def cases():
    for seed, (name, shape, options) in enumerate([
        ("dist_classification", (7, 5), {}),
        ("dist_odd", (2, 7, 3, 5), dict(inter_weight=2.0, intra_weight=0.5)),
        ("dist_tempered", (3, 4, 2, 3), dict(temperature=4.0)),
        ("dist_sharp", (2, 6, 3, 2), dict(temperature=0.5)),
        ("dist_inter", (1, 9), dict(intra_weight=0.0)),
    ]):
        inputs = {"S": formula(shape, seed + 1), "T": formula(shape, seed + 4)}
        yield case(name, dist, inputs, options)
