package org.structkd.run;

import java.io.PrintWriter;
import java.util.function.Function;
import org.bytedeco.pytorch.Device;
import org.structkd.distributed.ProcessGroup;
import org.structkd.train.Resume;
import org.structkd.train.StopSignal;
import org.structkd.train.TrainingListener;

/**
 * What a run has around it.
 *
 * @param out tells the user
 * @param stop ends trainings early
 * @param device where networks are
 * @param resume what may differ from checkpoints in the folder
 * @param progress makes a listener that shows how far the training of a name is
 * @param group the processes that train each student together; the first one writes and tells
 */
public record RunContext(
    PrintWriter out,
    StopSignal stop,
    Device device,
    Resume resume,
    Function<String, TrainingListener> progress,
    ProcessGroup group) {
  /** What a run of one process has around it. */
  public RunContext(
      PrintWriter out,
      StopSignal stop,
      Device device,
      Resume resume,
      Function<String, TrainingListener> progress) {
    this(out, stop, device, resume, progress, ProcessGroup.alone());
  }

  /** {@return the same without a word about single trainings} */
  RunContext quiet() {
    return new RunContext(out, stop, device, resume, name -> new TrainingListener() {}, group);
  }
}
