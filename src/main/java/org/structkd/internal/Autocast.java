package org.structkd.internal;

import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * LibTorch's autocast in bf16 on one kind of device: until it is closed, convolutions, matrix
 * products and what else LibTorch lists compute in bf16, whatever the type of their inputs. It is a
 * state of the thread; closing sets back what it was, and forgets the rounded copies of weights.
 * For the thread that opened it.
 */
public final class Autocast implements AutoCloseable {
  private final DeviceType device;
  private final boolean wasEnabled;
  private final ScalarType type;

  /** Begins; try-with-resources ends it. */
  public Autocast(DeviceType device) {
    this.device = device;
    wasEnabled = torch.is_autocast_enabled(device);
    type = torch.get_autocast_dtype(device);
    torch.increment_nesting();
    torch.set_autocast_enabled(device, true);
    torch.set_autocast_dtype(device, ScalarType.BFloat16);
  }

  @Override
  public void close() {
    if (torch.decrement_nesting() == 0) {
      torch.clear_cache(); // else the next step would read the weights of this one
    }
    torch.set_autocast_enabled(device, wasEnabled);
    torch.set_autocast_dtype(device, type);
  }
}
