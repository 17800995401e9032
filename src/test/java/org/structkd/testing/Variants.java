package org.structkd.testing;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Copies of settings that differ in one thing, whatever these settings are. */
public final class Variants {
  /**
   * A mark for "none", the ends of a count, one that divides little, and more than small maps have.
   */
  private static final List<Long> OTHER_INTEGERS = List.of(-1L, 0L, 1L, 5L, 100L);

  private Variants() {}

  /**
   * The record, and copies with one component changed: every constant of an enum, the other
   * boolean, half as much again of a double, other numbers for an integer; of a record inside, each
   * of its variants.
   *
   * @param record of options; copies that its constructor refuses are left out
   */
  public static <R extends Record> List<R> of(R record) {
    List<R> variants = new ArrayList<>(List.of(record));
    RecordComponent[] components = record.getClass().getRecordComponents();
    Object[] values = Arrays.stream(components).map(one -> read(one, record)).toArray();
    for (int i = 0; i < values.length; i++) {
      for (Object other : others(values[i])) {
        Object[] changed = values.clone();
        changed[i] = other;
        addTo(variants, record, components, changed);
      }
    }
    return variants;
  }

  private static List<?> others(Object value) {
    if (value instanceof Enum<?> constant) {
      return Arrays.asList(constant.getDeclaringClass().getEnumConstants());
    }
    if (value instanceof Boolean truth) {
      return List.of(!truth);
    }
    if (value instanceof Double number) {
      return List.of(1.5 * number);
    }
    if (value instanceof Long) {
      return OTHER_INTEGERS;
    }
    return value instanceof Record inner ? of(inner) : List.of();
  }

  private static <R extends Record> void addTo(
      List<R> variants, R record, RecordComponent[] components, Object[] values) {
    Class<?>[] types =
        Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
    try {
      @SuppressWarnings("unchecked")
      Constructor<R> constructor = (Constructor<R>) record.getClass().getDeclaredConstructor(types);
      constructor.setAccessible(true);
      variants.add(constructor.newInstance(values));
    } catch (InvocationTargetException e) {
      if (!(e.getCause() instanceof IllegalArgumentException)) {
        throw new AssertionError(e.getCause());
      }
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  private static Object read(RecordComponent component, Record record) {
    try {
      component.getAccessor().setAccessible(true);
      return component.getAccessor().invoke(record);
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }
}
