package org.structkd.train;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Named;
import org.structkd.model.TappedNetwork;

/**
 * The teachers of a training. Taps of one without a name keep theirs, those of others are called
 * {@code NAME.tap}.
 */
final class Teachers {
  /**
   * One teacher.
   *
   * @param name empty for none
   */
  private record Teacher(String name, TappedNetwork network) {
    String tap(String own) {
      return name.isEmpty() ? own : name + "." + own;
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
      teacher
          .network
          .infer(teacher.read(batch))
          .forEach((own, output) -> outputs.put(teacher.tap(own), output));
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
      described.add(name + teacher.network.fingerprint());
    }
    return described.isEmpty() ? "none" : String.join(", ", described);
  }
}
