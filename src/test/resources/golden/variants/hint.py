"""The hint loss, restated."""
import numpy as np

from pieces import case, formula, parameters, resized


def hint(S, T, preset="WITHOUT_CONNECTOR", weight=None):
    if weight is not None:
        S = np.einsum("oi,bihw->bohw", weight[:, :, 0, 0], S)
    if S.ndim == 4:
        S = resized(S, *T.shape[2:])
    return np.mean((S - T) ** 2)


def cases():
    for seed, (name, student, teacher) in enumerate([
        ("hint_same", (2, 3, 4, 5), (2, 3, 4, 5)),
        ("hint_enlarged", (2, 3, 3, 5), (2, 3, 7, 9)),
        ("hint_reduced", (1, 4, 8, 6), (1, 4, 3, 6)),
        ("hint_vectors", (5, 7), (5, 7)),
        ("hint_tokens", (2, 6, 3), (2, 6, 3)),
    ]):
        inputs = {"S": formula(student, seed + 1), "T": formula(teacher, seed + 4)}
        yield case(name, hint, inputs)
    shape = (4, 3, 1, 1)
    p, params = parameters({"convolution.weight": shape}, amplitude=0.9)
    inputs = {"S": formula((2, 3, 5, 4), 9), "T": formula((2, 4, 3, 6), 11)}

    def connected(S, T, preset):
        return hint(S, T, weight=p["convolution.weight"])

    yield case("hint_connected", connected, inputs, dict(preset="CIRKD"), params=params)
