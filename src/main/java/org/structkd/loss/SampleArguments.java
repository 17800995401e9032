package org.structkd.loss;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.MapView;
import org.structkd.internal.TensorArguments;

/** Checks of what the global structural loss compares: rows, samples, permutations. */
final class SampleArguments {
  private static final String NAME = GlobalStructuralLoss.NAME;

  private SampleArguments() {}

  static void requireSamples(GlobalStructuralSamples samples, MapView student) {
    Tensor map = student.map();
    Tensor indices = samples.indices();
    if (indices.size(0) != map.size(0)) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe("indices", indices)
              + " and "
              + TensorArguments.describe("student", student.given())
              + " differ in batch size");
    }
    TensorArguments.requireSameDevice(NAME, "indices", indices, "student", map);
    TensorArguments.requireSameDevice(NAME, "counts", samples.counts(), "student", map);
    if (!indices.is_cpu()) {
      return;
    }
    try (PointerScope scope = new PointerScope()) {
      long largest = indices.max().item_long();
      long pixels = map.size(2) * map.size(3);
      if (largest >= pixels) {
        throw new IllegalArgumentException(
            NAME + ": indices has the value " + largest + ", expected 0 to " + (pixels - 1));
      }
      long most = samples.counts().narrow(1, 0, 1).max().item_long();
      if (most > indices.size(1)) {
        throw new IllegalArgumentException(
            "%s: counts promises %s samples, but %s holds fewer"
                .formatted(NAME, most, TensorArguments.describe("indices", indices)));
      }
    }
  }

  /** Null is drawn, and fits. */
  static void requirePermutation(@Nullable Tensor permutation, long batch, long samples) {
    if (permutation == null) {
      return;
    }
    TensorArguments.requireOpen(NAME, "permutation", permutation);
    long rank = permutation.dim();
    ScalarType dtype = permutation.scalar_type().intern();
    if ((rank != 2 && rank != 3)
        || (rank == 3 && permutation.size(0) != batch)
        || permutation.size(rank - 1) != samples
        || permutation.size(rank - 2) != samples
        || (dtype != ScalarType.Int && dtype != ScalarType.Long)) {
      throw new IllegalArgumentException(
          "%s: %s is %s, expected Int [%s, %s], or one for each image"
              .formatted(
                  NAME,
                  TensorArguments.describe("permutation", permutation),
                  dtype,
                  samples,
                  samples));
    }
    if (!permutation.is_cpu()) {
      return;
    }
    try (PointerScope scope = new PointerScope()) {
      Tensor sorted = permutation.to(ScalarType.Long).sort().get0();
      Tensor columns = torch.arange(new Scalar(samples)).to(ScalarType.Long);
      if (!torch.equal(sorted, columns.expand_as(sorted))) {
        throw new IllegalArgumentException(
            NAME + ": permutation has a row that is no permutation of 0 to " + (samples - 1));
      }
    }
  }

  static void requireRows(String argument, Tensor rows) {
    TensorArguments.requireOpen(NAME, argument, rows);
    if (rows.dim() != 3) {
      throw new IllegalArgumentException(
          "%s: %s has rank %s, expected 3: [batch, samples, channels]"
              .formatted(NAME, TensorArguments.describe(argument, rows), rows.dim()));
    }
  }
}
