"""Regression, restated."""
import numpy as np

from pieces import case, formula


def size(d):
    return np.where(d.real < 0, -d, d)


def distances(d, preset, beta=1.0, share=0.2):
    if preset in ("absolute", "log_absolute"):
        return size(d)
    if preset == "smooth":
        return np.where(size(d).real < beta, d * d / (2 * beta), size(d) - beta / 2)
    if preset == "berhu":
        c = share * np.max(size(d).real)
        return np.where(size(d).real <= c, size(d), (d * d + c * c) / (2 * c))
    return d * d


def regression(S, T, preset, **options):
    taken = np.isfinite(T) & ((T > 0) | (preset not in ("log_absolute", "scale_invariant_log")))
    logs = preset in ("log_absolute", "scale_invariant_log")
    d = np.log(S) - np.log(np.where(taken, T, 1)) if logs else S - T
    if preset != "scale_invariant_log":
        return np.mean(distances(d[taken], preset, **options))
    share = options.get("share", 0.5)
    images = [e[valid] for e, valid in zip(d, taken) if valid.any()]
    return np.mean([np.mean(e * e) - share * np.mean(e) ** 2 for e in images])


def positive(shape, seed):
    """Numbers above 0."""
    return dict(formula(shape, seed), d=4.0)


def cases():
    for seed, (name, shape, options) in enumerate([
        ("regression_squared", (3, 5), dict(preset="to_teacher")),
        ("regression_absolute", (2, 1, 3, 7), dict(preset="absolute")),
        ("regression_smooth", (11,), dict(preset="smooth")),
        ("regression_smooth_wide", (4, 6), dict(preset="smooth", beta=2.5)),
        ("regression_berhu", (2, 1, 5, 3), dict(preset="berhu")),
        ("regression_berhu_half", (3, 2, 3), dict(preset="berhu", share=0.5)),
        ("regression_log_absolute", (2, 9), dict(preset="log_absolute")),
        ("regression_log", (3, 1, 2, 5), dict(preset="scale_invariant_log")),
        ("regression_log_invariant", (2, 1, 4, 3), dict(preset="scale_invariant_log", share=1)),
    ]):
        make = positive if "log" in name else formula
        yield case(name, regression, {"S": make(shape, seed + 1), "T": make(shape, seed + 5)}, options)
    # Depths of 0 or less were not measured.
    inputs = {"S": positive((3, 1, 3, 4), 3), "T": formula((3, 1, 3, 4), 7)}
    yield case("regression_masked_log", regression, inputs, dict(preset="scale_invariant_log"))
    yield case("regression_masked_log_absolute", regression, inputs, dict(preset="log_absolute"))
    stars = {"S": formula((7,), 2), "ratings": [4, 2, 5, 1, 3, 3, 5]}
    yield case("regression_ratings", lambda S, y, preset: np.mean((S - y) ** 2), stars, dict(preset="to_ratings"))
