# libstructkd_cuda_emulated.so: the CUDA sources compiled by the C++ compiler and run on the CPU by the
# emulator of src/test/cuda/simt. For tests, in no jar.
file(GLOB cuda_sources CONFIGURE_DEPENDS ${root}/src/main/cuda/*.cu)
file(GLOB simt_sources CONFIGURE_DEPENDS ${root}/src/test/cuda/simt/*.cpp)
set_source_files_properties(${cuda_sources} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++;-Wno-unknown-pragmas")

add_library(structkd_cuda_emulated SHARED ${cuda_sources} ${simt_sources})
target_include_directories(structkd_cuda_emulated PRIVATE include . ${root}/src/main/cuda
                                                          ${root}/src/test/cuda)
target_link_libraries(structkd_cuda_emulated PRIVATE structkd)
