package org.structkd.bench;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.IntraClassVariationLoss;
import org.structkd.loss.Loss;
import org.structkd.loss.MapLoss;

/** Intra-class variation loss of 19 classes, which lie in squares as in a segmentation. */
final class IntraClassVariationFormulas implements LossFormulas {
  private static final IntraClassVariationLoss LOSS = IntraClassVariationLoss.cirkd();
  private static final long SQUARES = 8;

  /** Beside the number of positions of a class. */
  private static final double BESIDE_COUNT = 1e-6;

  /** Of a product of two lengths. */
  private static final double LEAST_LENGTHS = 1e-8;

  @Override
  public MapLoss ours(CaseShape shape) {
    Labels labels = new Labels(shape);
    return (student, teacher) -> LOSS.forward(student, teacher, labels.beside(student));
  }

  @Override
  public Loss inTraining(CaseShape maps) {
    return LOSS;
  }

  @Override
  public Contender contender(String provider, CaseShape shape) {
    MapLoss ours = ours(shape);
    MapLoss composed = Computation.on("composed", ours);
    Labels labels = new Labels(shape);
    Computation timed =
        switch (provider) {
          case "eager", "eager-malloc" -> Computation.autograd(composed);
          case "authors" ->
              Computation.autograd((s, t) -> authors(s, t, labels.beside(s).unsqueeze(1)));
          default -> Computation.autograd(ours);
        };
    return new Contender(timed, composed, "eager", ours);
  }

  /** Labels of the positions of maps, on the device of a map. */
  private static final class Labels {
    private Tensor labels;

    Labels(CaseShape shape) {
      long[] sizes = shape.sizes();
      Tensor row = along(sizes[2]).mul(new Scalar(SQUARES)).unsqueeze(1);
      Tensor square = row.add(along(sizes[3])).unsqueeze(0);
      Tensor image = torch.arange(new Scalar(sizes[0])).mul(new Scalar(SQUARES * SQUARES));
      labels =
          square
              .add(image.view(-1, 1, 1))
              .remainder(new Scalar(LOSS.numClasses()))
              .to(ScalarType.Long)
              .retainReference();
    }

    /** The number of the square that a row or column is in. */
    private static Tensor along(long size) {
      return torch.arange(new Scalar(size)).mul(new Scalar(SQUARES)).floor_divide(new Scalar(size));
    }

    Tensor beside(Tensor map) {
      if (!labels.device().equals(map.device())) {
        labels = labels.to(map.device(), ScalarType.Long).retainReference();
      }
      return labels;
    }
  }

  /** The public codes: the centres as a map, written once more for each class. */
  private static Tensor authors(Tensor student, Tensor teacher, Tensor labels) {
    return torch.mse_loss(similarities(student, labels), similarities(teacher, labels));
  }

  private static Tensor similarities(Tensor map, Tensor labels) {
    Tensor centres = map.clone();
    for (long k = 0; k < LOSS.numClasses(); k++) {
      Tensor members = labels.eq(new Scalar(k)).to(map.scalar_type());
      Tensor sum = map.mul(members).sum(-1).sum(-1);
      Tensor count = members.sum(-1).sum(-1).add(new Scalar(BESIDE_COUNT));
      Tensor centre = sum.div(count).unsqueeze(-1).unsqueeze(-1);
      Tensor others = members.neg().add(new Scalar(1));
      centres = others.mul(centres).add(members.mul(centre));
    }
    return torch.cosine_similarity(map, centres, 1, LEAST_LENGTHS);
  }

  /**
   * Both maps are read for the centres and for the similarities; the student's once more for what
   * it pulls its centres by, and for its gradient, which is written. In f64 per element of both
   * maps a sum, a product and a square; of the student's a weighted sum and two products.
   */
  @Override
  public Work work(CaseShape shape, Pass pass, String plan) {
    boolean full = pass == Pass.FULL;
    double slots = (full ? 9 : 6) * shape.elements();
    return new Work(0, 0, 0, slots, (full ? 7 : 4) * Work.F32 * shape.elements());
  }

  @Override
  public Effort effort(String provider, CaseShape shape) {
    double map = Work.F32 * shape.elements();
    double classes = LOSS.numClasses();
    double products = classes * shape.elements();
    return switch (provider) {
      case "eager", "eager-malloc" -> new Effort(20 * products, 30 * map, 6 * map);
      case "authors" -> new Effort(0, 20 * classes * map, 8 * classes * map);
      default -> effortOfLeastWork(shape);
    };
  }
}
