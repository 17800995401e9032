package org.structkd.data;

import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Named;

/**
 * What a step learns from, or an evaluation looks at: named tensors, whose first axis counts the
 * examples. Sources make them on the CPU.
 *
 * @param inputs what networks read, such as {@link #IMAGES}; a teacher may read others than the
 *     student
 * @param targets what is true of the examples, such as {@link #LABELS}; may be empty
 */
public record Batch(Map<String, Tensor> inputs, Map<String, Tensor> targets) {
  /** The usual input: images [B, C, H, W]. */
  public static final String IMAGES = "images";

  /** The usual target: true class of each pixel, i64 [B, H, W], or of each image, i64 [B]. */
  public static final String LABELS = "labels";

  /**
   * Copies the maps.
   *
   * @throws IllegalArgumentException if there is no input
   */
  public Batch {
    inputs = Map.copyOf(inputs);
    targets = Map.copyOf(targets);
    if (inputs.isEmpty()) {
      throw new IllegalArgumentException("the batch has no inputs, expected at least one");
    }
  }

  /** Images with labels. */
  public static Batch of(Tensor images, Tensor labels) {
    return new Batch(Map.of(IMAGES, images), Map.of(LABELS, labels));
  }

  /**
   * {@return the same batch on a device; tensors that are there stay the same}
   *
   * @param device where to
   */
  public Batch to(Device device) {
    return new Batch(moved(inputs, device), moved(targets, device));
  }

  private static Map<String, Tensor> moved(Map<String, Tensor> tensors, Device device) {
    Map<String, Tensor> moved = new HashMap<>();
    tensors.forEach((name, tensor) -> moved.put(name, tensor.to(device, tensor.scalar_type())));
    return moved;
  }

  /**
   * {@return some of the examples: the one at {@code rank} and every {@code of}-th behind it, so
   * that what lies in front and at the end of a batch comes to all ranks alike}
   *
   * @param rank 0 to of - 1
   * @param of how many share the batch
   * @throws IllegalArgumentException if the examples cannot be shared equally
   */
  public Batch share(int rank, int of) {
    return of == 1 ? this : new Batch(shares(inputs, rank, of), shares(targets, rank, of));
  }

  private static Map<String, Tensor> shares(Map<String, Tensor> tensors, int rank, int of) {
    Map<String, Tensor> shares = new HashMap<>();
    tensors.forEach(
        (name, tensor) -> {
          long examples = tensor.size(0);
          if (examples % of != 0) {
            throw new IllegalArgumentException(
                ("a batch has %d examples in its \"%s\", which %d ranks cannot share equally;"
                        + " expected a multiple of %d")
                    .formatted(examples, name, of, of));
          }
          LongOptional from = new LongOptional(rank);
          shares.put(name, tensor.slice(0, from, new LongOptional(examples), of).contiguous());
        });
    return shares;
  }

  /**
   * {@return an input}
   *
   * @param name which
   * @throws IllegalArgumentException naming the known inputs, if there is none of this name
   */
  public Tensor input(String name) {
    return Named.in(inputs, "the batch", "input", name);
  }

  /**
   * {@return a target}
   *
   * @param name which
   * @throws IllegalArgumentException naming the known targets, if there is none of this name
   */
  public Tensor target(String name) {
    return Named.in(targets, "the batch", "target", name);
  }
}
