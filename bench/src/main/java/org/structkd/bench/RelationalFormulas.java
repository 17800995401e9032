package org.structkd.bench;

import java.util.Set;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.LongArrayRef;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.loss.Loss;
import org.structkd.loss.MapLoss;
import org.structkd.loss.Needs;
import org.structkd.loss.RelationalLoss;
import org.structkd.loss.RelationalLoss.Kind;

/**
 * Relational loss of embeddings [N, C], which cases write as N x C x 1 x 1; its mode is the kind.
 */
final class RelationalFormulas implements LossFormulas {
  /** Embeddings of an image in a training step, along each side of its features. */
  private static final long GRID = 4;

  /** Instructions per triple: two cosines, their gap, Huber and its slope, three sums. */
  private static final double ANGLE_SLOTS = 18;

  /** Two areas with their roots and a quotient, which take as long as some 20 others. */
  private static final double AREA_SLOTS = 60;

  private static RelationalLoss loss(CaseShape shape) {
    return switch (shape.mode()) {
      case "" -> RelationalLoss.standard();
      case "angle" -> RelationalLoss.angle();
      case "area" -> RelationalLoss.area();
      default -> throw shape.unknownMode();
    };
  }

  @Override
  public MapLoss ours(CaseShape shape) {
    RelationalLoss loss = loss(shape);
    return (student, teacher) -> loss.forward(student.flatten(1, 3), teacher.flatten(1, 3));
  }

  /** Of a grid of positions of each image, so that a small batch has enough. */
  @Override
  public Loss inTraining(CaseShape maps) {
    RelationalLoss angles = RelationalLoss.angle();
    return new MapLoss() {
      @Override
      public Needs needs() {
        return Needs.pair(new Needs.Role("features", Set.of(4), false), false);
      }

      @Override
      public Tensor forward(Tensor student, Tensor teacher) {
        return angles.forward(embeddings(student), embeddings(teacher));
      }
    };
  }

  private static Tensor embeddings(Tensor map) {
    try (LongPointer grid = new LongPointer(GRID, GRID)) {
      return torch
          .adaptive_avg_pool2d(map, new LongArrayRef(grid, 2))
          .permute(0, 2, 3, 1)
          .flatten(0, 2);
    }
  }

  @Override
  public Contender contender(String provider, CaseShape shape) {
    MapLoss ours = ours(shape);
    MapLoss composed = Computation.on("composed", ours);
    boolean eager = provider.startsWith("eager");
    return new Contender(Computation.autograd(eager ? composed : ours), composed, "eager", ours);
  }

  /**
   * Squared distances of both networks and the way back, 2 N^2 C each in f64; triples all N^3,
   * those of areas half.
   */
  @Override
  public Work work(CaseShape shape, Pass pass, String plan) {
    boolean full = pass == Pass.FULL;
    double samples = shape.batch();
    double pairs = samples * shape.elements();
    double triples = samples * samples * samples;
    double slots =
        switch (loss(shape).kind()) {
          case DISTANCE -> 0;
          case ANGLE -> ANGLE_SLOTS * triples;
          case AREA -> AREA_SLOTS * triples / 2;
        };
    return new Work(
        0,
        (full ? 6 : 4) * pairs,
        0,
        slots,
        (full ? 3 : 2) * Work.F32 * shape.elements() + 24 * samples * samples);
  }

  @Override
  public Effort effort(String provider, CaseShape shape) {
    if (!provider.startsWith("eager")) {
      return effortOfLeastWork(shape);
    }
    double samples = shape.batch();
    double apart = Work.F32 * samples * shape.elements(); // N x N x C
    double triples = Work.F32 * samples * samples * samples;
    boolean pairs = loss(shape).kind() == Kind.DISTANCE;
    double products = pairs ? 0 : 12 * samples * samples * shape.elements();
    return new Effort(
        products, 20 * apart + (pairs ? 0 : 30 * triples), 6 * apart + (pairs ? 0 : 10 * triples));
  }
}
