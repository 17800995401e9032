package org.structkd.model;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Set;
import org.structkd.data.DataFileException;
import org.structkd.internal.Words;

/**
 * The teachers that come with this library.
 *
 * <ul>
 *   <li>{@link #FASHION}: a {@link SegmentationNet} of width 24 (219,203 parameters), trained on
 *       {@link org.structkd.data.FashionScenes} by the recipe {@code fashion-teacher}: mIoU 0.5752
 *       on test scenes. Trained anew with one thread instead of two, whose rounding differs, it
 *       scored 0.5771.
 *   <li>{@link #LANDSAT}: a {@link SegmentationNet} of width 12 (55,648 parameters), trained on all
 *       bands and the elevation of {@link org.structkd.data.Landsat} by the recipe {@code
 *       landsat-teacher}, in 64 s of CPU of one thread of an AMD EPYC (family 23, model 1),
 *       2026-11-29: mIoU 0.5838 and pixel accuracy 0.8635 on the test blocks.
 *   <li>{@link #RATINGS}: a {@link MatrixFactorization} of rank 8 (5,761 parameters), trained on
 *       {@link org.structkd.data.MadeRatings} by the recipe {@code ratings-teacher}: RMSE 0.685
 *       stars on test ratings.
 *   <li>{@link #SUPER_RESOLUTION}: a {@link SuperResolutionNet} of width 24 and 6 blocks (88,993
 *       parameters), trained to enlarge the garments of {@link
 *       org.structkd.data.SuperResolutionDataset} by the recipe {@code sr-teacher}, in 4 minutes of
 *       one thread of an AMD EPYC (family 25, model 17), 2026-11-29: PSNR 24.85 dB and SSIM 0.8476
 *       on test garments, where bicubic enlargement has 18.94 dB.
 *   <li>{@link #GARMENTS}: a {@link ResNet} of depth 8 and width 16 (75,002 parameters), trained on
 *       {@link org.structkd.data.Garments} by the recipe {@code garments-teacher}: accuracy 0.8970
 *       on the test images. One thread of an AMD EPYC (family 25, model 17), 86 s of CPU,
 *       2026-11-29.
 *   <li>{@link #GARMENTS_UPPER}, {@link #GARMENTS_LOWER}, {@link #GARMENTS_MIDDLE}: the same of
 *       width 8 (19,074 parameters each) and of regions of the images, {@code student.width=8} and
 *       {@code data.regions={images: ...}}: accuracy 0.8250, 0.8410 and 0.8090; 20 to 30 s of CPU
 *       each.
 *   <li>{@link #DENSENET}: a {@link DenseNet} of depth 13 and growth 12 (26,781 parameters),
 *       trained on {@link org.structkd.data.Garments} by the recipe {@code densenet-teacher}:
 *       accuracy 0.8010 on the test images. One thread of an AMD EPYC (family 23, model 1),
 *       2026-11-29.
 *   <li>{@link #DEPTH}: a {@link DepthNet} of width 16 (206,019 parameters), trained on made pairs
 *       of {@link org.structkd.data.StereoDataset} by the recipe {@code depth-teacher}, without any
 *       true depth: abs_rel 0.1818 on 200 test scenes, where the true median depth everywhere has
 *       0.5166. One thread of an AMD EPYC (family 23, model 1), 75 s of CPU, 2026-11-29.
 *   <li>{@link #CROWDS}: a {@link TrajectoryNet} of width 48 (28,850 parameters), trained on the
 *       made scenes of {@link org.structkd.data.CrowdDataset} by the recipe {@code
 *       trajectory-teacher}: ADE 0.886 m, FDE 1.594 m and zone accuracy 0.9125 on the test scenes,
 *       where constant velocity has an ADE of 1.165 m. One thread of an AMD EPYC (family 23, model
 *       1), 2026-11-29.
 * </ul>
 *
 * <p>The properties of their files say how they were made and what they score.
 */
public final class BundledTeacher {
  /** Name of the teacher for scenes of clothes. */
  public static final String FASHION = "fashion";

  /** Name of the teacher for made ratings. */
  public static final String RATINGS = "ratings";

  /** Name of the teacher that enlarges garments. */
  public static final String SUPER_RESOLUTION = "super_resolution";

  /** Name of the teacher for images of garments. */
  public static final String GARMENTS = "garments";

  /** Name of the teacher for the rows 0 to 15 of images of garments. */
  public static final String GARMENTS_UPPER = "garments-upper";

  /** Name of the teacher for the rows 12 to 27. */
  public static final String GARMENTS_LOWER = "garments-lower";

  /** Name of the teacher for the rows and columns 6 to 21. */
  public static final String GARMENTS_MIDDLE = "garments-middle";

  /** Name of the teacher for the bands of a Landsat scene. */
  public static final String LANDSAT = "landsat";

  /** Name of the densely connected teacher for images of garments. */
  public static final String DENSENET = "densenet";

  /** Name of the teacher that tells the depth of made scenes. */
  public static final String DEPTH = "depth";

  /** Name of the teacher for the tracks of people who walk. */
  public static final String CROWDS = "crowds";

  private static final Set<String> NAMES =
      Set.of(
          DENSENET,
          FASHION,
          LANDSAT,
          RATINGS,
          SUPER_RESOLUTION,
          GARMENTS,
          GARMENTS_UPPER,
          GARMENTS_LOWER,
          GARMENTS_MIDDLE,
          DEPTH,
          CROWDS);

  private BundledTeacher() {}

  /** {@return the teacher for scenes of clothes, a new one at each call, in evaluation mode} */
  public static SegmentationNet load() {
    try {
      return SegmentationNet.of(file(FASHION));
    } catch (IOException e) {
      throw new UncheckedIOException("the bundled teacher cannot be read: broken jar?", e);
    }
  }

  /**
   * Checks a name.
   *
   * @param name one of the constants
   * @throws IllegalArgumentException if there is no teacher of this name
   */
  public static void requireName(String name) {
    if (!NAMES.contains(name)) {
      throw new IllegalArgumentException(
          "network is \"" + name + "\", expected one of " + Words.listNearest(name, NAMES));
    }
  }

  /**
   * {@return the file of a teacher, with its properties}
   *
   * @param name one of the constants
   * @throws IllegalArgumentException if there is no teacher of this name
   */
  public static TensorFile file(String name) {
    requireName(name);
    String resource = name + "-teacher.safetensors";
    try (InputStream in = BundledTeacher.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new DataFileException(resource, "a resource of this library", "nothing");
      }
      return TensorFile.read(in, "the bundled teacher \"" + name + "\"");
    } catch (IOException e) {
      throw new UncheckedIOException("the bundled teacher cannot be read: broken jar?", e);
    }
  }
}
