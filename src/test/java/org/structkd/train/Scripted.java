package org.structkd.train;

import java.util.List;
import org.bytedeco.pytorch.Device;
import org.structkd.metric.Evaluation;
import org.structkd.metric.Score;
import org.structkd.model.TappedNetwork;

/** Gives scores out of a list, whatever the network. */
final class Scripted implements Evaluation {
  private final double[] values;
  private final Runnable meanwhile;
  private int next;

  Scripted(double[] values, Runnable meanwhile) {
    this.values = values;
    this.meanwhile = meanwhile;
  }

  @Override
  public Score of(TappedNetwork network, Device device) {
    meanwhile.run();
    return new Score(List.of(new Score.Number("miou", "mIoU", values[next++], "", true)));
  }

  @Override
  public void requireFit(TappedNetwork network, Device device) {}
}
