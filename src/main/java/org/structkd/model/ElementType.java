package org.structkd.model;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Element types that both the safetensors format and LibTorch have; the names are the format's. */
enum ElementType {
  BOOL(ScalarType.Bool, 1),
  U8(ScalarType.Byte, 1),
  I8(ScalarType.Char, 1),
  F8_E4M3(ScalarType.Float8_e4m3fn, 1),
  F8_E5M2(ScalarType.Float8_e5m2, 1),
  I16(ScalarType.Short, 2),
  U16(ScalarType.UInt16, 2),
  F16(ScalarType.Half, 2),
  BF16(ScalarType.BFloat16, 2),
  I32(ScalarType.Int, 4),
  U32(ScalarType.UInt32, 4),
  F32(ScalarType.Float, 4),
  I64(ScalarType.Long, 8),
  U64(ScalarType.UInt64, 8),
  F64(ScalarType.Double, 8),
  C64(ScalarType.ComplexFloat, 8);

  /** The same type in LibTorch. */
  final ScalarType scalar;

  /** Bytes of one element. */
  final int bytes;

  ElementType(ScalarType scalar, int bytes) {
    this.scalar = scalar;
    this.bytes = bytes;
  }

  /** {@return the type of a tensor's elements} */
  static ElementType of(Tensor tensor) {
    ScalarType scalar = tensor.scalar_type().intern();
    for (ElementType type : values()) {
      if (type.scalar == scalar) {
        return type;
      }
    }
    throw new IllegalArgumentException(
        "a tensor is of type %s, which a safetensors file cannot hold: convert it to one of %s"
            .formatted(scalar, Arrays.toString(values())));
  }

  /** {@return whether numbers of this type can become those of another: both floating or whole} */
  boolean isLike(ElementType other) {
    return kind() == other.kind();
  }

  private char kind() {
    return switch (this) {
      case F8_E4M3, F8_E5M2, F16, BF16, F32, F64 -> 'f';
      case C64 -> 'c';
      case BOOL -> 'b';
      default -> 'i';
    };
  }

  /** {@return the type of this name in the format; null if there is none} */
  static @Nullable ElementType named(String name) {
    for (ElementType type : values()) {
      if (type.name().equals(name)) {
        return type;
      }
    }
    return null;
  }
}
