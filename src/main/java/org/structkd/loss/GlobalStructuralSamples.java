package org.structkd.loss;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.TensorArguments;

/**
 * The pixels at which {@link GlobalStructuralLoss} compares two maps.
 *
 * @param indices Int [B, M]: row-major pixels h * W + w of the map, class by class; those behind an
 *     image's last sample are not read. A pixel may stand in several places: its gradients add up
 * @param counts Int [B, 2]: samples and classes of each image; an image with 0 samples is left out
 */
public record GlobalStructuralSamples(Tensor indices, Tensor counts) {
  private static final String NAME = "global structural loss";

  /** Checks shapes and types. */
  public GlobalStructuralSamples {
    requireTable("indices", indices);
    requireTable("counts", counts);
    if (counts.size(0) != indices.size(0) || counts.size(1) != 2) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe("counts", counts)
              + " does not fit "
              + TensorArguments.describe("indices", indices)
              + ", expected "
              + Arrays.toString(new long[] {indices.size(0), 2}));
    }
  }

  private static void requireTable(String argument, Tensor tensor) {
    TensorArguments.requireOpen(NAME, argument, tensor);
    if (tensor.dim() != 2
        || tensor.numel() == 0
        || tensor.scalar_type().intern() != ScalarType.Int) {
      throw new IllegalArgumentException(
          "%s: %s is %s of rank %s, expected Int [batch, entries] that is not empty"
              .formatted(
                  NAME,
                  TensorArguments.describe(argument, tensor),
                  tensor.scalar_type().intern(),
                  tensor.dim()));
    }
  }
}
