"""The ensemble loss, restated."""
import numpy as np

from pieces import case, formula, log_softmax


def ensemble(S, teachers, form="KL", temperature=1.0, weights=(), L=None, ignore_index=None):
    weights = np.array(weights or [1.0] * len(teachers))
    q = sum(w * np.exp(log_softmax(T / temperature, 1)) for w, T in zip(weights / weights.sum(), teachers))
    log_p = log_softmax(S / temperature, 1)
    terms = q * (np.log(q) - log_p) if form == "KL" else -q * log_p
    terms = np.sum(terms, axis=1)
    if ignore_index is not None:
        terms = terms[(L != ignore_index) & (L != -1)]
    return temperature**2 * np.sum(terms) / max(1, terms.size)


def cases():
    for seed, (shape, count, options) in enumerate([
        ((3, 5), 2, dict(form="KL")),
        ((2, 4, 3, 2), 3, dict(form="CROSS_ENTROPY", temperature=4.0)),
        ((2, 3, 2, 3), 2, dict(form="KL", temperature=0.1, ignore_index=7)),
        ((1, 6, 2, 2), 1, dict(form="KL", temperature=8.0)),
    ]):
        inputs = {"S": formula(shape, seed + 1)}
        inputs.update({f"T{i}": formula(shape, seed + 4 + i) for i in range(count)})
        if "ignore_index" in options:
            inputs["L"] = [[[0, 7, 1], [2, -1, 1]], [[7, 7, 2], [0, 1, 0]]]

        def loss(S, *others, **o):
            L = others[-1] if "ignore_index" in o else None
            return ensemble(S, others[:count], L=L, **o)

        yield case(f"ensemble_{seed}", loss, inputs, options)
