"""Collaborative distillation, restated."""
import numpy as np

from pieces import candidates, case, cross_entropy, drawn, formula, gumbel, ranks


def collaborative_distillation(
    S, T, rated=None, preset=None, draws=50, temperature=1.0, sharpness=10.0, seed=0, step=0
):
    noise = gumbel(seed, step, 0, S.shape)
    allowed = candidates(S, rated)
    loss = 0
    for u in range(len(S)):
        weights = np.exp(-ranks(T[u], allowed[u]) / sharpness)
        items = drawn(weights, allowed[u], draws, noise[u])
        loss = loss + cross_entropy(S[u], T[u], items, temperature)
    return loss / len(S)


def cases():
    rated = [[0, 1, 0, 0, 1, 0, 0, 0, 1, 0], [1] * 8 + [0, 0], [0] * 10]
    for seed, (name, options) in enumerate([
        ("collaborative", dict(preset="all_items", draws=4, sharpness=2.0, seed=1, step=3)),
        ("collaborative_warm", dict(preset="all_items", temperature=8.0)),
        ("collaborative_rated", dict(preset="standard", draws=3, temperature=0.5, step=1)),
    ]):
        inputs = {"S": formula((3, 10), seed + 3), "T": formula((3, 10), seed + 8)}
        if options["preset"] == "standard":
            inputs["rated"] = rated
        yield case(name, collaborative_distillation, inputs, options)
