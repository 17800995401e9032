/**
 * What to train and evaluate on: {@link org.structkd.data.Batch} with named tensors, {@link
 * org.structkd.data.BatchSource}, {@link org.structkd.data.Dataset} with its splits.
 *
 * <p>{@link org.structkd.data.FashionScenes} composes photographs of clothes into small scenes with
 * exact labels, in plain Java: no native library is loaded to read or compose. {@link
 * org.structkd.data.SceneTensors} hands a batch to LibTorch. {@link org.structkd.data.Garments} are
 * the photographs one by one, to be classified.
 */
@NullMarked
package org.structkd.data;

import org.jspecify.annotations.NullMarked;
