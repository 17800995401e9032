package org.structkd.train;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.structkd.data.Batch;
import org.structkd.data.DataFileException;
import org.structkd.objective.Objective;
import org.structkd.objective.WeightSchedule;
import org.structkd.objective.WeightedTerm;

/**
 * What a training is, as named strings that a checkpoint keeps: steps, optimizer, losses with their
 * settings, weights, teachers, batches and description. A checkpoint whose strings differ is one of
 * another training.
 */
final class TrainingIdentity {
  private static final Logger LOG = LoggerFactory.getLogger(TrainingIdentity.class);

  /** Beginning of the names in a file. */
  private static final String PREFIX = "training ";

  private static final String STEPS = "steps";
  private static final String DATA = "data";
  private static final String PRECISION = "precision";

  /** Elements of a tensor that are looked at: enough to tell data apart, few enough for a step. */
  private static final long SAMPLED_ELEMENTS = 4096;

  /** Longest value that is kept as it is, so that messages stay readable. */
  private static final int LONGEST = 1000;

  private final long steps;
  private final Objective objective;
  private final Map<String, String> fixed = new LinkedHashMap<>();

  TrainingIdentity(
      TrainingConfig config, Objective objective, Teachers teachers, String description) {
    this.steps = config.steps();
    this.objective = objective;
    fixed.put("optimizer", config.optimizer().toString());
    fixed.put("schedule", config.schedule().toString());
    fixed.put("clip norm", Double.toString(config.clipNorm()));
    fixed.put("accumulate", Integer.toString(config.accumulate()));
    fixed.put("average", Double.toString(config.ema()));
    fixed.put("pruning", String.valueOf(config.pruning()));
    fixed.put("quantization", String.valueOf(config.quantization()));
    fixed.put(PRECISION, config.precision().toString());
    fixed.put("teacher", teachers.describe());
    fixed.put("description", description);
    if (config.earlyStop() != null) { // checkpoints of earlier versions tell of neither
      fixed.put("early stop", config.earlyStop().toString());
    }
    if (config.keepBest()) {
      fixed.put("keep best", "true");
    }
  }

  /** Adds a setting of the training. */
  void add(String name, String value) {
    fixed.put(name, value);
  }

  /** Adds what the batch of step 0 tells of the data. */
  void add(Batch first) {
    try (PointerScope temporaries = new PointerScope()) {
      List<String> looks = new ArrayList<>();
      new TreeMap<>(first.inputs()).forEach((name, tensor) -> add("input", name, tensor, looks));
      new TreeMap<>(first.targets()).forEach((name, tensor) -> add("target", name, tensor, looks));
      fixed.put(DATA, String.join(", ", looks));
    }
  }

  private void add(String kind, String name, Tensor tensor, List<String> looks) {
    fixed.put(kind + " " + name, describe(tensor));
    looks.add(name + " " + summary(tensor));
  }

  private static String describe(Tensor tensor) {
    return tensor.scalar_type().intern().name() + " " + Arrays.toString(tensor.shape());
  }

  /**
   * Mean and deviation of some elements to four digits: the last bits of decoded images may differ
   * between machines.
   */
  private static String summary(Tensor tensor) {
    Tensor flat = tensor.detach().reshape(-1);
    long every = Math.max(1, flat.numel() / SAMPLED_ELEMENTS);
    Tensor some = flat.cpu().slice(0, longs(0), longs(flat.numel()), every).to(ScalarType.Double);
    if (some.numel() == 0) {
      return "none";
    }
    double mean = some.mean().item_double();
    double deviation = Math.sqrt(some.sub(new Scalar(mean)).square().mean().item_double());
    return String.format(Locale.ROOT, "mean %.3e, deviation %.3e", mean, deviation);
  }

  private static LongOptional longs(long value) {
    return new LongOptional(value);
  }

  /** {@return all strings by the names that a checkpoint gives them} */
  Map<String, String> properties() {
    Map<String, String> properties = new LinkedHashMap<>();
    all().forEach((name, value) -> properties.put(PREFIX + name, value));
    return properties;
  }

  /** {@return all strings by their names} */
  Map<String, String> all() {
    Map<String, String> all = new LinkedHashMap<>();
    all.put(STEPS, Long.toString(steps));
    all.putAll(parts(steps));
    return all;
  }

  /** Tells everything but the steps; of schedules what the first {@code sampled} of them show. */
  private Map<String, String> parts(long sampled) {
    Map<String, String> parts = new LinkedHashMap<>();
    parts.put(
        "terms",
        objective.terms().stream().map(WeightedTerm::name).collect(Collectors.joining(", ")));
    for (WeightedTerm term : objective.terms()) {
      parts.put("loss of " + term.name(), withoutAddresses(term.term().toString()));
      parts.put("weight of " + term.name(), describe(term.weight(), sampled));
    }
    parts.putAll(fixed);
    parts.replaceAll((name, value) -> shortened(value));
    return parts;
  }

  /** A long value as its beginning, length and hash: it is compared and read, never used. */
  private static String shortened(String value) {
    return value.length() <= LONGEST
        ? value
        : "%s... (%d characters, hash %08x)"
            .formatted(value.substring(0, LONGEST / 2), value.length(), value.hashCode());
  }

  /** A schedule may be any function of the step: its values at step 0, 1, 2, 4, 8 ... tell it. */
  private static String describe(WeightSchedule weight, long sampled) {
    List<Double> values = new ArrayList<>();
    values.add(weight.at(0));
    for (long step = 1; step > 0 && step < sampled; step *= 2) { // below 0: past the last long
      values.add(weight.at(step));
    }
    values.add(weight.at(sampled - 1));
    return values.stream().distinct().count() == 1
        ? values.get(0).toString()
        : values.stream().map(String::valueOf).collect(Collectors.joining(" "));
  }

  /** Lambdas print where they are in this process's memory: only their class stays. */
  private static String withoutAddresses(String text) {
    return text.replaceAll("\\$\\$Lambda[^@\\s]*@[0-9a-f]+", " (a lambda)")
        .replaceAll("@[0-9a-f]+\\b", "");
  }

  /**
   * Checks that a checkpoint is one of this training.
   *
   * @param stored properties of the checkpoint
   * @throws DataFileException naming all that differs, unless {@code resume} allows it
   */
  void requireSame(Path file, Map<String, String> stored, Resume resume) throws DataFileException {
    Map<String, String> before = new LinkedHashMap<>();
    stored.forEach(
        (name, value) -> {
          if (name.startsWith(PREFIX)) {
            before.put(name.substring(PREFIX.length()), value);
          }
        });
    before.putIfAbsent(PRECISION, Precision.F32.toString()); // earlier versions told no other
    long stepsBefore = Long.parseLong(before.getOrDefault(STEPS, Long.toString(steps)));
    Map<String, String> now = parts(Math.min(steps, stepsBefore));
    now.put(STEPS, Long.toString(steps));
    if (resume == Resume.LONGER && steps > stepsBefore) {
      before.put(STEPS, now.get(STEPS));
    }
    if (!now.containsKey(DATA)) { // stopped before there was a batch
      before.keySet().removeIf(name -> name.equals(DATA) || name.matches("(input|target) .*"));
    }
    List<String> wanted = new ArrayList<>();
    List<String> found = new ArrayList<>();
    List<String> names = new ArrayList<>(now.keySet());
    before.keySet().stream().filter(name -> !now.containsKey(name)).forEach(names::add);
    for (String name : names) {
      if (!Objects.equals(now.get(name), before.get(name))) {
        wanted.add(shown(name, now.get(name)));
        found.add(shown(name, before.get(name)));
      }
    }
    if (wanted.isEmpty()) {
      return;
    }
    if (resume == Resume.CHANGED) {
      LOG.warn("{} continues with {}, it was {}", file, join(wanted), join(found));
      return;
    }
    throw new DataFileException(
        file.toString(),
        "a checkpoint of this training, with " + join(wanted),
        join(found)
            + "; another file begins anew, --resume-changed (Java: withResume(Resume.CHANGED))"
            + " continues all the same");
  }

  private static String join(List<String> parts) {
    return String.join("; ", parts);
  }

  /** "weight of pixelwise 5.0". */
  private static String shown(String name, @Nullable String value) {
    return value == null ? "no " + name : name + " " + value;
  }
}
