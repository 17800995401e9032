package org.structkd.verify;

import java.util.Map;
import java.util.TreeMap;
import org.structkd.objective.AdaptiveLossWeighting;

/** Cases of adaptive loss weighting: {@code alpha@e} is alpha in epoch e. */
final class AdaptiveLossWeightingGolden {
  private static final String OUTPUT = "alpha@\\d{1,18}";

  private AdaptiveLossWeightingGolden() {}

  static GoldenOp.Computation prepare(GoldenCase golden) {
    GoldenOptions options = golden.options();
    AdaptiveLossWeighting weighting =
        new AdaptiveLossWeighting(options.value("total_epochs", int.class, null));
    options.requireAllRead();
    // A plain double of Java, whatever the type of the tensors that it weighs.
    return placement -> {
      Map<String, double[]> outputs = new TreeMap<>();
      for (String part : new String[] {"out_f64", "out_f32"}) {
        if (golden.json().has(part)) {
          golden.json().get(part).members().stream()
              .filter(name -> name.matches(OUTPUT))
              .forEach(name -> outputs.put(name, new double[] {alpha(weighting, name)}));
        }
      }
      return new GoldenResult(outputs, Map.of(), true);
    };
  }

  private static double alpha(AdaptiveLossWeighting weighting, String output) {
    return weighting.alpha(Long.parseLong(output.substring("alpha@".length())));
  }
}
