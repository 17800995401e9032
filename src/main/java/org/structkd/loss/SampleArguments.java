package org.structkd.loss;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.MapView;
import org.structkd.internal.TensorArguments;

/** Checks of given samples and permutations. */
final class SampleArguments {
  private static final String NAME = "global structural loss";

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
            NAME
                + ": counts promises "
                + most
                + " samples, but "
                + TensorArguments.describe("indices", indices)
                + " holds fewer");
      }
    }
  }

  static void requirePermutation(Tensor permutation, long batch, long samples) {
    TensorArguments.requireOpen(NAME, "permutation", permutation);
    long rank = permutation.dim();
    ScalarType dtype = permutation.scalar_type().intern();
    if ((rank != 2 && rank != 3)
        || (rank == 3 && permutation.size(0) != batch)
        || permutation.size(rank - 1) != samples
        || permutation.size(rank - 2) != samples
        || (dtype != ScalarType.Int && dtype != ScalarType.Long)) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe("permutation", permutation)
              + " is "
              + dtype
              + ", expected Int ["
              + samples
              + ", "
              + samples
              + "], or one for each image");
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
}
