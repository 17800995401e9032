# libstructkd_cuda.so, by nvcc: one unit per loss, a cubin per architecture and PTX of the newest.
#
# STRUCTKD_CUDA_ARCHITECTURES names compute capabilities without a dot, or is native: that of the GPU in
# this machine, for a quick build there.
set(STRUCTKD_CUDA_ARCHITECTURES "75;80;86;89;90;100;120" CACHE STRING "What nvcc builds for")

file(GLOB cuda_sources CONFIGURE_DEPENDS ${root}/src/main/cuda/*.cu ${root}/src/main/cuda/*/*.cu)

set(CMAKE_CUDA_ARCHITECTURES OFF) # cuda_targets below says it
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)

if(STRUCTKD_CUDA_ARCHITECTURES STREQUAL native)
  # Kernels of a file side by side: ptxas is what takes the time. The code stays the same.
  set(cuda_targets -arch=native --split-compile=0)
else()
  set(cuda_targets "")
  foreach(arch ${STRUCTKD_CUDA_ARCHITECTURES})
    list(APPEND cuda_targets "SHELL:-gencode arch=compute_${arch},code=sm_${arch}")
  endforeach()
  list(GET STRUCTKD_CUDA_ARCHITECTURES -1 newest)
  list(APPEND cuda_targets "SHELL:-gencode arch=compute_${newest},code=compute_${newest}")
endif()

# Spills are errors, and every warning of nvcc and ptxas is. No --use_fast_math: NaN and infinity must
# come through.
set(cuda_compile_options
    ${cuda_targets} --expt-relaxed-constexpr "SHELL:-Xptxas -v,-warn-spills"
    "SHELL:-Werror all-warnings"
    -Xcompiler=-Wall,-Wextra,-Werror,-ffile-prefix-map=${root}/=)

add_library(structkd_cuda SHARED ${cuda_sources})
target_include_directories(structkd_cuda PRIVATE include . ${root}/src/main)
target_compile_options(structkd_cuda PRIVATE ${cuda_compile_options})
target_link_libraries(structkd_cuda PRIVATE structkd)
# libcudart is linked statically, by nvcc's default, and stays private. The C++ runtime is not: exceptions of
# libstructkd.so pass through this library, and a second unwinder would abort the process.
target_link_options(structkd_cuda PRIVATE -Wl,--exclude-libs,ALL)
