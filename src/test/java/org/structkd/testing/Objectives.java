package org.structkd.testing;

import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;

/** Objectives of the recipes skd and kd, and of a student alone, for a SegmentationNet. */
public final class Objectives {
  private static final WeightedTerm PIXELWISE =
      new WeightedTerm("pixelwise", 5, Term.of(PixelwiseLoss.kd(), "logits"));

  private Objectives() {}

  /** Labels alone. */
  public static Objective supervised() {
    return Objective.of(labels());
  }

  /** Labels and the teacher's logits. */
  public static Objective kd() {
    return Objective.of(labels(), PIXELWISE);
  }

  /** Labels, the teacher's logits and features. */
  public static Objective skd() {
    Term pairwise = Term.of(PairwiseLoss.skdCvpr19(), "features");
    return Objective.of(labels(), PIXELWISE, new WeightedTerm("pairwise", 0.15625, pairwise));
  }

  private static WeightedTerm labels() {
    return new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(255), "upsampled"));
  }
}
