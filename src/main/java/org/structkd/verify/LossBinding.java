package org.structkd.verify;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
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
   * the options name, and of those that train nothing.
   *
   * @param trains whether a loss needs a trained part
   * @throws BadGoldenFileException if several losses remain
   */
  static Loss loss(Losses.Entry entry, GoldenOptions options, Predicate<Loss> trains) {
    Map<String, Loss> presets = new TreeMap<>();
    entry.presets().forEach(name -> presets.put(name, entry.create(name)));
    if (presets.isEmpty()) {
      return changed(entry.type(), null, options);
    }
    boolean kindIsOption =
        Stream.of(entry.type().getRecordComponents()).anyMatch(one -> one.getName().equals("kind"));
    String key = options.has("kind") && !kindIsOption ? "kind" : "preset";
    if (options.has(key) || presets.containsKey("standard")) {
      Loss preset = options.choice(key, presets, presets.get("standard"));
      return changed(entry.type(), preset, options);
    }
    List<Loss> losses =
        those(presets.values(), one -> constants(one).equals(constants(changed(one, options))))
            .stream()
            .map(preset -> changed(preset, options))
            .distinct()
            .toList();
    losses = those(losses, trains.negate());
    if (losses.size() > 1 && !trains.test(losses.get(0))) {
      throw options.missing(key);
    }
    return losses.get(0); // where all train something, any tells it
  }

  /** Those of several losses of which something is true; all where it is true of none. */
  private static List<Loss> those(Collection<Loss> losses, Predicate<Loss> condition) {
    List<Loss> some = losses.stream().filter(condition).toList();
    return some.isEmpty() ? List.copyOf(losses) : some;
  }

  private static List<Object> constants(Loss loss) {
    return Stream.of(loss.getClass().getRecordComponents())
        .filter(component -> component.getType().isEnum())
        .map(component -> read(component, loss))
        .toList();
  }

  private static Loss changed(Loss preset, GoldenOptions options) {
    return changed(preset.getClass(), preset, options);
  }

  /** The record with what the options say; where it is null they must say all. */
  private static <R> R changed(Class<R> type, @Nullable Object record, GoldenOptions options) {
    RecordComponent[] components = type.getRecordComponents();
    Object[] values = new Object[components.length];
    for (int i = 0; i < values.length; i++) {
      Object value = record == null ? null : read(components[i], record);
      values[i] = changed(components[i], value, options);
    }
    try {
      Class<?>[] types = Stream.of(components).map(RecordComponent::getType).toArray(Class[]::new);
      return type.getConstructor(types).newInstance(values);
    } catch (InvocationTargetException e) {
      throw (RuntimeException) e.getCause(); // what a record throws as it checks itself
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(type + " cannot be made", e);
    }
  }

  private static Object changed(
      RecordComponent component, @Nullable Object value, GoldenOptions options) {
    Class<?> type = component.getType();
    if (type == Pooling.class) {
      return pooling((Pooling) value, options);
    }
    return type.isRecord()
        ? changed(type, value, options)
        : options.value(snakeCase(component), type, value);
  }

  /** Golden files know one way to pool, the maximum over a fraction of the map. */
  private static Pooling pooling(@Nullable Pooling otherwise, GoldenOptions options) {
    double scale = options.value("scale", double.class, 0.0);
    Pooling pooling = options.has("scale") ? Pooling.maxOfMapFraction(scale) : otherwise;
    boolean none = options.choice("pool", Map.of("none", true, "max", false), pooling == null);
    return none ? Pooling.none() : pooling;
  }

  private static String snakeCase(RecordComponent component) {
    return component.getName().replaceAll("(?=[A-Z])", "_").toLowerCase(Locale.ROOT);
  }

  private static Object read(RecordComponent component, Object record) {
    try {
      return component.getAccessor().invoke(record);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(component + " cannot be read", e);
    }
  }
}
