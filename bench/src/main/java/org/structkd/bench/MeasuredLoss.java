package org.structkd.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.structkd.bench.cases.ListedLoss;
import org.structkd.loss.Losses;

/**
 * A loss that is measured.
 *
 * @param id its name on the command line and in the CSV
 * @param listed its sizes and providers
 */
record MeasuredLoss(String id, LossFormulas formulas, ListedLoss listed) {
  private static final Map<String, MeasuredLoss> ALL = new LinkedHashMap<>();

  static {
    ListedLoss.all().forEach(MeasuredLoss::add);
  }

  /** Adds a loss that has sizes for a CPU; structkd_cuda_bench alone measures the others. */
  private static void add(String id, ListedLoss listed) {
    if (listed.cpu() == null) {
      return;
    }
    ALL.put(id, new MeasuredLoss(id, formulasOf(id), listed));
  }

  /** Finds PairwiseFormulas by PairwiseLoss. */
  private static LossFormulas formulasOf(String id) {
    String loss = Losses.of(id).type().getSimpleName();
    String name = loss.substring(0, loss.lastIndexOf("Loss")) + "Formulas";
    try {
      return Class.forName(MeasuredLoss.class.getPackageName() + "." + name)
          .asSubclass(LossFormulas.class)
          .getDeclaredConstructor()
          .newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(
          "bench/cases.json has sizes of " + id + ", but the bench has no class " + name, e);
    }
  }

  /** All losses in the order of bench/cases.json. */
  static List<MeasuredLoss> all() {
    return List.copyOf(ALL.values());
  }

  static MeasuredLoss of(String id) {
    if (!ALL.containsKey(id)) {
      throw new IllegalArgumentException(
          "no loss is named " + id + ", expected " + String.join(", ", ALL.keySet()));
    }
    return ALL.get(id);
  }

  CaseShape.Maps inputs(CaseShape shape) {
    return listed.inputs().equals("logits") ? shape.logits() : shape.features();
  }

  /** The size that the CSV has as x. */
  long x(CaseShape shape) {
    return switch (listed.x()) {
      case "pixels" -> shape.batch() * shape.nodes();
      case "nodes" -> (shape.wholeBatch() ? shape.batch() : 1) * shape.nodes();
      case "classes" -> shape.channels();
      case "samples" -> shape.nodes();
      default -> throw new IllegalStateException("bench/cases.json: x is " + listed.x());
    };
  }

  @Override
  public String toString() {
    return id;
  }

  /** What --loss accepts. */
  static final class Ids extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Ids() {
      super(ALL.keySet());
    }
  }
}
