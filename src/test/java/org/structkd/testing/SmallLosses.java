package org.structkd.testing;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.Generators;
import org.structkd.internal.Layers;
import org.structkd.internal.Owned;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.Needs;
import org.structkd.loss.Projector;
import org.structkd.loss.TrainedPart;

/** One small loss for each kind of part that a loss can have. */
public final class SmallLosses {
  private static final Needs MAPS = Needs.pair(Needs.Role.of("map", 4), false);

  private SmallLosses() {}

  private abstract static class Part implements TrainedPart {
    private final Owned<Module> module;

    Part(long seed, UnaryOperator<Module> layers) {
      module =
          Owned.make(
              "part", () -> Generators.seeded(seed, () -> layers.apply(new ModuleDictImpl())));
    }

    @Override
    public Module module() {
      return module.get();
    }

    @Override
    public void close() {
      module.close();
    }
  }

  /** A projector that learns with the student: mean (projected student - teacher)^2. */
  public record Connector() implements Loss {
    private static final class Lifting extends Part {
      private final Projector projector;

      Lifting(Projector projector) {
        super(0, module -> projector.module());
        this.projector = projector;
      }

      @Override
      public void close() {
        super.close();
        projector.close();
      }
    }

    @Override
    public Needs needs() {
      return MAPS;
    }

    @Override
    public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
      long student = dryRun.student("map").size(1);
      long teacher = dryRun.teacher("map").size(1);
      return Optional.of(new Lifting(new Projector((int) student, (int) teacher, seed)));
    }

    @Override
    public Tensor forward(LossInputs in) {
      Tensor projected = ((Lifting) in.part()).projector.forward(in.student("map"));
      return projected.sub(in.teacher("map")).square().mean();
    }
  }

  /**
   * A discriminator that learns against the student: - mean D(student), and against it mean
   * D(student) - mean D(teacher) + mean of the squares of both.
   *
   * @param brokenAt step from which on its objective's gradient is not a number
   */
  public record Adversarial(long brokenAt) implements Loss {
    private static final class Discriminator extends Part implements TrainedPart.Opponent {
      private final long brokenAt;

      Discriminator(int channels, long seed, long brokenAt) {
        super(
            seed,
            module -> {
              Layers.convolution(module, "judge", channels, 1, 3, 1, true);
              return module;
            });
        this.brokenAt = brokenAt;
      }

      Tensor judge(Tensor map) {
        return module().named_children().get("judge").asConv2d().forward(map);
      }

      @Override
      public Tensor objective(LossInputs in) {
        Tensor student = judge(in.student("map"));
        Tensor teacher = judge(in.teacher("map"));
        Tensor apart = student.mean().sub(teacher.mean());
        Tensor sum = apart.add(student.square().mean()).add(teacher.square().mean());
        return in.step() < brokenAt ? sum : sum.mul(new Scalar(Double.NaN));
      }
    }

    @Override
    public Needs needs() {
      return MAPS;
    }

    @Override
    public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
      return Optional.of(new Discriminator((int) dryRun.student("map").size(1), seed, brokenAt));
    }

    @Override
    public Tensor forward(LossInputs in) {
      return ((Discriminator) in.part()).judge(in.student("map")).mean().neg();
    }
  }

  /** A bank of the mean feature so far: mean (feature - bank)^2, and it takes a tenth of each. */
  public record Bank() implements Loss {
    private static final class Memory extends Part {
      Memory(long channels) {
        super(
            0,
            module -> {
              module.register_buffer("bank", torch.zeros(channels));
              return module;
            });
      }
    }

    @Override
    public Needs needs() {
      return new Needs(MAPS.student(), List.of(), Set.of(), Set.of(), false);
    }

    @Override
    public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
      return Optional.of(new Memory(dryRun.student("map").size(1)));
    }

    @Override
    public Tensor forward(LossInputs in) {
      Tensor bank = in.part().module().named_buffers().get("bank");
      Tensor mean = in.student("map").mean(0, 2, 3);
      Tensor loss = mean.sub(bank.clone()).square().mean();
      try (NoGradGuard noGrad = new NoGradGuard()) {
        bank.lerp_(mean.detach(), new Scalar(0.1));
      }
      return loss;
    }
  }
}
