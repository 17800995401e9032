package org.structkd.metric;

import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.Batch;
import org.structkd.data.CrowdDataset;
import org.structkd.data.Zone;

/**
 * How far predicted places are from the true ones, in metres, and how often it is foreseen whether
 * a person enters a zone.
 *
 * <pre>{@code
 * ADE   mean over all steps of all examples of |predicted - true|, which leads
 * FDE   the same of the last steps
 * zone  share of examples in which some predicted place is in the zone where some true one is, and
 *       none where none is; places at steps, not the lines between them
 * gain  by how much the ADE is below that of walking on with the last observed step
 * }</pre>
 *
 * <p>Source of ADE and FDE: S. Pellegrini et al., ICCV 2009; A. Alahi et al., CVPR 2016.
 *
 * @param on tap with places [B, P, 2], metres from the last observed one
 */
public record TrajectoryMetric(String on) implements Metric {
  private static final String NAME = "trajectory metric";
  private static final String ADE = "ade";

  @Override
  public Set<String> taps() {
    return Set.of(on);
  }

  @Override
  public String leading() {
    return ADE;
  }

  @Override
  public Count count() {
    return new Errors();
  }

  private final class Errors implements Count {
    private double displacement;
    private double last;
    private double constant;
    private long steps;
    private long rightZones;
    private long examples;

    @Override
    public void add(Map<String, Tensor> outputs, Batch batch) {
      Places answers = Places.of(NAME, Taps.output(NAME, outputs, on));
      Places truths = Places.of(NAME, batch.target(CrowdDataset.TRAJECTORIES));
      requireFit(answers, truths);
      Places observed = Places.of(NAME, batch.input(CrowdDataset.OBSERVED));
      Places corners = Places.of(NAME, batch.target(CrowdDataset.ZONES));
      for (int i = 0; i < truths.count(); i++) {
        Zone zone = corners.zone(i);
        for (int step = 0; step < truths.steps(); step++) {
          double error = truths.distance(i, step, answers.x(i, step), answers.y(i, step));
          displacement += error;
          last += step == truths.steps() - 1 ? error : 0;
          constant += truths.distance(i, step, observed.onX(i, step), observed.onY(i, step));
        }
        rightZones += answers.enters(i, zone) == truths.enters(i, zone) ? 1 : 0;
      }
      steps += (long) truths.count() * truths.steps();
      examples += truths.count();
    }

    @Override
    public Score score() {
      if (examples == 0) {
        throw new IllegalStateException("no trajectory was counted, so there is no score");
      }
      return new Score(
          List.of(
              new Score.Number(ADE, "ADE", displacement / steps, "m", false),
              new Score.Number("fde", "FDE", last / examples, "m", false),
              new Score.Number("zone", "zone accuracy", (double) rightZones / examples, "", true),
              new Score.Number(
                  "gain",
                  "gain over constant velocity",
                  (constant - displacement) / steps,
                  "m",
                  true)));
    }
  }

  private void requireFit(Places answers, Places truths) {
    if (!Arrays.equals(answers.shape(), truths.shape())) {
      throw new IllegalArgumentException(
          "%s: tap \"%s\" is %s, expected %s as the trajectories"
              .formatted(
                  NAME, on, Arrays.toString(answers.shape()), Arrays.toString(truths.shape())));
    }
  }

  /** {@inheritDoc} The ground from above, with what was seen, the truth and the answer. */
  @Override
  public BufferedImage picture(Map<String, Tensor> answer, Batch batch) {
    return TrajectoryPicture.of(batch, answer.isEmpty() ? null : answer.get(on));
  }

  /** {@inheritDoc} Walking on with the last observed step. */
  @Override
  public Map<String, BufferedImage> baselines(Batch batch) {
    Tensor observed = batch.input(CrowdDataset.OBSERVED);
    long steps = observed.size(1);
    Tensor step = observed.narrow(1, steps - 1, 1).sub(observed.narrow(1, steps - 2, 1));
    Tensor path = step.expand_as(batch.target(CrowdDataset.TRAJECTORIES)).contiguous().cumsum(1);
    return Map.of("constant velocity", TrajectoryPicture.of(batch, path));
  }

  @Override
  public Map<String, Integer> legend() {
    return TrajectoryPicture.COLOURS;
  }
}
