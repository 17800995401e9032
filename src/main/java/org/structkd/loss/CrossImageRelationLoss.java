package org.structkd.loss;

import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.structkd.StructkdException;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Operator;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Cross-image relation loss (CIRKD, mini-batch): each node's likeness to all nodes of every image
 * of the batch, as a distribution, is pulled towards the teacher's.
 *
 * <pre>{@code
 * L          = 1/(B^2 N) sum_mn sum_i KL( q_T[m,i,n], q_S[m,i,n] )     images m, n < B
 * q[m,i,n]   = softmax over the nodes j of image n of <f_mi, f_nj> / temperature
 * f_mi       = feature vector of node i of image m, scaled to unit length
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> in nats, at least 0, at most 2 / temperature; a mean over rows and pairs of
 *       images, so that neither batch nor map size changes its scale. No temperature squared.
 *   <li><b>Gradient:</b> to the student only, through both nodes of each pair and through their
 *       lengths. A node whose length is at most eps has cosine 0 and gradient 0.
 *   <li><b>Memory:</b> two numbers for each node and image, and about 10 MB; no N x N matrix at any
 *       map size.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 *   <li><b>NaN:</b> a NaN or an infinity among the features gives a NaN loss.
 * </ul>
 *
 * <p>Source: C. Yang et al., "Cross-Image Relational Knowledge Distillation for Semantic
 * Segmentation", CVPR 2022, arXiv 2204.06986, section 3.2. Where paper and codes differ,
 * docs/methods/cross_image_relation.md says how and why.
 *
 * @param nodes what is compared with each other
 * @param pooling what is done to both maps first
 * @param temperature divisor of the cosines, at least 1/256
 * @param eps in feature units, greater than 0
 */
public record CrossImageRelationLoss(Nodes nodes, Pooling pooling, double temperature, double eps)
    implements MapLoss {
  private static final String NAME = "cross-image relation loss";

  /**
   * The temperature below which e to the power of cosines / temperature leaves the range of f64.
   */
  private static final double LEAST_TEMPERATURE = 1.0 / 256;

  /** The temperature of CIRKD. */
  private static final double CIRKD_TEMPERATURE = 0.1;

  /** The eps of F.normalize, which all public codes take. */
  private static final double NORMALIZE_EPS = 1e-12;

  /** What is compared with each other. */
  public enum Nodes {
    /** Positions, by their vectors of channels. */
    POSITIONS,
    /** Channels, by their vectors of positions: student and teacher must have as many. */
    CHANNELS
  }

  /** Checks that the variant is complete and possible. */
  public CrossImageRelationLoss {
    Settings.requireGiven(NAME, "nodes", nodes);
    Settings.requireGiven(NAME, "pooling", pooling);
    if (!(temperature >= LEAST_TEMPERATURE && temperature < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          NAME
              + ": temperature is "
              + temperature
              + ", expected a finite number of at least 1/256");
    }
    Settings.requirePositive(NAME, "eps", eps);
  }

  /**
   * CIRKD's mini-batch term at revision dab64db: all positions, temperature 0.1. Its loss weight
   * there is 1.
   */
  public static CrossImageRelationLoss cirkd() {
    return new CrossImageRelationLoss(
        Nodes.POSITIONS, Pooling.none(), CIRKD_TEMPERATURE, NORMALIZE_EPS);
  }

  /**
   * CIRKD's code with its switch {@code pooling}: means over 2 x 2 positions, else {@link #cirkd}.
   */
  public static CrossImageRelationLoss cirkdPooled() {
    return cirkd().withPooling(Pooling.average(2, 2));
  }

  /**
   * The mini-batch term of CIRKDV2 between channels: means over 4 x 4 positions, rows are channels.
   * Its loss weight there is 1. A student of other channels needs a projector, as it has there.
   */
  public static CrossImageRelationLoss cirkdv2Channel() {
    return new CrossImageRelationLoss(
        Nodes.CHANNELS, Pooling.average(4, 4), CIRKD_TEMPERATURE, NORMALIZE_EPS);
  }

  /** The same loss between other nodes. */
  public CrossImageRelationLoss withNodes(Nodes nodes) {
    return new CrossImageRelationLoss(nodes, pooling, temperature, eps);
  }

  /** The same loss of maps that are pooled otherwise. */
  public CrossImageRelationLoss withPooling(Pooling pooling) {
    return new CrossImageRelationLoss(nodes, pooling, temperature, eps);
  }

  /** The same loss at another temperature. */
  public CrossImageRelationLoss withTemperature(double temperature) {
    return new CrossImageRelationLoss(nodes, pooling, temperature, eps);
  }

  /** The same loss with another length below which a node counts as zero. */
  public CrossImageRelationLoss withEps(double eps) {
    return new CrossImageRelationLoss(nodes, pooling, temperature, eps);
  }

  /** {@inheritDoc} Images are compared with each other. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  /** {@inheritDoc} Maps, and tokens where nothing is pooled. */
  @Override
  public Needs needs() {
    boolean pools = pooling.kind() != Pooling.Kind.NONE;
    return Needs.pair(
        new Needs.Role("features", pools ? Set.of(4) : Set.of(3, 4), false), /* masks= */ false);
  }

  /**
   * Computes the loss of one batch.
   *
   * @param student feature map [B, Cs, H, W], or tokens [B, N, Cs], each a position; f32, f64, f16
   *     or bf16
   * @param teacher the same with Ct channels, which must be Cs between channels; same device; the
   *     dtype may differ (the wider dtype is used, the gradient comes back in the student's), and
   *     so may height and width where pooling gives equal ones
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, rank, size, dtype or device
   *     do not fit, or the loss would be constant: one node per image, or vectors of one number
   * @throws StructkdException if native code is missing or fails
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(
        () -> {
          MapPair maps = pooled(MapPair.of(NAME, student, teacher, MapView.Accepts.TOKENS));
          refuseConstant(maps.student());
          return Operator.call(
              "cross_image_relation",
              ofNodes(maps.student()),
              ofNodes(maps.teacher()),
              temperature,
              eps);
        });
  }

  private MapPair pooled(MapPair maps) {
    if (nodes == Nodes.CHANNELS) {
      maps.requireSameChannels();
    }
    return pooling.applyTo(maps);
  }

  /** The map whose positions are the nodes. */
  private Tensor ofNodes(MapView view) {
    Tensor map = view.map();
    return nodes == Nodes.POSITIONS ? map : map.flatten(2, -1).transpose(1, 2).unsqueeze(-1);
  }

  private void refuseConstant(MapView student) {
    long channels = student.map().size(1);
    long positions = student.map().size(2) * student.map().size(3);
    boolean ofPositions = nodes == Nodes.POSITIONS;
    ConstantLoss.refuseIf(
        positions == 1,
        student,
        ofPositions
            ? "has one position to compare in each image, and a softmax over one is 1; expected a"
                + " larger map or less pooling"
            : "has one position, so that every cosine of channels is 1 or -1; expected a larger map"
                + " or less pooling");
    ConstantLoss.refuseIf(
        channels == 1,
        student,
        ofPositions
            ? "has one channel, so that every cosine is 1 or -1; expected 2 channels or more"
            : "has one channel to compare in each image, and a softmax over one is 1; expected 2"
                + " channels or more");
  }
}
