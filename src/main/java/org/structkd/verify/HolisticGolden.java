package org.structkd.verify;

import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Words;
import org.structkd.loss.Discriminator;
import org.structkd.loss.Discriminator.Judgement;
import org.structkd.loss.Game;

/**
 * Cases of the holistic loss: one discriminator judges the teacher's maps, then the student's, and
 * then has a gradient penalty, so that its power iterations go on from one to the next.
 */
final class HolisticGolden {
  /** The shorter side from which on the discriminator has four blocks. */
  private static final int FOUR_BLOCKS = 64;

  /** Its weight in SKD. */
  private static final double PENALTY = 10;

  private HolisticGolden() {}

  static GoldenOp.Computation prepare(GoldenCase golden) {
    GoldenOptions options = golden.options();
    String student = options.value("student", String.class, "S");
    String teacher = options.value("teacher", String.class, "T");
    options.requireAllRead();
    if (!GoldenParameters.in(golden)) {
      throw new GoldenOp.SkippedException(
          "the loss trains a part of its own, whose parameters the case does not hold");
    }
    GoldenParameters parameters = GoldenParameters.of(golden);
    return placement -> {
      Tensor ofStudent = placement.map(golden.input(student).tensor()).detach().requires_grad_();
      Tensor ofTeacher = placement.map(golden.input(teacher).tensor());
      try (Discriminator net = discriminator(ofTeacher)) {
        net.module().to(new Device(placement.device()), placement.dtype(), false);
        parameters.putInto(net.module());
        return compute(golden, student, net, ofStudent, ofTeacher, placement);
      }
    };
  }

  private static Discriminator discriminator(Tensor map) {
    if (map.dim() != 4) {
      throw new IllegalArgumentException("the maps have rank " + map.dim() + ", expected 4");
    }
    boolean large = Math.min(map.size(2), map.size(3)) >= FOUR_BLOCKS;
    return new Discriminator((int) map.size(1), large ? 4 : 3, 0);
  }

  private static GoldenResult compute(
      GoldenCase golden,
      String name,
      Discriminator net,
      Tensor student,
      Tensor teacher,
      Placement placement) {
    Judgement real = net.judge(teacher, true);
    Judgement fake = net.judge(student, true);
    GoldenTensor alphas = golden.param("gp_alpha");
    Tensor penalty =
        net.penalty(
            teacher,
            student.detach(),
            placement.map(alphas.tensor()).view(alphas.shape()[0], 1, 1, 1));
    GoldenResult ofLoss = GoldenResult.of(fake.values().mean().neg(), Map.of(name, student));
    Map<String, double[]> outputs = new TreeMap<>(ofLoss.outputs());
    outputs.put("D_T", GoldenResult.valuesOf(real.values()));
    outputs.put("D_S", GoldenResult.valuesOf(fake.values()));
    for (Game game : Game.values()) {
      outputs.put(
          "d_loss_" + Words.of(game),
          GoldenResult.valuesOf(game.lossOf(real.values(), fake.values())));
    }
    outputs.put("gp_times_10", GoldenResult.valuesOf(penalty.mul(new Scalar(PENALTY))));
    outputs.put("out_shape", new double[] {fake.values().numel()});
    for (int block = 0; block < fake.attentions().size(); block++) {
      outputs.put("attn" + (block + 1), new double[] {fake.attentions().get(block).size(1)});
    }
    double larger =
        Math.max(
            Math.abs(real.values().mean().item_double()),
            Math.abs(fake.values().mean().item_double()));
    return new GoldenResult(
        outputs, ofLoss.gradients(), true, Map.of("d_loss_" + Words.of(Game.WGAN), larger));
  }
}
