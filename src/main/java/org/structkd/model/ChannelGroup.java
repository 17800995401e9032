package org.structkd.model;

import java.util.List;

/**
 * Channels of a map within a network that can only be removed together: what makes them, and what
 * reads them. A convolution with its normalisation is one group; convolutions whose results are
 * added share one, since the sum has a channel as long as one of them has it.
 *
 * <p>Where all parameters that make a channel are 0, it is 0 whatever the input, in training and in
 * evaluation: without it the network computes the same.
 *
 * @param name unique in its network
 * @param channels how many there are, 1 or more
 * @param producers names of the parameters and buffers whose first dimension are these channels:
 *     filters, biases, scales, shifts, running statistics
 * @param readers weights that read the map, one or more
 */
public record ChannelGroup(
    String name, int channels, List<String> producers, List<Reader> readers) {
  /**
   * A weight whose second dimension are the channels of what it reads.
   *
   * @param weight its name
   * @param offset where the channels of the group begin in that dimension: maps before it in a
   *     concatenation take up the first ones
   */
  public record Reader(String weight, int offset) {}

  /** Copies the lists. */
  public ChannelGroup {
    producers = List.copyOf(producers);
    readers = List.copyOf(readers);
  }
}
