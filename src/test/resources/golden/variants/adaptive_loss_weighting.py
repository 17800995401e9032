"""The weights of adaptive loss weighting, by hand: the epoch over the number of epochs, at most 1."""


def cases():
    yield dict(
        name="adaptive_weights",
        options=dict(total_epochs=50),
        out_f64={"alpha@0": 0.0, "alpha@7": 0.14, "alpha@50": 1.0, "alpha@80": 1.0},
    )
