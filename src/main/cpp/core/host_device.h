// core/host_device.h: marks functions that CUDA kernels call, too.
#ifndef STRUCTKD_CORE_HOST_DEVICE_H
#define STRUCTKD_CORE_HOST_DEVICE_H

#ifdef __CUDACC__
#define STRUCTKD_HOST_DEVICE __host__ __device__
#else
#define STRUCTKD_HOST_DEVICE
#endif

#endif  // STRUCTKD_CORE_HOST_DEVICE_H
