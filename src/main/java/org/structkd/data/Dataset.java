package org.structkd.data;

import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** Examples of one task, in splits that share none. Immutable, may be shared. */
public interface Dataset {
  /**
   * {@return the same source with other draws: which examples, in what order, how they are changed}
   *
   * @param seed of what is drawn
   */
  Dataset withSeed(long seed);

  /**
   * {@return the batches of a training}
   *
   * @param size examples per batch, 1 or more
   */
  BatchSource training(int size);

  /**
   * {@return how many examples a split has to evaluate on, 1 or more}
   *
   * @param split validation or test
   */
  int size(Split split);

  /**
   * {@return examples to evaluate on, in the caller's PointerScope}
   *
   * @param split validation or test
   * @param first index of the first example
   * @param count how many
   */
  Batch examples(Split split, int first, int count);

  /**
   * {@return images of its batches as people look at them: intensities, black 0 and white 1} By
   * default as they are.
   *
   * @param images [B, C, H, W], the input {@link Batch#IMAGES}
   */
  default Tensor intensities(Tensor images) {
    return images;
  }

  /** {@return the number of classes; empty where targets are no classes} */
  OptionalInt classes();

  /**
   * {@return the names of the classes in the order of their labels} By default "class 0" and on.
   */
  default List<String> classNames() {
    return IntStream.range(0, classes().orElse(0)).mapToObj(label -> "class " + label).toList();
  }
}
