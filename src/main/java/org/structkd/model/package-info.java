/**
 * Networks whose intermediate outputs have names, and files of their weights.
 *
 * <p>Losses between networks need more than a last output: a {@link
 * org.structkd.model.TappedNetwork} gives all that an objective may read, by name. {@link
 * org.structkd.model.SegmentationNet} is a small one of any width, {@link
 * org.structkd.model.ResNet} and {@link org.structkd.model.WideResNet} tell the class of an image,
 * {@link org.structkd.model.BundledTeacher} are trained ones, {@link
 * org.structkd.model.ScriptedNetwork} any TorchScript file.
 */
@NullMarked
package org.structkd.model;

import org.jspecify.annotations.NullMarked;
