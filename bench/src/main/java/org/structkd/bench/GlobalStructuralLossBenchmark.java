package org.structkd.bench;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.FeatureLoss;
import org.structkd.loss.GlobalStructuralConfig;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.GlobalStructuralSamples;
import org.structkd.loss.SamplingConfig;

/**
 * Global structural loss of rows that were sampled before, 8 groups. Both sides draw a permutation
 * for each row in each call, as training does.
 */
public class GlobalStructuralLossBenchmark extends LossBenchmark {
  private static final int GROUPS = 8;
  private static final long SUM = 2; // the reduction as operators number it
  private static final long STEP = 1;

  @Override
  LossCase newCase(String provider, CaseShape shape) {
    GlobalStructuralLoss loss =
        new GlobalStructuralLoss(
            GlobalStructuralConfig.standard()
                .withSampling(SamplingConfig.all())
                .withGroupWidth(shape.nodes() / GROUPS));
    if (provider.equals("eager")) {
      Eager eager = new Eager();
      return new LossCase(
          shape.features(),
          eager::loss,
          (student, teacher) ->
              loss.forwardAt(student, teacher, allPixels(shape), eager.permutation.cpu(), STEP));
    }
    FeatureLoss timed = (student, teacher) -> loss.forward(student, teacher, STEP);
    return new LossCase(shape.features(), timed, timed);
  }

  /** Each draws permutations of its own. */
  @Override
  String truthName(String provider) {
    return provider;
  }

  private static GlobalStructuralSamples allPixels(CaseShape shape) {
    int batch = (int) shape.batch();
    int nodes = (int) shape.nodes();
    Tensor indices = torch.arange(new Scalar(nodes)).to(ScalarType.Int).repeat(batch, 1);
    Tensor counts = torch.tensor(nodes, 1).to(ScalarType.Int).repeat(batch, 1);
    return new GlobalStructuralSamples(indices, counts);
  }

  /** The composition, and which permutation it drew last. */
  private static final class Eager {
    private final Tensor permutation = new Tensor().retainReference(); // outlives a call

    Tensor loss(Tensor student, Tensor teacher) {
      Tensor ours = similarities(student);
      Tensor theirs = similarities(teacher);
      permutation.put(torch.rand(ours.shape(), ours.options()).argsort(2, false));
      return torch
          .kl_div(groups(ours).log_softmax(2), groups(theirs).softmax(2), SUM, false)
          .div(new Scalar((double) GROUPS * student.size(0)));
    }

    private static Tensor similarities(Tensor map) {
      Tensor rows = map.flatten(2, 3);
      Tensor length = rows.norm(new ScalarOptional(new Scalar(2)), new long[] {1}, true);
      Tensor unit = rows.div(length.clamp_min(new Scalar(1e-8)));
      return torch.bmm(unit.transpose(1, 2), unit);
    }

    /** [B, groups, entries]: shuffled rows, cut by columns. */
    private Tensor groups(Tensor similarities) {
      long[] n = similarities.shape();
      return similarities
          .gather(2, permutation)
          .reshape(n[0], n[1], GROUPS, n[2] / GROUPS)
          .transpose(1, 2)
          .flatten(2, 3);
    }
  }
}
