package org.structkd.train;

import java.io.ByteArrayOutputStream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.ArchiveWriter;
import org.bytedeco.pytorch.InputArchive;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.OutputArchive;

/** LibTorch's Adam over the parameters of a module, with its state as bytes. */
final class AdamOptimizer {
  private final Adam adam;

  /** Lives in the PointerScope that is open here. */
  AdamOptimizer(Module module) {
    adam = new Adam(module.parameters(), new AdamOptions());
  }

  void zeroGrad() {
    adam.zero_grad();
  }

  void step(double learningRate) {
    adam.param_groups().get(0).options().set_lr(learningRate);
    adam.step();
  }

  /** {@return step counts and both moments of all parameters, as LibTorch archives them} */
  byte[] state() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (PointerScope temporaries = new PointerScope()) {
      OutputArchive archive = new OutputArchive();
      adam.save(archive);
      archive.save_to(new Sink(bytes));
    }
    return bytes.toByteArray();
  }

  void restore(byte[] state) {
    try (PointerScope temporaries = new PointerScope()) {
      InputArchive archive = new InputArchive();
      archive.load_from(new BytePointer(state), state.length);
      adam.load(archive);
    }
  }

  /** Called by LibTorch with one piece of the archive after the other. */
  private static final class Sink extends ArchiveWriter {
    private final transient ByteArrayOutputStream bytes;

    Sink(ByteArrayOutputStream bytes) {
      this.bytes = bytes;
    }

    @Override
    public long call(Pointer data, long size) {
      byte[] piece = new byte[Math.toIntExact(size)];
      new BytePointer(data).capacity(size).get(piece);
      bytes.writeBytes(piece);
      return size;
    }
  }
}
