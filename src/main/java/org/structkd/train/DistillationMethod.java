package org.structkd.train;

import static org.structkd.data.SceneBatches.UNLABELLED;
import static org.structkd.model.SegmentationNet.FEATURES;
import static org.structkd.model.SegmentationNet.LOGITS;
import static org.structkd.model.SegmentationNet.UPSAMPLED;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.InterClassSimilarityLoss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.loss.Sampling;
import org.structkd.objective.AdaptiveLossWeighting;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightSchedule;
import org.structkd.objective.WeightedTerm;

/**
 * Sets of losses for networks with the taps of {@link org.structkd.model.SegmentationNet}: each
 * loss alone, and the combinations of the publications. Beside them stands always "supervised", the
 * cross-entropy with the labels, of weight 1.
 *
 * <p>The default weights were chosen on the validation split of {@link
 * org.structkd.data.FashionScenes} for trainings of 400 steps; docs/results.md shows the search. Of
 * the two pixel-wise weights that tie there, 5 was the better one after 1,500 steps (validation
 * mIoU 0.447 to 0.436, one seed).
 */
public enum DistillationMethod {
  /** Pixel-wise loss, the classical distillation of logits at every pixel. */
  KD(false, weight("pixelwise", 5.0)),
  /** Pair-wise loss on features, alone. */
  PAIRWISE(false, weight("pairwise", 0.15625)),
  /** Inter-class similarity loss on logits, alone. */
  INTER_CLASS_SIMILARITY(false, weight("inter_class_similarity", 0.00015625)),
  /** Global structural loss on features, alone. */
  GLOBAL_STRUCTURAL(false, weight("global_structural", 1.0)),
  /** Pixel-wise and pair-wise losses: SKD without its adversarial part. */
  SKD(false, weight("pixelwise", 5.0), weight("pairwise", 0.15625)),
  /** Pixel-wise and inter-class similarity losses with adaptive weights: AICSD. */
  ICSD(true, weight("pixelwise", 5.0), weight("inter_class_similarity", 0.00015625)),
  /** Global structural and pixel-wise losses: GSSKD. */
  GSSKD(false, weight("pixelwise", 5.0), weight("global_structural", 1.0));

  private static final String SUPERVISED = "supervised";

  /** Adaptive weights move once per this share of the training, as once per epoch. */
  private static final long ADAPTIVE_STAGES = 50;

  private final Map<String, Double> weights = new LinkedHashMap<>();
  private final boolean adaptive;

  @SafeVarargs
  DistillationMethod(boolean adaptive, Map.Entry<String, Double>... weights) {
    this.adaptive = adaptive;
    for (Map.Entry<String, Double> weight : weights) {
      this.weights.put(weight.getKey(), weight.getValue());
    }
  }

  private static Map.Entry<String, Double> weight(String term, double value) {
    return Map.entry(term, value);
  }

  /** {@return its name as options spell it: lower case} */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** {@return the default weight of each distillation term, in their order} */
  public Map<String, Double> weights() {
    return new LinkedHashMap<>(weights);
  }

  /** {@return the objective of a student that learns from labels alone} */
  public static Objective supervised() {
    return Objective.of(
        new WeightedTerm(SUPERVISED, 1, Term.of(new CrossEntropyLoss(UNLABELLED), UPSAMPLED)));
  }

  /** {@return whether its weights move, so that they depend on the number of steps} */
  public boolean isAdaptive() {
    return adaptive;
  }

  /**
   * {@return the default weights with some of them replaced}
   *
   * @param replaced weight by term name
   * @throws IllegalArgumentException if a term is not one of this method's
   */
  public Map<String, Double> weightsWith(Map<String, Double> replaced) {
    Map<String, Double> all = weights();
    replaced.forEach(
        (term, weight) -> {
          if (all.replace(term, weight) == null) {
            throw new IllegalArgumentException(
                "method "
                    + this
                    + " has no term \""
                    + term
                    + "\", it has: "
                    + String.join(", ", all.keySet()));
          }
        });
    return all;
  }

  /**
   * {@return the objective of a student that also learns from a teacher}
   *
   * @param chosen weight of each of this method's terms, see {@link #weightsWith}
   * @param steps of the whole training, for adaptive weights
   * @throws IllegalArgumentException if a weight is negative or not finite
   */
  public Objective objective(Map<String, Double> chosen, long steps) {
    AdaptiveLossWeighting alw =
        new AdaptiveLossWeighting(ADAPTIVE_STAGES, Math.max(1, steps / ADAPTIVE_STAGES));
    List<WeightedTerm> terms = new ArrayList<>();
    terms.add(
        new WeightedTerm(
            SUPERVISED,
            adaptive ? alw.rising(1) : WeightSchedule.constant(1),
            Term.of(new CrossEntropyLoss(UNLABELLED), UPSAMPLED)));
    weightsWith(chosen)
        .forEach(
            (name, weight) -> {
              WeightSchedule constant = new WeightedTerm(name, weight, term(name)).weight();
              WeightSchedule moving =
                  name.equals("pixelwise") ? alw.falling(weight) : alw.rising(weight);
              terms.add(new WeightedTerm(name, adaptive ? moving : constant, term(name)));
            });
    return new Objective(terms);
  }

  private static Term term(String name) {
    return switch (name) {
      case "pixelwise" -> Term.of(PixelwiseLoss.kd(), LOGITS);
      case "pairwise" -> Term.of(PairwiseLoss.skdCvpr19(), FEATURES);
      case "inter_class_similarity" -> Term.of(InterClassSimilarityLoss.paper(), LOGITS);
      case "global_structural" -> structural();
      default -> throw new IllegalArgumentException("no term " + name);
    };
  }

  /** Draws its pixels among those that the teacher gets right. */
  private static Term structural() {
    var sampling = Sampling.standard().withIgnoreIndex(UNLABELLED);
    var loss = GlobalStructuralLoss.standard().withSampling(sampling);
    return Term.of(loss, FEATURES); // the teacher's logits are the tap of that name
  }
}
