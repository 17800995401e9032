package org.structkd.train;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.distributed.ProcessGroup;
import org.structkd.distributed.RankFailedException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.loss.SharedBatch;
import org.structkd.model.StateDict;

/**
 * What the ranks of one training do together. All of them meet at {@link #agree}, or, where one has
 * failed, at its {@link #tell}; every other call follows a meeting at which nobody had failed. So
 * no rank waits for one that has gone another way. A training of one process meets nobody.
 */
final class Ranks implements SharedBatch {
  /** Bytes of a file that are on the heap at once. */
  private static final int CHUNK = 1 << 24;

  private final ProcessGroup group;
  private final int numbers;
  private final StopSignal asked;
  private final StopSignal agreed;
  private boolean over;

  /**
   * Ranks that have not met.
   *
   * @param asked this rank's signal
   * @param numbers how many the ranks take the mean of when they meet
   */
  Ranks(ProcessGroup group, StopSignal asked, int numbers) {
    this.group = group;
    this.asked = asked;
    this.numbers = numbers;
    agreed = isAlone() ? asked : new StopSignal();
  }

  boolean isAlone() {
    return group.worldSize() == 1;
  }

  /** {@return whether this rank evaluates, writes and tells} */
  boolean isFirst() {
    return group.isFirst();
  }

  int rank() {
    return group.rank();
  }

  int worldSize() {
    return group.worldSize();
  }

  /** {@return a signal that is given at a meeting to which any rank came with its own given} */
  StopSignal stop() {
    return agreed;
  }

  /** Meets the others. */
  void agree() {
    agree(new double[numbers]);
  }

  /**
   * Meets the others.
   *
   * @param own numbers of this rank; NaN for one that is not known
   * @return the mean of those of all ranks
   * @throws RankFailedException if another rank has failed, with its sentence
   */
  double[] agree(double[] own) {
    return isAlone() ? own : meet(own, "");
  }

  @Override
  public int ranks() {
    return group.worldSize();
  }

  /** Joins what a loss makes of the shares: at a meeting, as others may have failed before. */
  @Override
  public void add(Tensor own) {
    agree();
    group.sum(own);
  }

  /** Tells the others at their next meeting, which this makes, that this rank ends; once. */
  void tell(Throwable cause) {
    if (isAlone() || over || cause instanceof RankFailedException) {
      return;
    }
    RuntimeException told =
        cause instanceof RuntimeException e ? NativeCall.translate(e) : new RuntimeException(cause);
    String sentence = cause instanceof RuntimeException ? told.getMessage() : cause.getMessage();
    try {
      meet(new double[numbers], sentence == null ? cause.toString() : sentence);
    } catch (RuntimeException e) {
      cause.addSuppressed(e); // they know of it by the connection that is gone
    }
  }

  /** One sum: a place for each rank's wish to stop, one for its failure, and the numbers. */
  private double[] meet(double[] own, String failure) {
    int size = group.worldSize();
    double[] all = new double[2 * size + numbers];
    all[group.rank()] = asked.isRequested() ? 1 : 0;
    all[size + group.rank()] = failure.isEmpty() ? 0 : 1;
    System.arraycopy(own, 0, all, 2 * size, numbers);
    boolean met = false;
    try (PointerScope temporaries = new PointerScope()) {
      Tensor sum = Tensor.create(all);
      group.sum(sum);
      sum.data_ptr_double().get(all);
      for (int rank = 0; rank < size; rank++) {
        if (all[size + rank] > 0) {
          over = true;
          requireWhole(rank, failure);
        }
      }
      met = true;
    } finally {
      over |= !met;
    }
    for (int rank = 0; rank < size; rank++) {
      if (all[rank] > 0) {
        agreed.request();
      }
    }
    double[] means = new double[numbers];
    for (int i = 0; i < numbers; i++) {
      means[i] = all[2 * size + i] / size;
    }
    return means;
  }

  /** Hears the sentence of a rank that has failed. */
  private void requireWhole(int failed, String own) {
    byte[] told = group.broadcast(own.getBytes(StandardCharsets.UTF_8), failed);
    if (own.isEmpty()) {
      throw new RankFailedException(
          "rank %d of %d has failed, and so all end: %s"
              .formatted(failed, group.worldSize(), new String(told, StandardCharsets.UTF_8)));
    }
  }

  /** Replaces gradients by their means over all ranks; where one rank has none, it counts as 0. */
  void average(Collection<Tensor> parameters) {
    if (isAlone()) {
      return;
    }
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      List<Tensor> flat = new ArrayList<>();
      float[] reached = new float[parameters.size()];
      ScalarType type = ScalarType.Float;
      for (Tensor parameter : parameters) {
        boolean has = NativeOps.hasGradient(parameter);
        reached[flat.size()] = has ? 1 : 0;
        flat.add((has ? parameter.grad() : torch.zeros_like(parameter)).reshape(-1));
        type = isDouble(parameter) ? ScalarType.Double : type;
      }
      Tensor any = flat.get(0);
      flat.add(Tensor.create(reached).to(any.device(), type));
      Tensor means = meanOf(flat, type);
      Tensor who = means.narrow(0, means.numel() - reached.length, reached.length).cpu();
      double[] reachedAnywhere = new double[reached.length];
      who.to(ScalarType.Double).data_ptr_double().get(reachedAnywhere);
      int place = 0;
      long at = 0;
      for (Tensor parameter : parameters) {
        Tensor mean = means.narrow(0, at, parameter.numel()).view_as(parameter);
        if (reached[place] > 0) {
          parameter.grad().copy_(mean);
        } else if (reachedAnywhere[place] > 0) {
          parameter.mutable_grad().put(mean.to(parameter.scalar_type()).clone());
        }
        at += parameter.numel();
        place++;
      }
    }
  }

  /**
   * Replaces what tensors have changed by since a moment by the mean of these changes, so that what
   * has not changed keeps its bits.
   *
   * @param now tensors of floating type, which are changed
   * @param before what they were, equal on all ranks
   */
  void averageChanges(List<Tensor> now, List<Tensor> before) {
    if (isAlone() || now.isEmpty()) {
      return;
    }
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      List<Tensor> changes = new ArrayList<>();
      for (int i = 0; i < now.size(); i++) {
        changes.add(now.get(i).sub(before.get(i)).reshape(-1));
      }
      boolean doubles = now.stream().anyMatch(Ranks::isDouble);
      Tensor means = meanOf(changes, doubles ? ScalarType.Double : ScalarType.Float);
      long at = 0;
      for (int i = 0; i < now.size(); i++) {
        Tensor mean = means.narrow(0, at, now.get(i).numel()).view_as(now.get(i));
        now.get(i).copy_(before.get(i).add(mean));
        at += mean.numel();
      }
    }
  }

  private static boolean isDouble(Tensor tensor) {
    return tensor.scalar_type().intern() == ScalarType.Double;
  }

  private Tensor meanOf(List<Tensor> flat, ScalarType type) {
    List<Tensor> converted = flat.stream().map(part -> part.to(type)).toList();
    Tensor all = torch.cat(new TensorVector(converted.toArray(new Tensor[0])));
    group.sum(all);
    return all.div_(new Scalar(group.worldSize()));
  }

  /** Gives all ranks parameters and buffers of the first. */
  void copyFromFirst(Module module) {
    copyFromFirst(StateDict.parametersOf(module).values());
    copyFromFirst(StateDict.buffersOf(module).values());
  }

  /** Gives all ranks the tensors of the first. */
  void copyFromFirst(Collection<Tensor> tensors) {
    if (isAlone()) {
      return;
    }
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      for (Tensor tensor : tensors) {
        Tensor dense = tensor.detach().contiguous();
        group.broadcast(dense, 0);
        if (!tensor.is_contiguous()) {
          tensor.detach().copy_(dense);
        }
      }
    }
  }

  /**
   * Checks that all ranks have the strings of the first.
   *
   * @throws IllegalArgumentException naming what differs; the caller tells the others
   */
  void requireSame(Map<String, String> own) {
    if (isAlone()) {
      return;
    }
    Map<String, String> first = read(group.broadcast(written(own), 0));
    List<String> here = new ArrayList<>();
    List<String> there = new ArrayList<>();
    TreeSet<String> names = new TreeSet<>(own.keySet());
    names.addAll(first.keySet());
    for (String name : names) {
      if (!Objects.equals(own.get(name), first.get(name))) {
        here.add(name + " " + own.getOrDefault(name, "none"));
        there.add(name + " " + first.getOrDefault(name, "none"));
      }
    }
    if (!here.isEmpty()) {
      throw new IllegalArgumentException(
          "rank %d is at another training than rank 0: it has %s; expected that of rank 0, %s"
              .formatted(group.rank(), String.join("; ", here), String.join("; ", there)));
    }
  }

  private static byte[] written(Map<String, String> strings) {
    try (ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes)) {
      for (Map.Entry<String, String> entry : strings.entrySet()) {
        write(entry.getKey(), out);
        write(entry.getValue(), out);
      }
      return bytes.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Of any length, which writeUTF is not. */
  private static void write(String text, DataOutputStream out) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  private static String text(DataInputStream in) throws IOException {
    return new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8);
  }

  private static Map<String, String> read(byte[] bytes) {
    Map<String, String> strings = new LinkedHashMap<>();
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      while (in.available() > 0) {
        strings.put(text(in), text(in));
      }
      return strings;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** {@return a number of the first rank} */
  long ofFirst(long own) {
    if (isAlone()) {
      return own;
    }
    try (PointerScope temporaries = new PointerScope()) {
      Tensor number = Tensor.create(new long[] {own});
      group.broadcast(number, 0);
      return number.item_long();
    }
  }

  /**
   * Hands a file of the first rank to the others, which need not see its disk and {@link #receive}
   * it meanwhile. Whatever the disk does, they hear of an end.
   *
   * @param file need not exist; null: none
   */
  void send(@Nullable Path file) throws IOException {
    try {
      if (file != null && Files.exists(file)) {
        try (InputStream in = Files.newInputStream(file)) {
          for (byte[] chunk = in.readNBytes(CHUNK); chunk.length > 0; ) {
            group.broadcast(chunk, 0);
            chunk = in.readNBytes(CHUNK);
          }
        }
      }
    } finally {
      group.broadcast(new byte[0], 0);
    }
  }

  /**
   * Takes the file that the first rank sends. Whatever the disk does, it is heard out.
   *
   * @param copy where it goes; stays missing if there is none
   */
  void receive(Path copy) throws IOException {
    IOException failure = null;
    OutputStream out = null;
    try {
      for (byte[] chunk = heard(); chunk.length > 0; chunk = heard()) {
        try {
          out = out == null ? Files.newOutputStream(copy) : out;
          out.write(chunk);
        } catch (IOException e) {
          failure = e;
        }
      }
    } finally {
      if (out != null) {
        out.close();
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  private byte[] heard() {
    return group.broadcast(new byte[0], 0);
  }
}
