"""The relational loss, restated."""
import itertools

import numpy as np

from pieces import case, formula, length


def huber(x):
    return np.where(np.abs(x.real) < 1, x * x / 2, x * np.sign(x.real) - 0.5)


def distances(e):
    out = np.zeros((len(e), len(e)), complex)
    for i, j in itertools.permutations(range(len(e)), 2):
        out[i, j] = np.sqrt(np.sum((e[i] - e[j]) ** 2))
    return out / np.mean(out[~np.eye(len(e), dtype=bool)])


def angles(e):
    out = np.zeros((len(e),) * 3, complex)
    for i in range(len(e)):
        apart = e - e[i]
        lengths = length(apart, 1)
        units = np.where(lengths.real > 1e-12, apart / np.where(lengths == 0, 1, lengths), 0)
        out[i] = units @ units.T
    return out


def areas(e):
    out, three = np.zeros((len(e),) * 3, complex), []
    for i, j, k in itertools.permutations(range(len(e)), 3):
        u, v = e[i] - e[j], e[k] - e[j]
        out[i, j, k] = np.sqrt(np.sum(u * u) * np.sum(v * v) - np.sum(u * v) ** 2) / 2
        three.append(out[i, j, k])
    return out / np.mean(three)


PSI = {"DISTANCE": distances, "ANGLE": angles, "AREA": areas}


def relational(S, T, kind, normalize=False):
    if normalize:
        S, T = S / length(S, 1), T / length(T, 1)
    return np.mean(huber(PSI[kind](S) - PSI[kind](T.astype(complex))))


def cases():
    for seed, (kind, normalize, samples, channels) in enumerate([
        ("DISTANCE", True, 7, (3, 5)),
        ("DISTANCE", False, 3, (2, 6)),
        ("ANGLE", False, 6, (4, 7)),
        ("ANGLE", True, 9, (5, 3)),
        ("ANGLE", False, 3, (2, 2)),
        ("AREA", False, 6, (3, 8)),
        ("AREA", True, 8, (4, 4)),
        ("AREA", False, 5, (2, 3)),
    ]):
        inputs = {"S": formula((samples, channels[0]), seed + 2), "T": formula((samples, channels[1]), seed + 5)}
        name = f"relational_{kind.lower()}_{'directions' if normalize else 'plain'}_{samples}"
        yield case(name, relational, inputs, dict(kind=kind, normalize=normalize))
