package org.structkd.internal;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What records of settings have in common: checks of numbers, and copies that differ in a part. */
public final class Settings {
  private Settings() {}

  /**
   * {@return the record with one component changed, which checks itself as a new one does}
   *
   * @param record any public record
   * @param component its name
   * @param value of the component's type
   */
  public static <R extends Record> R with(R record, String component, @Nullable Object value) {
    if (Stream.of(record.getClass().getRecordComponents())
        .noneMatch(one -> one.getName().equals(component))) {
      throw new IllegalArgumentException(record.getClass() + " has no component " + component);
    }
    return changed(record, (one, old) -> one.getName().equals(component) ? value : old);
  }

  /** Gives a component another value, or the one that it has. */
  public interface Change {
    /** {@return the value of this component, which was {@code old}} */
    @Nullable Object of(RecordComponent component, @Nullable Object old);
  }

  /**
   * {@return the record with changed components, which checks itself as a new one does}
   *
   * @param record any public record
   * @param change of each component
   */
  @SuppressWarnings("unchecked") // a record's own class makes it
  public static <R extends Record> R changed(R record, Change change) {
    RecordComponent[] components = record.getClass().getRecordComponents();
    return (R)
        made(
            record.getClass(),
            Stream.of(components).map(one -> change.of(one, value(record, one))).toArray());
  }

  /**
   * {@return a record of these values, which checks itself}
   *
   * @param type of a public record
   * @param values of its components
   */
  public static <R extends Record> R made(Class<R> type, @Nullable Object... values) {
    Class<?>[] types =
        Stream.of(type.getRecordComponents())
            .map(RecordComponent::getType)
            .toArray(Class<?>[]::new);
    try {
      return type.getConstructor(types).newInstance(values);
    } catch (InvocationTargetException e) {
      throw (RuntimeException) e.getCause(); // what a record throws as it checks itself
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(type + " cannot be made", e);
    }
  }

  /** {@return what a record has in a component} */
  public static @Nullable Object value(Record record, RecordComponent component) {
    try {
      return component.getAccessor().invoke(record);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(component + " cannot be read", e);
    }
  }

  /**
   * Refuses null.
   *
   * @param owner as sentences about it begin, such as "pair-wise loss"
   * @param part name of the value
   */
  public static void requireGiven(String owner, String part, @Nullable Object value) {
    if (value == null) {
      throw new IllegalArgumentException(owner + ": " + part + " is null");
    }
  }

  /** Refuses what is 0 or less, infinite or NaN; the parameters as above. */
  public static void requirePositive(String owner, String part, double value) {
    if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          owner + ": " + part + " is " + value + ", expected a finite number greater than 0");
    }
  }

  /** Refuses what is less than a number, infinite or NaN; the parameters as above. */
  public static void requireAtLeast(String owner, String part, double value, int least) {
    if (!(value >= least && value < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "%s: %s is %s, expected a finite number of at least %s"
              .formatted(owner, part, value, least));
    }
  }

  /** Refuses a whole number that is less than another; the parameters as above. */
  public static void requireCount(String owner, String part, long value, long least) {
    if (value < least) {
      throw new IllegalArgumentException(
          "%s: %s is %d, expected %d or more".formatted(owner, part, value, least));
    }
  }

  /** Refuses two weights of which one is below 0, infinite or NaN, or both are 0; as above. */
  public static void requireWeights(
      String owner, String part, double weight, String otherPart, double other) {
    double sum = weight + other;
    if (!(weight >= 0 && other >= 0 && sum > 0 && sum < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "%s: %s is %s and %s is %s, expected finite numbers of at least 0, of which one is greater"
              .formatted(owner, part, weight, otherPart, other));
    }
  }
}
