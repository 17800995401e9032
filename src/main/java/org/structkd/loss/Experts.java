package org.structkd.loss;

import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Draws;
import org.structkd.internal.Layers;
import org.structkd.internal.Rows;

/**
 * Small networks, each of which guesses the teacher's embeddings from the student's, and a gate
 * that picks one of them for each embedding by what the teacher's says.
 *
 * <pre>{@code
 * z   = softmax((log(softmax(V t + c) + 1e-10) + Gumbel noise) / temperature)
 * E_m = linear, ReLU, linear
 * }</pre>
 *
 * <p>Source: S. Kang et al., CIKM 2020; code SeongKu-Kang/DE-RRD_CIKM20, {@code Models/DE.py}.
 */
final class Experts {
  /** Keeps a logarithm finite, as in the published code. */
  private static final double EPS = 1e-10;

  private final Tensor gate;
  private final Tensor gateBias;
  private final Tensor first;
  private final Tensor firstBias;
  private final Tensor second;
  private final Tensor secondBias;

  /**
   * Experts with random weights.
   *
   * @param owner module that their parameters are added to
   * @param prefix of the parameters' names
   * @param in channels of the student's embeddings
   * @param hidden numbers between the two layers of an expert
   * @param out channels of the teacher's embeddings
   */
  Experts(Module owner, String prefix, int count, int in, int hidden, int out) {
    gate = parameter(owner, prefix + "gate_weight", out, count, out);
    gateBias = parameter(owner, prefix + "gate_bias", out, count);
    first = parameter(owner, prefix + "first_weight", in, count, in, hidden);
    firstBias = parameter(owner, prefix + "first_bias", in, count, 1, hidden);
    second = parameter(owner, prefix + "second_weight", hidden, count, hidden, out);
    secondBias = parameter(owner, prefix + "second_bias", hidden, count, 1, out);
  }

  /** Uniform within one over the root of what is summed up, as LibTorch's linear layers begin. */
  private static Tensor parameter(Module owner, String name, int summed, long... shape) {
    double bound = 1 / Math.sqrt(summed);
    Tensor value = torch.rand(shape).mul(new Scalar(2 * bound)).sub(new Scalar(bound));
    return Layers.parameter(owner, name, value);
  }

  /** Channels of the student's embeddings. */
  long in() {
    return first.size(1);
  }

  /** Channels of the teacher's embeddings. */
  long out() {
    return gate.size(1);
  }

  /** The type of the weights. */
  ScalarType type() {
    return gate.scalar_type().intern();
  }

  /** V t + c, [N, experts]. */
  private Tensor gates(Tensor teacher) {
    return teacher.mm(gate.t()).add(gateBias);
  }

  /** Which expert each embedding belongs to, as rows of one 1 among 0s, [N, experts]. */
  Tensor groups(Tensor teacher) {
    Tensor group = gates(teacher).detach().argmax(new LongOptional(1), true);
    return torch.zeros_like(teacher.mm(gate.detach().t())).scatter(1, group, new Scalar(1));
  }

  /**
   * How far the mixture of the experts is from the teacher's embeddings.
   *
   * @param student [N, in] in the type of the weights
   * @param teacher [N, out], constant, in the same type
   * @param stream of the noise
   * @return the sum of squares over all embeddings
   */
  Tensor error(Tensor student, Tensor teacher, double temperature, Draws draws, long stream) {
    long count = gate.size(0);
    Tensor noise = draws.gumbel(stream, teacher.device(), teacher.size(0), count).to(type());
    Tensor chances = gates(teacher).softmax(1).add(new Scalar(EPS));
    Tensor shares = chances.log().add(noise).div(new Scalar(temperature)).softmax(1);
    Tensor copies = student.unsqueeze(0).expand(count, student.size(0), student.size(1));
    Tensor hidden = torch.relu(copies.bmm(first).add(firstBias));
    Tensor guesses = hidden.bmm(second).add(secondBias); // [experts, N, out]
    Tensor mixture = guesses.mul(shares.t().unsqueeze(2)).sum(0);
    return Rows.sumOfAll(teacher.sub(mixture).square());
  }
}
