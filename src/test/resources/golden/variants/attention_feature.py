"""Attention-based feature matching and representative teacher keys, restated."""
import numpy as np

from pieces import case, formula, log_softmax, normalize, parameters, relu


def norm(x, scale, shift):
    mean = x.mean(axis=0)
    return scale * (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=0) + 1e-5) + shift


def pooled(x, height, width):
    """Adaptive average pooling of [B, H, W]: windows from floor to ceil of the fractions."""
    B, H, W = x.shape
    out = np.zeros((B, height, width), complex)
    for i, j in np.ndindex(height, width):
        rows = slice(i * H // height, -(-(i + 1) * H // height))
        columns = slice(j * W // width, -(-(j + 1) * W // width))
        out[:, i, j] = x[:, rows, columns].mean(axis=(1, 2))
    return out


def attention(queries, keys, p, dimension):
    def layer(x, name):
        rows = x @ p[name + "_weight"].T + p[name + "_bias"]
        return norm(rows, p[name + "_scale"], p[name + "_shift"])

    q = [layer(x.mean(axis=(2, 3)), f"query{i}") for i, x in enumerate(queries)]
    k = [relu(layer(x.mean(axis=(2, 3)), f"key{j}")) for j, x in enumerate(keys)]
    B = len(q[0])
    rows = layer(np.concatenate(k), "bilinear").reshape(len(keys), B, len(queries), dimension)
    scores = np.zeros((B, len(queries), len(keys)), complex)
    for i, j in np.ndindex(len(queries), len(keys)):
        place = p["query_positions"][i] @ p["key_positions"][j]
        scores[:, i, j] = ((rows[j, :, i] * q[i]).sum(axis=1) + place) / np.sqrt(dimension)
    return np.exp(log_softmax(scores, 2))


def kept(a, keep, threshold):
    for b, i in np.ndindex(a.shape[:2]):
        order = sorted(range(a.shape[2]), key=lambda j: (-a[b, i, j].real, j))
        chosen = [j for j in order[: keep or None] if a[b, i, j].real > threshold or j == order[0]]
        total = sum(a[b, i, j] for j in chosen)
        a[b, i] = [a[b, i, j] / total if j in chosen else 0 for j in range(a.shape[2])]
    return a


def attention_feature(student, teacher, p, qk_dim, query_from="TEACHER", keep=0, threshold=0.0):
    by_teacher = query_from == "TEACHER"
    queries, keys = (teacher, student) if by_teacher else (student, teacher)
    a = attention(queries, keys, p, qk_dim)
    if keep or threshold:
        a = kept(a, keep, threshold)
    loss = 0
    for i, j in np.ndindex(len(queries), len(keys)):
        s, t = (student[j], teacher[i]) if by_teacher else (student[i], teacher[j])
        phi_t = (t**2).mean(axis=1)
        phi_s = pooled((s**2).mean(axis=1), *phi_t.shape[1:])
        phi_s, phi_t = (normalize(x.reshape(len(x), -1), 1) for x in (phi_s, phi_t))
        loss += np.mean(a[:, i, j] * ((phi_s - phi_t) ** 2).mean(axis=1))
    return loss


def cases():
    students = [(3, 2, 5, 4), (3, 4, 3, 3)]
    teachers = [(3, 3, 4, 6), (3, 5, 3, 2), (3, 2, 1, 3)]
    for seed, options in enumerate([
        dict(qk_dim=3),
        dict(qk_dim=5, query_from="STUDENT"),
        dict(qk_dim=4, query_from="STUDENT", keep=2),
        dict(qk_dim=4, query_from="STUDENT", threshold=0.34),
        dict(qk_dim=2, query_from="STUDENT", keep=2, threshold=0.3),
        dict(qk_dim=2, keep=1),
    ]):
        inputs = {f"S{i}": formula(shape, seed + i + 1) for i, shape in enumerate(students)}
        inputs.update({f"T{i}": formula(shape, seed + i + 4) for i, shape in enumerate(teachers)})
        d = options["qk_dim"]
        by_teacher = "query_from" not in options
        queries, keys = (teachers, students) if by_teacher else (students, teachers)
        shapes = {"query_positions": (len(queries), d), "key_positions": (len(keys), d)}
        layers = {f"query{i}": (d, shape[1]) for i, shape in enumerate(queries)}
        layers |= {f"key{i}": (d, shape[1]) for i, shape in enumerate(keys)}
        layers["bilinear"] = (d * len(queries), d)
        for name, (out, features) in layers.items():
            shapes |= {name + "_weight": (out, features)}
            shapes |= {name + part: (out,) for part in ("_bias", "_scale", "_shift")}
        p, params = parameters(shapes, amplitude=0.7)

        def loss(S0, S1, T0, T1, T2, **o):
            return attention_feature([S0, S1], [T0, T1, T2], p, **o)

        yield case(f"attention_feature_{seed}", loss, inputs, options, params=params)
