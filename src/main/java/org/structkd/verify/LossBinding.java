package org.structkd.verify;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Words;
import org.structkd.loss.Loss;
import org.structkd.loss.Losses;
import org.structkd.loss.Pooling;

/** Makes the loss of a case: a preset, changed by the options that name components of the loss. */
final class LossBinding {
  private LossBinding() {}

  /**
   * The loss with the options of a case. The preset is what {@code preset} names, or {@code kind}
   * where no component is called so. A case that names none gets {@code standard}; else the one
   * loss that remains of all presets, the options applied: of those that have the constants that
   * the options name, of those that need no trained part but one that the case has, and of those
   * that pool nothing.
   *
   * @param lacksPart whether a loss needs a trained part that the case does not have
   * @throws BadGoldenFileException if several losses remain
   */
  static Loss loss(Losses.Entry entry, GoldenOptions options, Predicate<Loss> lacksPart) {
    Map<String, Loss> presets = new TreeMap<>();
    entry.presets().forEach(name -> presets.put(name, entry.create(name)));
    boolean kindIsOption =
        Stream.of(entry.type().getRecordComponents()).anyMatch(one -> one.getName().equals("kind"));
    String key = options.has("kind") && !kindIsOption ? "kind" : "preset";
    if (options.has(key) || presets.containsKey("standard")) {
      Loss preset = options.choice(key, presets, presets.get("standard"));
      return changed(preset, options);
    }
    List<Loss> losses =
        those(presets.values(), one -> constants(one).equals(constants(changed(one, options))))
            .stream()
            .map(preset -> changed(preset, options))
            .distinct()
            .toList();
    losses = those(losses, lacksPart.negate());
    losses = those(losses, LossBinding::poolsNothing);
    if (losses.size() > 1 && !lacksPart.test(losses.get(0))) {
      throw options.missing(key);
    }
    return losses.get(0); // where all lack one, any tells it
  }

  /** {@return the losses of which something is true; all where it is true of none} */
  private static List<Loss> those(Collection<Loss> losses, Predicate<Loss> condition) {
    List<Loss> some = losses.stream().filter(condition).toList();
    return some.isEmpty() ? List.copyOf(losses) : some;
  }

  private static boolean poolsNothing(Loss loss) {
    return Stream.of(loss.getClass().getRecordComponents())
        .filter(component -> component.getType() == Pooling.class)
        .allMatch(component -> Pooling.none().equals(read(component, loss)));
  }

  private static List<Object> constants(Loss loss) {
    return Stream.of(loss.getClass().getRecordComponents())
        .filter(component -> component.getType().isEnum())
        .map(component -> read(component, loss))
        .toList();
  }

  /** The record with what the options say. */
  @SuppressWarnings("unchecked") // a record's own class makes it
  private static <R> R changed(R record, GoldenOptions options) {
    RecordComponent[] components = record.getClass().getRecordComponents();
    Class<?>[] types = Stream.of(components).map(RecordComponent::getType).toArray(Class[]::new);
    Object[] values =
        Stream.of(components).map(one -> changed(one, read(one, record), options)).toArray();
    try {
      return (R) record.getClass().getConstructor(types).newInstance(values);
    } catch (InvocationTargetException e) {
      throw (RuntimeException) e.getCause(); // what a record throws as it checks itself
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(record + " cannot be changed", e);
    }
  }

  private static @Nullable Object changed(
      RecordComponent component, @Nullable Object value, GoldenOptions options) {
    if (value instanceof Pooling pooling) {
      return pooling(pooling, options);
    }
    String key = Words.snakeCase(component.getName());
    if (value == null && !options.has(key)) {
      return null;
    }
    return value instanceof Record
        ? changed(value, options)
        : options.value(key, component.getType(), value);
  }

  /** Golden files know one way to pool, the maximum over a fraction of the map. */
  private static Pooling pooling(Pooling otherwise, GoldenOptions options) {
    double scale = options.value("scale", double.class, 0.0);
    Pooling pooling = options.has("scale") ? Pooling.maxOfMapFraction(scale) : otherwise;
    boolean none = options.choice("pool", Map.of("none", true, "max", false), false);
    return none ? Pooling.none() : pooling;
  }

  private static @Nullable Object read(RecordComponent component, Object record) {
    try {
      return component.getAccessor().invoke(record);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(component + " cannot be read", e);
    }
  }
}
