"""Relaxed ranking distillation, restated."""
import numpy as np

from pieces import best, candidates, case, drawn, formula, gumbel


def relaxed_ranking_distillation(S, T, rated=None, preset=None, top=40, others=40, seed=0, step=0):
    users, items = S.shape
    noise = gumbel(seed, step, 0, S.shape)
    allowed = candidates(S, rated)
    loss = 0
    for u in range(users):
        order = best(T[u], allowed[u], top)
        outside = allowed[u].copy()
        outside[order] = False
        low = drawn(np.ones(items), outside, others, noise[u])
        for k, item in enumerate(order):
            below = np.exp(S[u, order[k:]]).sum() + np.exp(S[u, low]).sum()
            loss = loss - S[u, item] + np.log(below)
    return loss


def cases():
    rated = [[0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], [1] * 9 + [0, 0, 0], [0] * 12]
    for seed, (name, options) in enumerate([
        ("relaxed_ranking", dict(preset="all_items", top=4, others=3, seed=5, step=7)),
        ("relaxed_ranking_all", dict(preset="all_items")),
        ("relaxed_ranking_rated", dict(preset="released", top=5, others=4, step=2)),
        ("relaxed_ranking_alone", dict(preset="all_items", top=6, others=0)),
    ]):
        inputs = {"S": formula((3, 12), seed + 3), "T": formula((3, 12), seed + 8)}
        if options["preset"] == "released":
            inputs["rated"] = rated
        yield case(name, relaxed_ranking_distillation, inputs, options)
