package org.structkd.bench;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.MapLoss;
import org.structkd.loss.Sampling;

/**
 * Global structural loss of rows that were sampled before, 8 groups. All sides draw a permutation
 * for each row in each call, as training does.
 */
final class GlobalStructuralFormulas implements LossFormulas {
  private static final GlobalStructuralLoss TRAINED = GlobalStructuralLoss.standard();
  private static final int GROUPS = 8;
  private static final long SUM = 2; // the reduction as operators number it
  private static final long STEP = 1;
  private static final long SEED = 42;

  @Override
  public MapLoss ours(CaseShape shape) {
    GlobalStructuralLoss loss =
        GlobalStructuralLoss.standard()
            .withSampling(Sampling.all())
            .withGroupWidth(Math.max(1, shape.nodes() / GROUPS));
    return (student, teacher) -> loss.forward(student, teacher, STEP);
  }

  @Override
  public Loss inTraining(CaseShape maps) {
    return TRAINED;
  }

  /** Samples are drawn by our sampler here, too: LibTorch has none, and a loop would be slower. */
  @Override
  public Tensor composedInTraining(CaseShape maps, LossInputs in) {
    Tensor teacher = in.teacher("features");
    Tensor logits = in.teacher("logits");
    Tensor indices =
        TRAINED
            .sample(teacher, logits, in.target(LossInputs.LABELS), in.step())
            .indices()
            .to(ScalarType.Long)
            .unsqueeze(1);
    return eager(indices.size(2) / logits.size(1))
        .lossAtOnce(sampled(in.student("features"), indices), sampled(teacher, indices));
  }

  /** [B, C, 1, M] of a map [B, C, H, W]. */
  private static Tensor sampled(Tensor map, Tensor indices) {
    Tensor rows = map.flatten(2, 3);
    return rows.gather(2, indices.expand(rows.size(0), rows.size(1), indices.size(2))).unsqueeze(2);
  }

  @Override
  public Contender contender(String provider, CaseShape shape) {
    if (provider.startsWith("structkd")) {
      MapLoss timed = ours(shape);
      return new Contender(Computation.autograd(timed), timed, "structkd");
    }
    Composition composition =
        switch (provider) {
          case "eager-best" -> new Composition(new Shuffle()::rows, GROUPS);
          case "authors" -> new Composition(GlobalStructuralFormulas::randperms, GROUPS);
          default -> eager(GROUPS);
        };
    MapLoss timed = provider.equals("authors") ? composition::lossByLoops : composition::lossAtOnce;
    // The truth is that of the permutation drawn last, so nobody shares it.
    return new Contender(Computation.autograd(timed), composition::lossOfLastDraw, "");
  }

  /**
   * Composes the loss of rows that were sampled before. It sorts random numbers, since the
   * operator's composed twin, which draws our permutations entry by entry, is slower by a tenth.
   */
  static Composition eager(long groups) {
    return new Composition(
        maps -> torch.rand(maps.shape(), maps.options()).argsort(2, false), groups);
  }

  /** A permutation per row, drawn one after another: [B, M, M]. */
  private static Tensor randperms(Tensor maps) {
    long rows = maps.size(0) * maps.size(1);
    TensorVector drawn = new TensorVector();
    for (long i = 0; i < rows; i++) {
      drawn.push_back(torch.randperm(maps.size(2)));
    }
    return torch.stack(drawn).view(maps.shape());
  }

  /** Fisher and Yates in Java: no sort, and a generator of the JVM. */
  private static final class Shuffle {
    private final SplittableRandom random = new SplittableRandom(SEED);

    Tensor rows(Tensor maps) {
      int width = (int) maps.size(2);
      long[] row = new long[width];
      Tensor all =
          torch.empty(
              maps.shape(),
              maps.options().dtype(new ScalarTypeOptional(ScalarType.Long)),
              new MemoryFormatOptional());
      ByteBuffer bytes = all.data_ptr_long().capacity(all.numel()).asByteBuffer();
      LongBuffer out = bytes.order(ByteOrder.nativeOrder()).asLongBuffer();
      for (int i = 0; i < width; i++) {
        row[i] = i;
      }
      while (out.hasRemaining()) { // shuffling a permutation gives an independent one
        for (int i = width - 1; i > 0; i--) {
          // Below i + 1 by a product of 31 bits: no division.
          int j = (int) ((long) (random.nextInt() >>> 1) * (i + 1) >>> 31);
          long swapped = row[i];
          row[i] = row[j];
          row[j] = swapped;
        }
        out.put(row);
      }
      return all;
    }
  }

  /** The loss by LibTorch operators, and which permutation it drew last. */
  static final class Composition {
    private final UnaryOperator<Tensor> draw;
    private final long groups;
    private final Tensor permutation = new Tensor().retainReference(); // outlives a call

    Composition(UnaryOperator<Tensor> draw, long groups) {
      this.draw = draw;
      this.groups = groups;
    }

    Tensor lossAtOnce(Tensor student, Tensor teacher) {
      Tensor ours = similarities(student);
      Tensor theirs = similarities(teacher);
      permutation.put(draw.apply(theirs));
      return divergence(ours, theirs);
    }

    Tensor lossOfLastDraw(Tensor student, Tensor teacher) {
      return divergence(similarities(student), similarities(teacher));
    }

    private Tensor divergence(Tensor ours, Tensor theirs) {
      return torch
          .kl_div(groups(ours).log_softmax(2), groups(theirs).softmax(2), SUM, false)
          .div(new Scalar((double) groups * ours.size(0)));
    }

    /** GSKD's way: one image after another, groups in a loop. */
    Tensor lossByLoops(Tensor student, Tensor teacher) {
      Tensor ours = similarities(student);
      Tensor theirs = similarities(teacher);
      permutation.put(draw.apply(theirs));
      Tensor total = torch.zeros(1);
      long width = ours.size(2) / groups;
      for (long b = 0; b < ours.size(0); b++) {
        Tensor order = permutation.select(0, b);
        Tensor mine = ours.select(0, b).gather(1, order);
        Tensor other = theirs.select(0, b).gather(1, order);
        for (long g = 0; g < groups; g++) {
          Tensor logs = mine.narrow(1, g * width, width).flatten().log_softmax(0);
          Tensor shares = other.narrow(1, g * width, width).flatten().softmax(0);
          total = total.add(torch.kl_div(logs, shares, SUM, false));
        }
      }
      return total.div(new Scalar((double) groups * ours.size(0))).sum();
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
          .gather(2, permutation.to(similarities.device(), ScalarType.Long))
          .reshape(n[0], n[1], groups, n[2] / groups)
          .transpose(1, 2)
          .flatten(2, 3);
    }
  }

  /**
   * Half of both M x M maps, M^2 D each, and one product for the gradient, 2 M^2 D. Per entry two
   * exponentials with a shift and a sum each, and their difference; for the gradient a difference
   * of two quotients. The permutation is not counted. Both maps are read, the gradient is written.
   */
  @Override
  public Work work(CaseShape shape, Pass pass, String plan) {
    boolean full = pass == Pass.FULL;
    double entries = (double) shape.batch() * shape.nodes() * shape.nodes();
    double slots = 2 * (2 + Work.EXP) + 2 + (full ? 3 : 0);
    return new Work(
        entries * shape.channels() * (full ? 4 : 2),
        0,
        slots * entries,
        0,
        (full ? 3 : 2) * Work.F32 * shape.elements());
  }

  @Override
  public Effort effort(String provider, CaseShape shape) {
    double entries = (double) shape.batch() * shape.nodes() * shape.nodes();
    double products = 8 * entries * shape.channels();
    double matrix = Work.F32 * entries;
    return switch (provider) {
      case "eager", "eager-malloc" -> new Effort(products, 130 * matrix, 14 * matrix);
      case "eager-best" -> new Effort(products, 50 * matrix, 12 * matrix);
      case "authors" -> new Effort(products, 130 * matrix, 14 * matrix);
      default -> effortOfLeastWork(shape);
    };
  }
}
