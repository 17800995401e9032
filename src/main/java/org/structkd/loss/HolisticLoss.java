package org.structkd.loss;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Generators;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Holistic loss (SKD): a discriminator learns to tell the teacher's maps of classes from the
 * student's, and the student learns to be taken for the teacher.
 *
 * <pre>{@code
 * student           L   = -mean D(S)
 * discriminator     L_D = mean D(S) - mean D(T) + penalty mean_b (n_b - 1)^2          WGAN-GP
 *                   L_D = mean relu(1 - D(T)) + mean relu(1 + D(S)) + the same penalty  hinge
 *                   n_b = |d D(x) / d x| of image b at x = a T + (1 - a) S, a uniform in [0, 1)
 * }</pre>
 *
 * <p>The discriminator is SKD's: four blocks for maps whose shorter side has 64 positions or more,
 * three from 32 on, and the mean over its last map. A student's map of another size is resized to
 * the teacher's, bilinear. Conditioned, D sees the image, resized, and softmax of the logits, as in
 * the publication; else the logits alone, as in the released code.
 *
 * <ul>
 *   <li><b>Value:</b> no unit, any sign; it says nothing about how far the student is.
 *   <li><b>Gradient:</b> to the student only; the discriminator learns by {@link
 *       TrainedPart.Opponent#objective}, differentiated twice where there is a penalty.
 *   <li><b>State:</b> every forward moves the vectors of D's spectral normalisation.
 *   <li><b>Threads:</b> immutable, may be shared; a discriminator serves one training.
 * </ul>
 *
 * <p>Source: Y. Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR
 * 2019, section 3.3; code irfanICMLL/structure_knowledge_distillation ce208e1. Weights there: 0.1
 * of either loss; CIRKD uses 0.001 and 0.1 with hinge.
 *
 * @param game what the discriminator minimises
 * @param penalty weight of the gradient penalty, at least 0: 10 in SKD, 0 for none
 * @param conditioned whether the discriminator sees the images
 */
public record HolisticLoss(Game game, double penalty, boolean conditioned) implements Loss {
  private static final String NAME = "holistic loss";

  /** The role of its outputs. */
  public static final String LOGITS = "logits";

  /** The input of the batch that a conditioned discriminator sees. */
  public static final String IMAGES = "images";

  /** Shorter sides from which on the discriminator has four blocks, and three. */
  private static final long FOUR_BLOCKS = 64;

  private static final long THREE_BLOCKS = 32;

  /** Checks the settings. */
  public HolisticLoss {
    Settings.requireGiven(NAME, "game", game);
    Settings.requireAtLeast(NAME, "penalty", penalty, 0);
  }

  /** {@return SKD's released form: WGAN-GP of weight 10 on logits} */
  public static HolisticLoss skdReleased() {
    return new HolisticLoss(Game.WGAN, 10, false);
  }

  /** {@return SKD's publication: the same, conditioned on the image} */
  public static HolisticLoss skdCvpr19() {
    return new HolisticLoss(Game.WGAN, 10, true);
  }

  /** {@return CIRKD's form: hinge without a penalty} */
  public static HolisticLoss cirkd() {
    return new HolisticLoss(Game.HINGE, 0, false);
  }

  /** {@inheritDoc} The discriminator has statistics of a batch. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    Needs.Role logits = Needs.Role.of(LOGITS, 4);
    return new Needs(
        List.of(logits), List.of(logits), Set.of(), conditioned ? Set.of(IMAGES) : Set.of(), false);
  }

  @Override
  public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    MapPair maps = maps(dryRun);
    long side = Math.min(maps.teacher().map().size(2), maps.teacher().map().size(3));
    if (side < THREE_BLOCKS) {
      throw new IllegalArgumentException(
          ("%s: the teacher's map is %s x %s, expected 32 x 32 or more, which the"
                  + " discriminator's three strides bring to 4 x 4: take a tap of larger maps")
              .formatted(NAME, maps.teacher().map().size(2), maps.teacher().map().size(3)));
    }
    long channels = maps.teacher().map().size(1);
    long all = conditioned ? channels + dryRun.input(IMAGES).size(1) : channels;
    return Optional.of(new Player(this, (int) all, side < FOUR_BLOCKS ? 3 : 4, seed));
  }

  /**
   * Computes the student's loss.
   *
   * @param inputs logits [B, K, H, W] of both networks, the images where D is conditioned, and the
   *     discriminator as the part; constant but for the student's logits
   * @return scalar, f64 if the discriminator is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if logits differ in batch or classes, or there is no
   *     discriminator
   */
  @Override
  public Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(
        () -> {
          if (!(inputs.part() instanceof Player player)) {
            throw new IllegalArgumentException(
                NAME + ": it has no discriminator: make one by trainedPart()");
          }
          MapPair maps = maps(inputs);
          Tensor logits = maps.student().map().to(player.type());
          return player.judge(seen(logits, maps.teacher().map(), inputs), false).mean().neg();
        });
  }

  private static MapPair maps(LossInputs inputs) {
    return MapPair.of(NAME, inputs.student(LOGITS), inputs.teacher(LOGITS), MapView.Accepts.MAPS)
        .requireSameChannels();
  }

  /** What the discriminator gets to see of logits of its type, at the size of the teacher's. */
  private Tensor seen(Tensor logits, Tensor teacher, LossInputs inputs) {
    long[] size = {teacher.size(2), teacher.size(3)};
    Tensor map = resized(logits, size);
    if (!conditioned) {
      return map;
    }
    Tensor image = resized(inputs.input(IMAGES).to(map.scalar_type()), size);
    return torch.cat(new TensorVector(image, torch.softmax(map, 1, new ScalarTypeOptional())), 1);
  }

  private static Tensor resized(Tensor map, long[] size) {
    return map.size(2) == size[0] && map.size(3) == size[1]
        ? map
        : torch.upsample_bilinear2d(map, size, false);
  }

  /** The discriminator of one training. */
  private static final class Player implements TrainedPart.Opponent {
    private final HolisticLoss settings;
    private final long seed;
    private final Discriminator net;

    Player(HolisticLoss settings, int channels, int blocks, long seed) {
      this.settings = settings;
      this.seed = seed;
      net = new Discriminator(channels, blocks, seed);
    }

    Tensor judge(Tensor seen, boolean learns) {
      return net.judge(seen, learns).values();
    }

    private ScalarType type() {
      return module().parameters().get(0).scalar_type().intern();
    }

    @Override
    public Tensor objective(LossInputs inputs) {
      return Scopes.resultOf(
          () -> {
            MapPair maps = maps(inputs);
            Tensor teacher = maps.teacher().map();
            Tensor real = settings.seen(teacher.detach().to(type()), teacher, inputs);
            Tensor student = maps.student().map().detach().to(type());
            Tensor fake = settings.seen(student, teacher, inputs);
            Tensor loss = settings.game.lossOf(judge(real, true), judge(fake, true));
            return settings.penalty == 0
                ? loss
                : loss.add(
                    net.penalty(real, fake, alphas(real, inputs.step()))
                        .mul(new Scalar(settings.penalty)));
          });
    }

    /** One draw for each image, by seed and step: a training that continues draws the same. */
    private Tensor alphas(Tensor maps, long step) {
      long key =
          seed * 0x9E3779B97F4A7C15L + step; // the odd constant of Knuth's multiplicative hash
      Tensor drawn = Generators.seeded(key, () -> torch.rand(maps.size(0), 1, 1, 1));
      return drawn.to(maps.device(), type());
    }

    @Override
    public Module module() {
      return net.module();
    }

    @Override
    public void close() {
      net.close();
    }
  }
}
