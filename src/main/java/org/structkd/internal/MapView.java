package org.structkd.internal;

import java.util.Arrays;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A tensor argument seen as a map [B, C, H, W]. Tokens [B, N, C] are a map of N x 1 positions,
 * vectors [B, C] one of 1 x 1: both are views, so the gradient has the shape of what was given.
 *
 * <p>Views belong to the PointerScope that is open: make them inside {@link Scopes#resultOf}.
 *
 * @param loss how sentences about it begin
 * @param name of the argument
 * @param given the argument
 * @param map its view
 */
public record MapView(String loss, String name, Tensor given, Tensor map) {
  private static final int MAP_RANK = 4;
  private static final int TOKEN_RANK = 3;
  private static final int VECTOR_RANK = 2;

  /** What a call accepts; each also what stands before it. */
  public enum Accepts {
    /** [B, C, H, W]. */
    MAPS(MAP_RANK, "4: [batch, channels, height, width]"),
    /** [B, N, C]. */
    TOKENS(TOKEN_RANK, MAPS.ranks + ", or 3: [batch, positions, channels]"),
    /** [B, C]. */
    VECTORS(VECTOR_RANK, TOKENS.ranks + ", or 2: [batch, channels]");

    private final int least;
    private final String ranks;

    Accepts(int least, String ranks) {
      this.least = least;
      this.ranks = ranks;
    }
  }

  /**
   * Checks and views an argument.
   *
   * @throws IllegalArgumentException if it is closed, of another rank, empty or not floating
   */
  public static MapView of(String loss, String name, @Nullable Tensor given, Accepts accepts) {
    TensorArguments.requireOpen(loss, name, given);
    long rank = given.dim();
    if (rank < accepts.least || rank > MAP_RANK) {
      throw new IllegalArgumentException(
          "%s: %s has rank %s, expected %s"
              .formatted(loss, TensorArguments.describe(name, given), rank, accepts.ranks));
    }
    TensorArguments.requireNumbers(loss, name, given);
    return new MapView(loss, name, given, view(given));
  }

  private static Tensor view(Tensor given) {
    return switch ((int) given.dim()) {
      case VECTOR_RANK -> given.unsqueeze(2).unsqueeze(3);
      case TOKEN_RANK -> given.transpose(1, 2).unsqueeze(3);
      default -> given;
    };
  }

  /** Whether tokens were given: positions without height and width. */
  public boolean isTokens() {
    return given.dim() == TOKEN_RANK;
  }

  /** {@return images times positions} */
  public long positions() {
    return map.numel() / map.size(1);
  }

  /** What a call makes of the map. */
  public MapView made(UnaryOperator<Tensor> change) {
    Tensor made = change.apply(map);
    return new MapView(loss, name, inGivenForm(made), made);
  }

  /** {@return the same map, which sentences call by another name} */
  public MapView named(String other) {
    return new MapView(loss, other, given, map);
  }

  private Tensor inGivenForm(Tensor made) {
    return switch ((int) given.dim()) {
      case VECTOR_RANK -> made.squeeze(3).squeeze(2);
      case TOKEN_RANK -> made.squeeze(3).transpose(1, 2);
      default -> made;
    };
  }

  /**
   * Checks a value per position, such as a mask, and views it as [B, H, W]. It is given as the map
   * is, without channels: [B, H, W], [B, N] of tokens, [B] of vectors.
   *
   * @throws IllegalArgumentException if it is closed, of another shape or on another device
   */
  public Tensor plane(String argument, @Nullable Tensor plane) {
    TensorArguments.requireOpen(loss, argument, plane);
    long[] expected = sizesWithoutChannels();
    if (!Arrays.equals(plane.shape(), expected)) {
      throw misfit(argument, plane, Arrays.toString(expected));
    }
    TensorArguments.requireSameDevice(loss, argument, plane, name, given);
    return planeView(plane);
  }

  /** A mask as a plane, of Bool or Byte; null, which leaves nothing out, stays null. */
  public @Nullable Tensor mask(@Nullable Tensor mask) {
    if (mask == null) {
      return null;
    }
    Tensor plane = plane("mask", mask);
    ScalarType type = mask.scalar_type().intern();
    if (type != ScalarType.Bool && type != ScalarType.Byte) {
      throw new IllegalArgumentException(
          "%s: mask is %s, expected Bool or Byte: compare it first, as in mask.gt(0)"
              .formatted(loss, type));
    }
    return plane;
  }

  /** Labels in the form of a plane, of any size where the map has height and width. */
  Tensor labelPlane(@Nullable Tensor labels) {
    TensorArguments.requireOpen(loss, "labels", labels);
    if (given.dim() != MAP_RANK) {
      return plane("labels", labels);
    }
    if (labels.dim() != 3 || labels.numel() == 0 || labels.size(0) != map.size(0)) {
      throw misfit("labels", labels, "[batch, height, width]");
    }
    TensorArguments.requireSameDevice(loss, "labels", labels, name, given);
    return labels;
  }

  /** "8 x 8". */
  String size() {
    return map.size(2) + " x " + map.size(3);
  }

  private long[] sizesWithoutChannels() {
    long[] shape = given.shape();
    return switch (shape.length) {
      case VECTOR_RANK -> new long[] {shape[0]};
      case TOKEN_RANK -> new long[] {shape[0], shape[1]};
      default -> new long[] {shape[0], shape[2], shape[3]};
    };
  }

  private Tensor planeView(Tensor plane) {
    return switch ((int) given.dim()) {
      case VECTOR_RANK -> plane.unsqueeze(1).unsqueeze(2);
      case TOKEN_RANK -> plane.unsqueeze(2);
      default -> plane;
    };
  }

  private IllegalArgumentException misfit(String argument, Tensor plane, String expected) {
    return new IllegalArgumentException(
        loss
            + ": "
            + TensorArguments.describe(argument, plane)
            + " does not fit "
            + TensorArguments.describe(name, given)
            + ", expected "
            + expected);
  }
}
