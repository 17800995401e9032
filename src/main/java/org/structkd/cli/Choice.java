package org.structkd.cli;

import java.util.Arrays;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Reads a constant of an enum as its toString() spells it, in upper or lower case.
 *
 * @param type the enum
 */
record Choice<E extends Enum<E>>(Class<E> type) implements ITypeConverter<E> {
  @Override
  public E convert(String text) {
    for (E constant : type.getEnumConstants()) {
      if (constant.toString().equalsIgnoreCase(text)) {
        return constant;
      }
    }
    String all =
        Arrays.stream(type.getEnumConstants()).map(E::toString).collect(Collectors.joining(", "));
    throw new TypeConversionException("expected one of " + all + " but was '" + text + "'");
  }
}
