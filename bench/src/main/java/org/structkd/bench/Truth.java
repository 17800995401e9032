package org.structkd.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.MapLoss;

/**
 * What is right: the loss in f64, by LibTorch where a composition says what it is, else by the
 * reference backend. That takes a while, so a file keeps a result for the other JVMs of the run.
 *
 * @param value the loss
 * @param gradient its gradient, in f64
 */
record Truth(double value, Tensor gradient) {
  /** System property: the folder of the files; without it nothing is kept. */
  static final String FOLDER = "structkd.bench.truth";

  /** An empty name keeps nothing. */
  static Truth of(String name, MapLoss loss, Tensor student, Tensor teacher) {
    String folder = System.getProperty(FOLDER);
    if (folder == null || name.isEmpty()) {
      return compute("reference", loss, student, teacher);
    }
    Path file = Path.of(folder, name);
    try {
      if (Files.exists(file)) {
        return read(file, student.shape());
      }
      Truth truth = compute("reference", loss, student, teacher);
      truth.write(file);
      return truth;
    } catch (IOException e) {
      throw new UncheckedIOException("cannot keep the true result in " + file, e);
    }
  }

  /** Where the reference's plain loops would take hours: our part by the CPU backend. */
  static Truth onCpu(MapLoss loss, Tensor student, Tensor teacher) {
    return compute("cpu", loss, student, teacher);
  }

  private static Truth compute(String backend, MapLoss loss, Tensor student, Tensor teacher) {
    Tensor exact = student.detach().cpu().to(ScalarType.Double).set_requires_grad(true);
    Tensor value =
        Computation.on(backend, loss).forward(exact, teacher.cpu().to(ScalarType.Double));
    value.backward();
    return new Truth(value.item_double(), exact.grad());
  }

  private void write(Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      write(
          channel,
          ByteBuffer.allocate(Double.BYTES).order(ByteOrder.nativeOrder()).putDouble(0, value));
      write(channel, bytesOf(gradient));
    }
  }

  private static Truth read(Path file, long[] shape) throws IOException {
    Tensor gradient = torch.zeros(shape).to(ScalarType.Double);
    ByteBuffer value = ByteBuffer.allocate(Double.BYTES).order(ByteOrder.nativeOrder());
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      read(channel, value);
      read(channel, bytesOf(gradient));
    }
    return new Truth(value.getDouble(0), gradient);
  }

  /** The memory of a dense tensor, below 2 GiB. */
  private static ByteBuffer bytesOf(Tensor tensor) {
    return tensor.data_ptr_double().capacity(tensor.numel()).asByteBuffer();
  }

  private static void write(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private static void read(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      if (channel.read(bytes) < 0) {
        throw new IOException("the file ends too early");
      }
    }
  }
}
