package com.example.spark;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.BarrierTaskContext;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.distributed.ProcessGroup;
import org.structkd.distributed.Rendezvous;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.model.BundledTeacher;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.train.Distiller;
import org.structkd.train.TrainingConfig;
import scala.collection.Iterator;
import scala.collection.JavaConverters;
import scala.runtime.AbstractFunction1;

/** A barrier task: one rank of the training. The first gives the student's file. */
final class Rank extends AbstractFunction1<Iterator<Integer>, Iterator<byte[]>>
    implements Serializable {
  private static final long serialVersionUID = 1;
  private static final int BATCH = 16;

  private final long steps;
  private final String checkpoint;

  /**
   * A rank.
   *
   * @param steps of the training
   * @param checkpoint a file, from which a stage that Spark starts again goes on; empty: none
   */
  Rank(long steps, String checkpoint) {
    this.steps = steps;
    this.checkpoint = checkpoint;
  }

  @Override
  public Iterator<byte[]> apply(Iterator<Integer> partition) {
    try (ProcessGroup group = ProcessGroup.open(place(BarrierTaskContext.get()))) {
      byte[] student = train(group);
      List<byte[]> given = group.isFirst() ? List.of(student) : List.of();
      return JavaConverters.asScalaIterator(given.iterator());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Ranks meet at the host of the first task, at a port that it finds free there. */
  private static Rendezvous place(BarrierTaskContext task) throws IOException {
    String[] ports = task.allGather(Integer.toString(freePort()));
    String host = task.getTaskInfos()[0].address().replaceFirst(":\\d+$", "");
    return new Rendezvous(task.partitionId(), ports.length, host, Integer.parseInt(ports[0]));
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  /** {@return the student's file, after the same training as without Spark} */
  byte[] train(ProcessGroup group) throws IOException {
    torch.set_num_threads(1);
    Objective objective =
        Objective.of(
            new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(255), "upsampled")),
            new WeightedTerm("pixelwise", 5, Term.of(PixelwiseLoss.kd(), "logits")));
    SegmentationNet.Config config = new SegmentationNet.Config(1, 4, FashionScenes.CLASSES);
    try (SegmentationNet student = new SegmentationNet(config, 1);
        var teacher = BundledTeacher.load()) {
      Distiller distiller =
          new Distiller(
                  TrainingConfig.of(steps, 0.01),
                  objective,
                  SceneBatches.of(FashionScenes.bundled(), BATCH))
              .withTeacher(teacher)
              .withProcessGroup(group);
      if (!checkpoint.isEmpty()) {
        distiller.withCheckpoint(Path.of(checkpoint));
      }
      distiller.train(student);
      return student.toFile(Map.of()).toBytes();
    }
  }
}
