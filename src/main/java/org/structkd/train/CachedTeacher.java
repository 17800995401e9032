package org.structkd.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorDigest;
import org.structkd.internal.Words;
import org.structkd.model.TappedNetwork;

/**
 * A teacher that computes each example once and reads it from a {@link TeacherCache} then. Its
 * outputs are those of f16 in either case. It does not own the teacher.
 */
final class CachedTeacher implements TappedNetwork {
  /**
   * What is kept of every example.
   *
   * @param types of the taps that are read, by name in order, as the teacher puts them out
   * @param bytesPerExample in f16
   * @param examples of a batch
   * @param precision that the teacher computes with
   */
  record Kept(
      Map<String, ScalarType> types, long bytesPerExample, long examples, Precision precision) {
    /**
     * Checks that a teacher's outputs can be kept by example.
     *
     * @param taps that are read
     * @param outputs of the teacher for some examples
     * @param examples how many
     * @param precision that they were computed with
     * @throws IllegalArgumentException if a teacher is not told from others by its weights, or a
     *     tap is not by example or has values that f16 does not hold
     */
    static Kept of(
        TappedNetwork teacher,
        Set<String> taps,
        Map<String, Tensor> outputs,
        long examples,
        Precision precision) {
      if (teacher.fingerprint().equals(teacher.getClass().getName())) {
        throw new IllegalArgumentException(
            "the teacher's outputs cannot be kept: its fingerprint() is only the name of its class,"
                + " which tells nothing of its weights");
      }
      Map<String, ScalarType> types = new TreeMap<>();
      long bytes = 0;
      for (String tap : taps) {
        Tensor output = outputs.get(tap);
        requireByExample(tap, output, examples);
        requireHalf(tap, output);
        types.put(tap, output.scalar_type().intern());
        int size = output.is_floating_point() ? 2 : (int) output.element_size();
        bytes += output.numel() / examples * size;
      }
      return new Kept(types, bytes, examples, precision);
    }

    private String text() {
      return types + (precision == Precision.F32 ? "" : " computed in " + Words.of(precision));
    }
  }

  private static final Logger LOG = LoggerFactory.getLogger(Distiller.class);

  private final TappedNetwork teacher;
  private final TeacherCache settings;
  private final Kept kept;
  private final StoredOutputs stored;
  private long computed;
  private long computedNanos;
  private long found;
  private long foundNanos;

  private CachedTeacher(
      TappedNetwork teacher, TeacherCache settings, Kept kept, StoredOutputs stored) {
    this.teacher = teacher;
    this.settings = settings;
    this.kept = kept;
    this.stored = stored;
  }

  /**
   * Refuses a cache of something else, before anything is written.
   *
   * @throws org.structkd.data.DataFileException as {@link #open}
   */
  static void requireFit(TappedNetwork teacher, TeacherCache settings, Kept kept)
      throws IOException {
    StoredOutputs.requireFit(settings, teacher.fingerprint(), kept.text());
  }

  /**
   * Opens the cache, and tells what it will write.
   *
   * @param batches of the training
   * @throws org.structkd.data.DataFileException if it is one of another teacher, of other taps or
   *     of another precision
   * @throws IOException if it cannot be read or written, or the disk has no room for it
   */
  static CachedTeacher open(TappedNetwork teacher, TeacherCache settings, Kept kept, long batches)
      throws IOException {
    StoredOutputs stored = StoredOutputs.open(settings, teacher.fingerprint(), kept.text());
    double most = (double) batches * kept.examples * kept.bytesPerExample;
    long growth = (long) Math.max(0, Math.min(most, settings.bytes() - stored.bytes()));
    long free = Files.getFileStore(settings.folder()).getUsableSpace();
    if (growth > free) {
      stored.close();
      throw new IOException(
          ("%s has no room for the teacher's outputs: up to %s more, and %s are free; set gigabytes"
                  + " to less than %.1f")
              .formatted(
                  settings.folder(),
                  StoredOutputs.text(growth),
                  StoredOutputs.text(free),
                  (stored.bytes() + free) / 1e9));
    }
    LOG.info(
        "the teacher's outputs of {} examples are in {}; up to {} more, {} each, and {} are free",
        stored.count(),
        settings.folder(),
        StoredOutputs.text(growth),
        StoredOutputs.text(kept.bytesPerExample),
        StoredOutputs.text(free));
    return new CachedTeacher(teacher, settings, kept, stored);
  }

  /** Tells after a training what the cache was worth. */
  private String report() {
    double saved = (found * nanosPerExample() - foundNanos) / 1e9;
    return String.format(
        Locale.ROOT,
        "the teacher computed %,d examples in %.1f s and %,d came from %s, which %s %.1f s",
        computed,
        computedNanos / 1e9,
        found,
        settings.folder(),
        saved < 0 ? "cost" : "saved",
        Double.isNaN(saved) ? 0 : Math.abs(saved));
  }

  private double nanosPerExample() {
    return computed == 0 ? stored.nanosBefore() : (double) computedNanos / computed;
  }

  @Override
  public Set<String> taps() {
    return kept.types.keySet();
  }

  @Override
  public Set<String> inputs() {
    return teacher.inputs();
  }

  @Override
  public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
    return Scopes.resultsOf(
        () -> {
          try {
            stored.saveIfMuch(nanosPerExample());
            return outputs(new TreeMap<>(inputs));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  private Map<String, Tensor> outputs(Map<String, Tensor> inputs) throws IOException {
    long start = System.nanoTime();
    Tensor any = inputs.values().iterator().next();
    String[] keys = keys(inputs, any.size(0));
    Map<String, Long> missing = new LinkedHashMap<>(); // an example may come twice in a batch
    for (int i = 0; i < keys.length; i++) {
      if (!stored.has(keys[i])) {
        missing.putIfAbsent(keys[i], (long) i);
      }
    }
    long between = System.nanoTime();
    if (!missing.isEmpty()) {
      compute(inputs, missing, keys.length);
    }
    long after = System.nanoTime();
    Map<String, Tensor> outputs = new HashMap<>();
    for (Map.Entry<String, ScalarType> tap : kept.types.entrySet()) {
      Tensor[] rows = new Tensor[keys.length];
      for (int i = 0; i < rows.length; i++) {
        // Not after stacking: autocast on the CPU stacks nothing of f16.
        rows[i] = stored.get(keys[i], tap.getKey()).to(tap.getValue());
      }
      outputs.put(
          tap.getKey(), torch.stack(new TensorVector(rows)).to(any.device(), tap.getValue()));
    }
    computed += missing.size();
    computedNanos += after - between;
    found += keys.length - missing.size();
    foundNanos += System.nanoTime() - after + between - start;
    return outputs;
  }

  private static String[] keys(Map<String, Tensor> inputs, long examples) {
    String[] keys = new String[(int) examples];
    for (int i = 0; i < keys.length; i++) {
      TensorDigest digest = new TensorDigest();
      int example = i;
      inputs.forEach((name, input) -> digest.add(name, input.select(0, example)));
      keys[i] = digest.text();
    }
    return keys;
  }

  private void compute(Map<String, Tensor> inputs, Map<String, Long> missing, int examples) {
    Map<String, Tensor> some = inputs;
    if (missing.size() < examples) {
      Tensor places = torch.tensor(missing.values().stream().mapToLong(Long::longValue).toArray());
      some = new HashMap<>();
      for (Map.Entry<String, Tensor> input : inputs.entrySet()) {
        Tensor here = places.to(input.getValue().device(), ScalarType.Long);
        some.put(input.getKey(), input.getValue().index_select(0, here));
      }
    }
    Map<String, Tensor> outputs = teacher.infer(some);
    Map<String, Tensor> halves = new HashMap<>();
    for (String tap : kept.types.keySet()) {
      Tensor output = outputs.get(tap);
      requireByExample(tap, output, missing.size());
      halves.put(tap, requireHalf(tap, output).cpu());
    }
    long row = 0;
    for (String key : missing.keySet()) {
      Map<String, Tensor> own = new HashMap<>();
      for (Map.Entry<String, Tensor> half : halves.entrySet()) {
        long at = row;
        own.put(half.getKey(), Scopes.unscoped(() -> half.getValue().select(0, at).clone()));
      }
      stored.add(key, own);
      row++;
    }
  }

  private static void requireByExample(String tap, Tensor output, long examples) {
    if (output.dim() < 1 || output.size(0) != examples) {
      throw new IllegalArgumentException(
          "the teacher's tap %s is %s for %d examples, which cannot be kept by example: train without its cache"
              .formatted(tap, Arrays.toString(output.shape()), examples));
    }
  }

  /** In f16, which keeps what is NaN or infinite; whole numbers stay as they are. */
  private static Tensor requireHalf(String tap, Tensor output) {
    if (!output.is_floating_point()) {
      return output;
    }
    Tensor half = output.to(ScalarType.Half);
    if (half.isinf().logical_and(output.isinf().logical_not()).any().item_bool()) {
      throw new IllegalArgumentException(
          "the teacher's tap %s reaches %s, more than f16 holds: train without its cache"
              .formatted(tap, output.abs().max().item_double()));
    }
    return half;
  }

  /** Writes what was computed, before a checkpoint that shall find it. */
  void save() {
    stored.save(nanosPerExample());
  }

  @Override
  public void to(Device device) {
    teacher.to(device);
  }

  @Override
  public String fingerprint() {
    return teacher.fingerprint();
  }

  /** Closes the files, not the teacher, and tells what they were worth. */
  @Override
  public void close() {
    save();
    LOG.info(report());
    try {
      stored.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
