/**
 * Several processes, on one machine or many, that compute one thing together: LibTorch's c10d, by
 * Gloo for memory of the CPU and NCCL for GPUs.
 */
@NullMarked
package org.structkd.distributed;

import org.jspecify.annotations.NullMarked;
