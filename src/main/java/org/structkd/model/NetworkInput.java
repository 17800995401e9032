package org.structkd.model;

import java.util.List;
import java.util.stream.Collectors;

/**
 * What one input of a network must be, for those who check or describe it.
 *
 * @param name of the input, such as {@link TappedNetwork#IMAGES}
 * @param axes of the tensor, the first one counts the examples
 * @param indices 0: numbers of the network's own floating type. Else i64 indices from 0 to this,
 *     without it
 */
public record NetworkInput(String name, List<Axis> axes, int indices) {
  /**
   * One axis.
   *
   * @param name such as "H"; of a fixed size the size
   * @param size its size; 0: any multiple of {@code multiple}
   * @param multiple 1 or more
   */
  public record Axis(String name, int size, int multiple) {
    /** {@return an axis of one size} */
    static Axis of(int size) {
      return new Axis(Integer.toString(size), size, 1);
    }

    /** {@return an axis of any size that is a multiple of another} */
    static Axis any(String name, int multiple) {
      return new Axis(name, 0, multiple);
    }

    boolean fits(long other) {
      return size > 0 ? other == size : other % multiple == 0;
    }
  }

  /** Copies the list. */
  public NetworkInput {
    axes = List.copyOf(axes);
  }

  /** {@return images [B, channels, H, W], whose height and width are multiples of a stride} */
  static NetworkInput images(int channels, int stride) {
    return numbers(
        TappedNetwork.IMAGES,
        Axis.any("B", 1),
        Axis.of(channels),
        Axis.any("H", stride),
        Axis.any("W", stride));
  }

  /** {@return numbers of the network's own type} */
  static NetworkInput numbers(String name, Axis... axes) {
    return new NetworkInput(name, List.of(axes), 0);
  }

  /** {@return "[B, 3, H, W] with H and W multiples of 8"} */
  String shape() {
    String shape = axes.stream().map(Axis::name).collect(Collectors.joining(", ", "[", "]"));
    List<Axis> strided = axes.stream().filter(axis -> axis.multiple > 1).toList();
    return strided.isEmpty()
        ? shape
        : shape
            + strided.stream().map(Axis::name).collect(Collectors.joining(" and ", " with ", ""))
            + " multiples of "
            + strided.get(0).multiple;
  }
}
