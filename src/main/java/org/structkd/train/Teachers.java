package org.structkd.train;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.Batch;
import org.structkd.internal.Named;
import org.structkd.model.TappedNetwork;
import org.structkd.objective.Objective;

/**
 * The teachers of a training. Taps of one without a name keep theirs, those of others are called
 * {@code NAME.tap}.
 */
final class Teachers implements AutoCloseable {
  /**
   * One teacher.
   *
   * @param name empty for none
   */
  private record Teacher(String name, TappedNetwork network) {
    String tap(String own) {
      return name.isEmpty() ? own : name + "." + own;
    }

    /** What a network says of its inputs does not tell which network it is. */
    Map<String, Tensor> infer(Map<String, Tensor> batch) {
      Map<String, Tensor> read = read(batch);
      try {
        return network.infer(read);
      } catch (IllegalArgumentException e) {
        String who = name.isEmpty() ? "teacher" : "teacher \"" + name + "\"";
        throw new IllegalArgumentException(who + ": " + e.getMessage(), e);
      }
    }

    /** Not those of others: a network may take all that it is given for its inputs. */
    Map<String, Tensor> read(Map<String, Tensor> batch) {
      Map<String, Tensor> read = new HashMap<>();
      for (String input : network.inputs()) {
        read.put(input, Named.in(batch, "the batch", "input", input));
      }
      return read;
    }
  }

  private final List<Teacher> all = new ArrayList<>();
  private final List<CachedTeacher> cached = new ArrayList<>();
  private final Map<String, TeacherCache> caches = new LinkedHashMap<>();

  /** Keeps the outputs of the teacher of this name. */
  void cache(String name, TeacherCache settings) {
    caches.put(name, settings);
  }

  void add(String name, TappedNetwork network, Map<String, String> inputs) {
    TappedNetwork reading = network.withInputs(inputs);
    all.removeIf(other -> other.name.equals(name));
    all.add(new Teacher(name, reading));
  }

  /** {@return the names of all teachers' outputs} */
  Set<String> taps() {
    Set<String> taps = new TreeSet<>();
    for (Teacher teacher : all) {
      for (String own : teacher.network.taps()) {
        if (!taps.add(teacher.tap(own))) {
          throw new IllegalArgumentException(
              "two teachers have a tap \"" + teacher.tap(own) + "\": give them other names");
        }
      }
    }
    return taps;
  }

  /** {@return the teachers' outputs for a batch, in evaluation mode and without a gradient} */
  Map<String, Tensor> infer(Map<String, Tensor> batch) {
    Map<String, Tensor> outputs = new HashMap<>();
    for (Teacher teacher : all) {
      teacher.infer(batch).forEach((own, output) -> outputs.put(teacher.tap(own), output));
    }
    return outputs;
  }

  /** {@return whether one of them computes with rounded numbers} */
  boolean areQuantized() {
    return all.stream().anyMatch(teacher -> teacher.network.isQuantized());
  }

  /** {@return names and digests, which tell these teachers from others} */
  String describe() {
    List<String> described = new ArrayList<>();
    for (Teacher teacher : all) {
      String name = teacher.name.isEmpty() ? "" : teacher.name + " ";
      String rounded = caches.containsKey(teacher.name) ? " in f16" : ""; // a cache rounds
      described.add(name + teacher.network.fingerprint() + rounded);
    }
    return described.isEmpty() ? "none" : String.join(", ", described);
  }

  /**
   * Checks, without writing anything, that what an objective reads of these teachers can be kept.
   *
   * @param batch one, on the device of the networks
   * @param precision that they compute with
   * @return what is kept, for each teacher that has a cache
   * @throws IllegalArgumentException if there is no teacher of a cache's name, or its outputs
   *     cannot be kept
   */
  Map<String, CachedTeacher.Kept> kept(Objective objective, Batch batch, Precision precision) {
    Map<String, CachedTeacher.Kept> kept = new LinkedHashMap<>();
    for (String name : caches.keySet()) {
      if (all.stream().noneMatch(teacher -> teacher.name.equals(name))) {
        throw new IllegalArgumentException(
            name.isEmpty()
                ? "there is a cache of a teacher, but no teacher without a name"
                : "there is a cache of a teacher \"" + name + "\", but no such teacher");
      }
    }
    try (PointerScope temporaries = new PointerScope()) {
      for (Teacher teacher : all) {
        if (caches.containsKey(teacher.name)) {
          Map<String, Tensor> inputs = teacher.read(batch.inputs());
          long examples = inputs.values().iterator().next().size(0);
          Map<String, Tensor> outputs = precision.outputs(inputs, teacher.network::infer);
          Set<String> read = new TreeSet<>(outputs.keySet());
          if (!objective.readsUnknown()) {
            Set<String> taps = objective.taps().teacher();
            read.removeIf(own -> !taps.contains(teacher.tap(own)));
          }
          kept.put(
              teacher.name,
              CachedTeacher.Kept.of(teacher.network, read, outputs, examples, precision));
        }
      }
    }
    return kept;
  }

  /**
   * Refuses caches of something else, before anything is written.
   *
   * @param kept of the caches
   * @throws IOException if a cache is another teacher's, no folder, or cannot be read
   */
  void requireCaches(Map<String, CachedTeacher.Kept> kept) throws IOException {
    for (Teacher teacher : all) {
      if (kept.containsKey(teacher.name)) {
        CachedTeacher.requireFit(teacher.network, caches.get(teacher.name), kept.get(teacher.name));
      }
    }
  }

  /**
   * {@return these teachers with their caches open; closing them leaves the teachers}
   *
   * @param kept of the caches
   * @param batches of the training
   * @throws IOException if a cache is another teacher's, or cannot be read or written
   */
  Teachers opened(Map<String, CachedTeacher.Kept> kept, long batches) throws IOException {
    Teachers opened = new Teachers();
    try {
      for (Teacher teacher : all) {
        TappedNetwork network = teacher.network;
        if (kept.containsKey(teacher.name)) {
          CachedTeacher cached =
              CachedTeacher.open(
                  network, caches.get(teacher.name), kept.get(teacher.name), batches);
          opened.cached.add(cached);
          network = cached;
        }
        opened.all.add(new Teacher(teacher.name, network));
      }
      return opened;
    } catch (IOException | RuntimeException | Error e) {
      opened.cached.forEach(CachedTeacher::close);
      throw e;
    }
  }

  /** Writes what caches gathered, so that a checkpoint that is written next finds it. */
  void save() {
    cached.forEach(CachedTeacher::save);
  }

  /** Closes the caches. */
  @Override
  public void close() {
    cached.forEach(CachedTeacher::close);
  }
}
