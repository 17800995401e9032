package org.structkd.data;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What files of photographs and masks hold, and which are broken.
 *
 * @param photographs of each split, train, validation and test, broken ones too
 * @param faults a sentence for each broken file, which names it
 * @param pixels of each split and class
 * @param ignored pixels of each split that do not count
 * @param mean of red, green and blue over the whole training photographs, 0 to 1; NaN without any
 * @param deviation of the same
 * @param smallest photograph, by its pixels; null where all are broken
 * @param largest photograph
 */
public record ImageFindings(
    int[] photographs,
    List<String> faults,
    long[][] pixels,
    long[] ignored,
    double[] mean,
    double[] deviation,
    Augmentation.@Nullable Size smallest,
    Augmentation.@Nullable Size largest) {}
