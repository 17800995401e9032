#!/usr/bin/env python3
"""Makes cases.json: NDCG of recommendations by scikit-learn, hit rates and errors by numpy.

    pip install scikit-learn==1.9.1
    python3 make_cases.py > cases.json

Items that a user has rated in training are no candidates. Relevant are held-out ratings of 4 stars and
more; users without one count for the error alone. Scores have no ties, which the two break in other ways.
"""
import json

import numpy as np
from sklearn.metrics import ndcg_score


def case(users, items, held, top, seed):
    draw = np.random.default_rng(seed)
    scores = np.stack([draw.permutation(items) for _ in range(users)]) / 8 - 1  # no two are equal
    rated = draw.uniform(size=(users, items)) < 0.3
    chosen, stars, ndcg, hits = [], [], [], []
    for user in range(users):
        own = draw.permutation(np.flatnonzero(~rated[user]))[:held]
        given = draw.integers(1, 6, held)
        candidates = np.flatnonzero(~rated[user])
        relevant = np.isin(candidates, own[given >= 4])
        if relevant.any():
            by_score = scores[user, candidates]
            ndcg.append(ndcg_score([relevant.astype(float)], [by_score], k=top))
            hits.append(relevant[np.argsort(-by_score)[:top]].any())
        chosen.append(own)
        stars.append(given)
    answers = np.round(draw.uniform(1, 5, (users, held)), 3)
    return {
        "users": users, "items": items, "held": held, "top": top,
        "scores": scores.ravel().tolist(), "rated": rated.ravel().tolist(),
        "chosen": np.concatenate(chosen).tolist(), "stars": np.concatenate(stars).tolist(),
        "answers": answers.ravel().tolist(),
        "ndcg": float(np.mean(ndcg)), "hr": float(np.mean(hits)),
        "rmse": float(np.sqrt(np.mean((answers - np.array(stars)) ** 2))),
    }


cases = [case(4, 12, 3, 3, 1), case(6, 20, 4, 5, 2), case(5, 15, 6, 10, 3)]
print(json.dumps({"made_by": "scikit-learn 1.9.1", "cases": cases}))
