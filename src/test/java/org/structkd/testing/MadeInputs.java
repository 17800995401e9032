package org.structkd.testing;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.loss.LossInputs;
import org.structkd.loss.Needs;
import org.structkd.loss.TrainedPart;

/** Inputs of a loss, made of what it says that it needs. */
public final class MadeInputs {
  /** Channels of the images of a batch. */
  private static final long COLOURS = 3;

  private MadeInputs() {}

  /**
   * Sizes that all tensors of one call agree in.
   *
   * @param batch images, or embeddings
   * @param channels of student and teacher
   * @param height of maps; tokens have height x width positions
   * @param width of maps
   */
  public record Sizes(long batch, long channels, long height, long width) {
    /** Sides of maps where a loss, by its id, needs others than 8. */
    private static final Map<String, Long> SIDES = Map.of("holistic", 32L);

    /** Numbers that the sides of maps are multiples of where a loss, by its id, asks for that. */
    private static final Map<String, Long> MULTIPLES = Map.of("channel_memory", 4L);

    /** {@return these sizes, with sides that a loss takes} */
    public Sizes takenBy(String id) {
      long multiple = MULTIPLES.getOrDefault(id, 1L);
      return new Sizes(batch, channels, height / multiple * multiple, width / multiple * multiple);
    }

    /** {@return small sizes that a loss takes} */
    public static Sizes of(String id, Needs needs) {
      long side = SIDES.getOrDefault(id, 8L);
      return new Sizes(vectorsAlone(needs) ? 5 : 2, 6, side, side);
    }

    /** {@return a batch larger by the sides of the maps, where a loss takes vectors alone} */
    Sizes fitting(Needs needs) {
      return vectorsAlone(needs)
          ? new Sizes(batch + height + width, channels, height, width)
          : this;
    }

    private static boolean vectorsAlone(Needs needs) {
      return needs.student().stream().allMatch(role -> role.ranks().equals(Set.of(2)))
          && !needs.student().isEmpty();
    }
  }

  /** {@return seeded gaussians in f64, and the classes of the teacher's logits as labels} */
  public static LossInputs of(Needs needs, Sizes sizes, long seed) {
    Map<String, Tensor> student = outputs(needs, needs.student(), sizes, seed);
    Map<String, Tensor> teacher = outputs(needs, needs.teacher(), sizes, seed + 1_000);
    Tensor first = student.values().iterator().next();
    Map<String, Tensor> targets = new HashMap<>();
    for (String name : needs.targets()) {
      targets.put(name, target(needs, name, seed + 2_000, first, teacher));
    }
    if (needs.masks() || needs.targets().contains(LossInputs.LABELS)) {
      targets.put(LossInputs.LABELS, labels(teacher.getOrDefault("logits", first)));
    }
    Map<String, Tensor> inputs = new HashMap<>();
    for (String name : needs.inputs()) {
      long[] shape = {sizes.batch, COLOURS, sizes.height, sizes.width};
      inputs.put(name, formed(needs, name, seed + 3_000 + inputs.size(), shape));
    }
    return new LossInputs(student, teacher, targets, inputs, OptionalLong.empty(), 1, null);
  }

  /** What the teacher says, which is nearly right; anything where there is none. */
  private static Tensor target(
      Needs needs, String name, long seed, Tensor first, Map<String, Tensor> teacher) {
    Tensor made = formed(needs, name, seed, first.shape());
    boolean told = needs.forms().isEmpty() && teacher.size() == 1;
    return told ? made.mul(new Scalar(0.5)).add(teacher.values().iterator().next()) : made;
  }

  /** Numbers of the form that a role, target or input has. */
  private static Tensor formed(Needs needs, String name, long seed, long[] usual) {
    Needs.Form form = needs.forms().getOrDefault(name, Needs.Form.of(Needs.Values.REAL));
    long[] shape = form.sizes().isEmpty() ? usual : new long[1 + form.sizes().size()];
    shape[0] = usual[0];
    for (int axis = 1; axis <= form.sizes().size(); axis++) {
      int size = form.sizes().get(axis - 1);
      shape[axis] = size == 0 ? usual[axis] : size;
    }
    Tensor real = Tensors.gaussian(seed, shape);
    return switch (form.values()) {
      case REAL -> real;
      case POSITIVE -> real.exp();
      case UNIT -> real.sigmoid();
      case FLAGS -> real.gt(new Scalar(1));
      case INDICES -> torch.arange(new Scalar(usual[0])).to(ScalarType.Long);
      case MATRICES -> // near the identity
          real.mul(new Scalar(0.02)).add(torch.eye(shape[shape.length - 1], real.options()));
    };
  }

  private static Map<String, Tensor> outputs(
      Needs needs, List<Needs.Role> roles, Sizes sizes, long seed) {
    Map<String, Tensor> outputs = new HashMap<>();
    for (Needs.Role role : roles) {
      for (int layer = 0; layer < (role.several() ? 2 : 1); layer++) {
        String name = role.several() ? role.name() + "." + layer : role.name();
        long[] shape = shape(role.ranks(), sizes);
        outputs.put(name, formed(needs, role.name(), seed + outputs.size(), shape));
      }
    }
    return outputs;
  }

  private static long[] shape(Set<Integer> ranks, Sizes sizes) {
    if (ranks.isEmpty() || ranks.contains(4)) {
      return new long[] {sizes.batch, sizes.channels, sizes.height, sizes.width};
    }
    if (ranks.contains(3)) {
      return new long[] {sizes.batch, sizes.height * sizes.width, sizes.channels};
    }
    return ranks.contains(2) ? new long[] {sizes.batch, sizes.channels} : new long[] {sizes.batch};
  }

  private static Tensor labels(Tensor logits) {
    return logits.argmax(new LongOptional(logits.dim() == 3 ? 2 : 1), false);
  }

  /** {@return the same with other outputs of the networks} */
  public static LossInputs changed(
      LossInputs in, UnaryOperator<Tensor> student, UnaryOperator<Tensor> teacher) {
    return with(in, each(in.student(), student), each(in.teacher(), teacher), in.targets());
  }

  /** {@return every of-th example from one on} */
  public static LossInputs share(LossInputs in, int first, int of) {
    UnaryOperator<Tensor> share =
        tensor ->
            tensor
                .slice(0, new LongOptional(first), new LongOptional(tensor.size(0)), of)
                .contiguous();
    return new LossInputs(
        each(in.student(), share),
        each(in.teacher(), share),
        each(in.targets(), share),
        each(in.inputs(), share),
        in.ignoreIndex(),
        in.step(),
        in.part());
  }

  /** {@return the same on a device, networks' outputs in a type} */
  public static LossInputs onDevice(LossInputs in, Device device, ScalarType type) {
    UnaryOperator<Tensor> output = tensor -> tensor.to(device, type);
    UnaryOperator<Tensor> batch = tensor -> tensor.to(device, tensor.scalar_type().intern());
    return new LossInputs(
        each(in.student(), output),
        each(in.teacher(), output),
        each(in.targets(), batch),
        each(in.inputs(), batch),
        in.ignoreIndex(),
        in.step(),
        in.part());
  }

  /** {@return the same with another output of the teacher} */
  public static LossInputs withTeacher(LossInputs in, String role, Tensor output) {
    return with(in, in.student(), replaced(in.teacher(), role, output), in.targets());
  }

  /** {@return the same with other labels} */
  public static LossInputs labelled(LossInputs in, Tensor labels) {
    Map<String, Tensor> targets = replaced(in.targets(), LossInputs.LABELS, labels);
    return with(in, in.student(), in.teacher(), targets);
  }

  /** {@return the same with other tensors of the networks and of the batch} */
  public static LossInputs with(
      LossInputs in,
      Map<String, Tensor> student,
      Map<String, Tensor> teacher,
      Map<String, Tensor> targets) {
    return new LossInputs(
        student, teacher, targets, in.inputs(), in.ignoreIndex(), in.step(), in.part());
  }

  /** {@return the same, of which the positions of a label take no part, with a trained part} */
  public static LossInputs with(
      LossInputs in, OptionalLong ignoreIndex, @Nullable TrainedPart part) {
    return new LossInputs(
        in.student(), in.teacher(), in.targets(), in.inputs(), ignoreIndex, in.step(), part);
  }

  private static Map<String, Tensor> replaced(
      Map<String, Tensor> tensors, String name, Tensor other) {
    Map<String, Tensor> replaced = new HashMap<>(tensors);
    replaced.put(name, other);
    return replaced;
  }

  private static Map<String, Tensor> each(Map<String, Tensor> tensors, UnaryOperator<Tensor> make) {
    Map<String, Tensor> made = new HashMap<>();
    tensors.forEach((name, tensor) -> made.put(name, make.apply(tensor)));
    return made;
  }

  /** {@return tokens [B, H W, C] of a map [B, C, H, W]} */
  public static Tensor tokens(Tensor map) {
    return map.flatten(2, 3).transpose(1, 2).contiguous();
  }

  /**
   * {@return the same values as an imaginary part of conjugate numbers, whose memory holds their
   * negatives}
   */
  public static Tensor negativeView(Tensor values) {
    Tensor pairs = torch.stack(new TensorVector(torch.zeros_like(values), values.neg()), -1);
    return torch.imag(torch.view_as_complex(pairs).conj());
  }

  /** {@return a map whose teacher's or student's values are all this one} */
  public static UnaryOperator<Tensor> filledWith(double value) {
    return tensor -> torch.full_like(tensor, new Scalar(value));
  }

  /** {@return a conversion to a type} */
  public static UnaryOperator<Tensor> to(ScalarType type) {
    return tensor -> tensor.to(type);
  }
}
