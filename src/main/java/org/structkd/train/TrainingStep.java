package org.structkd.train;

import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.StringTensorDict;
import org.bytedeco.pytorch.StringTensorDictItem;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.NativeOps;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.DivergedException;
import org.structkd.objective.GradientCheck;
import org.structkd.objective.Objective;
import org.structkd.objective.StepInputs;
import org.structkd.objective.StepLoss;

/**
 * One step of a training: reaches the student whole or not at all. Weights are moved only after all
 * gradients were found usable, and buffers, such as the running means that forward itself changes,
 * are put back where a step fails.
 */
final class TrainingStep {
  private final TrainableNetwork student;
  private final @Nullable TappedNetwork teacher;
  private final Objective objective;
  private final GradientCheck gradients;
  private final AdamOptimizer optimizer;
  private final TensorVector bufferVector;
  private final Tensor[] buffers;
  private final Tensor[] buffersBefore;
  private boolean hasMoved;
  private boolean torn;

  /**
   * Lives in the PointerScope that is open here.
   *
   * @throws IllegalArgumentException if nothing of the student can be trained
   */
  TrainingStep(
      TrainableNetwork student,
      @Nullable TappedNetwork teacher,
      Objective objective,
      AdamOptimizer optimizer) {
    this.student = student;
    this.teacher = teacher;
    this.objective = objective;
    this.optimizer = optimizer;
    gradients = new GradientCheck(objective, student.module());
    requireTrainable(student.module());
    bufferVector = student.module().buffers();
    buffers = tensors(bufferVector);
    buffersBefore = clones(buffers);
  }

  private static void requireTrainable(Module module) {
    for (Tensor parameter : tensors(module.parameters())) {
      if (parameter.requires_grad()) {
        return;
      }
    }
    throw new IllegalArgumentException(
        "no parameter of the student requires a gradient: nothing would be learned");
  }

  /**
   * Does the step.
   *
   * @param images on the device of the networks
   * @param labels beside them
   * @param step counted from 0
   * @param learningRate of this step
   * @return what was minimised, in the caller's PointerScope
   * @throws DivergedException if a term or a gradient is not finite; the student is as before
   * @throws IllegalArgumentException if a term refuses its inputs, or no weight moves
   */
  StepLoss take(Tensor images, Tensor labels, long step, double learningRate) {
    copy(buffers, buffersBefore);
    boolean done = false;
    try {
      StepLoss loss = objective.compute(inputs(images, labels, step));
      optimizer.zeroGrad();
      loss.total().backward();
      gradients.require(step, () -> inputs(images, labels, step));
      requireFiniteBuffers(step);
      torn = true;
      if (hasMoved) {
        optimizer.step(learningRate);
      } else {
        moveForTheFirstTime(loss, learningRate);
      }
      torn = false;
      done = true;
      return loss;
    } catch (DivergedException e) {
      throw e.with(stateBefore(images));
    } finally {
      if (!done) {
        copy(buffersBefore, buffers);
      }
    }
  }

  /** A huge image can leave every gradient finite and running statistics not. */
  private void requireFiniteBuffers(long step) {
    if (Double.isFinite(NativeOps.largestValue(bufferVector))) {
      return;
    }
    StringTensorDict named = student.module().named_buffers();
    for (long i = 0; i < named.size(); i++) {
      StringTensorDictItem item = named.get(i);
      if (!isFinite(item.value())) {
        throw DivergedException.ofBuffer(item.key().getString(), step);
      }
    }
  }

  /** Whether a step failed while it moved the weights: then they are those of no step. */
  boolean isTorn() {
    return torn;
  }

  private StepInputs inputs(Tensor images, Tensor labels, long step) {
    Map<String, Tensor> teacherTaps = teacher == null ? Map.of() : teacher.infer(images);
    return new StepInputs(student.forward(images), teacherTaps, labels, step);
  }

  /**
   * Says that this training has moved weights in an earlier process. A rate that has decayed until
   * it moves none does not end a training that goes through, so it must not end one that continues.
   */
  void hasMovedBefore() {
    hasMoved = true;
  }

  /**
   * Weights and rates can be so small that the student's numbers cannot take in what they change.
   * Weights that are 0 take in anything and prove nothing.
   */
  private void moveForTheFirstTime(StepLoss loss, double learningRate) {
    Tensor[] parameters = tensors(student.module().parameters());
    Tensor[] before = clones(parameters);
    optimizer.step(learningRate);
    boolean canTell = false;
    for (int i = 0; i < before.length && !hasMoved; i++) {
      Tensor counts = before[i].ne(new Scalar(0));
      canTell |= counts.any().item_bool();
      hasMoved = before[i].ne(parameters[i]).logical_and(counts).any().item_bool();
    }
    if (canTell && !hasMoved && loss.value() != 0) { // a batch without labels may come first
      throw new IllegalArgumentException(
          "step "
              + loss.step()
              + " moved no weight of the student that is not 0: its learning rate is "
              + learningRate
              + ", the weights of its terms are "
              + loss.terms().stream()
                  .map(term -> term.name() + " " + term.weight())
                  .collect(Collectors.joining(", "))
              + "; raise what is too small for the student's numbers");
    }
  }

  /** What is true where a step ends before the weights were moved. */
  private String stateBefore(Tensor images) {
    try (PointerScope temporaries = new PointerScope()) {
      for (long image = 0; image < images.size(0); image++) {
        if (!isFinite(images.select(0, image))) {
          return "the student is as it was before this step; image "
              + image
              + " of the batch is not finite itself";
        }
      }
      StringTensorDict parameters = student.module().named_parameters();
      for (long i = 0; i < parameters.size(); i++) {
        StringTensorDictItem item = parameters.get(i);
        if (!isFinite(item.value())) {
          return "the student is as it was before this step, and its \""
              + item.key().getString()
              + "\" was not finite before";
        }
      }
      return "the student is as it was before this step";
    }
  }

  private static boolean isFinite(Tensor tensor) {
    return tensor.isfinite().all().item_bool();
  }

  private static Tensor[] tensors(TensorVector vector) {
    Tensor[] tensors = new Tensor[(int) vector.size()];
    Arrays.setAll(tensors, i -> vector.get(i));
    return tensors;
  }

  private static Tensor[] clones(Tensor[] tensors) {
    return Arrays.stream(tensors).map(tensor -> tensor.detach().clone()).toArray(Tensor[]::new);
  }

  private static void copy(Tensor[] from, Tensor[] to) {
    for (int i = 0; i < from.length; i++) {
      to[i].copy_(from[i]);
    }
  }
}
