/**
 * Labelled scenes to train and evaluate on, and the score of a segmentation.
 *
 * <p>{@link org.structkd.data.FashionScenes} composes photographs of clothes into small scenes with
 * exact labels, {@link org.structkd.data.SceneTensors} hands a batch to LibTorch, {@link
 * org.structkd.data.SegmentationScore} counts right and wrong pixels. Except for the adapter and
 * one method of the score this is plain Java: no native library is loaded to read or compose.
 */
@NullMarked
package org.structkd.data;

import org.jspecify.annotations.NullMarked;
