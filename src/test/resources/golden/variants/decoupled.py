"""The decoupled loss, restated."""
import numpy as np

from pieces import case, formula, log_softmax, standardized


def decoupled(S, T, labels, alpha=1.0, beta=8.0, temperature=4.0, standardize=False, ignore_index=-1):
    if standardize:
        S, T = standardized(S, 1), standardized(T, 1)
    K = S.shape[1]
    S, T = (np.moveaxis(z / temperature, 1, -1).reshape(-1, K) for z in (S, T))
    total, count = 0, 0
    for s, t, y in zip(S, T, labels.ravel()):
        if y in (ignore_index, -1):
            continue
        count += 1
        p, q = np.exp(log_softmax(s, 0)), np.exp(log_softmax(t, 0))
        true = q[y] * np.log(q[y] / p[y]) + (1 - q[y]) * np.log((1 - q[y]) / (1 - p[y]))
        log_p, log_q = (log_softmax(np.delete(z, y), 0) for z in (s, t))
        total = total + alpha * true + beta * np.sum(np.exp(log_q) * (log_q - log_p))
    return temperature**2 * total / count


def cases():
    for seed, (name, shape, options) in enumerate([
        ("decoupled_imagenet", (5, 7), dict(alpha=1.0, beta=0.5, temperature=1.0)),
        ("decoupled_true_alone", (4, 3), dict(beta=0.0)),
        ("decoupled_two_classes", (6, 2), dict(temperature=2.0)),
        ("decoupled_standardized", (5, 6), dict(alpha=9.0, beta=81.0, standardize=True)),
        ("decoupled_map", (2, 5, 3, 4), dict(temperature=0.5, ignore_index=3)),
    ]):
        inputs = {"S": formula(shape, seed + 1), "T": formula(shape, seed + 4)}
        pixels = shape[0] * int(np.prod(shape[2:]))
        labels = (np.arange(pixels) * 3 + seed) % shape[1]
        if len(shape) == 4:
            labels[1] = -1
        inputs["y" if len(shape) == 2 else "L"] = labels.reshape(shape[0], *shape[2:]).tolist()
        yield case(name, decoupled, inputs, options)
