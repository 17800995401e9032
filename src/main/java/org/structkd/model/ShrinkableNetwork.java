package org.structkd.model;

import java.util.List;
import java.util.Map;

/**
 * A network that can do without some of its channels. It says which, and makes a smaller one of its
 * kind; which channels are worth nothing is for others to find.
 */
public interface ShrinkableNetwork extends TrainableNetwork {
  /**
   * {@return all groups of channels that can be removed} Not among them is what others count on:
   * inputs, classes, and maps that a tap shows.
   */
  List<ChannelGroup> channelGroups();

  /**
   * {@return a network of the same kind with any weights, on the CPU, which the caller closes}
   *
   * @param channels how many each group has, by its name, 1 or more; a group that is not named
   *     keeps its own
   */
  ShrinkableNetwork withChannels(Map<String, Integer> channels);
}
