package org.structkd.verify;

import java.lang.reflect.RecordComponent;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Settings;
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
        .allMatch(component -> Pooling.none().equals(Settings.value((Record) loss, component)));
  }

  private static List<Object> constants(Loss loss) {
    return Stream.of(loss.getClass().getRecordComponents())
        .filter(component -> component.getType().isEnum())
        .map(component -> Settings.value((Record) loss, component))
        .toList();
  }

  /** The loss with what the options say; losses are records. */
  private static Loss changed(Loss loss, GoldenOptions options) {
    return (Loss) changed((Record) loss, options);
  }

  private static Record changed(Record record, GoldenOptions options) {
    return Settings.changed(record, (one, value) -> changed(one, value, options));
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
    return value instanceof Record record
        ? changed(record, options)
        : options.value(key, component.getType(), value);
  }

  /** Golden files know one way to pool, the maximum over a fraction of the map. */
  private static Pooling pooling(Pooling otherwise, GoldenOptions options) {
    double scale = options.value("scale", double.class, 0.0);
    Pooling pooling = options.has("scale") ? Pooling.maxOfMapFraction(scale) : otherwise;
    boolean none = options.choice("pool", Map.of("none", true, "max", false), false);
    return none ? Pooling.none() : pooling;
  }
}
