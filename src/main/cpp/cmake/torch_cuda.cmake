# libstructkd_torch_cuda.so: the current stream of LibTorch, for libstructkd_torch.so. It needs libc10_cuda.so,
# which the process has loaded before there is any CUDA tensor.
set(torch_cuda_options
    -ffile-prefix-map=${STRUCTKD_LIBTORCH}/=libtorch/
    -ffile-prefix-map=${libtorch_include}/=libtorch/include/)

function(structkd_uses_libtorch_cuda target)
  target_include_directories(${target} SYSTEM PRIVATE ${STRUCTKD_LIBTORCH}/include
                                                      ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
  # LibTorch without CUDA has no cuda_cmake_macros.h; all that it would say is how LibTorch was built.
  target_compile_definitions(${target} PRIVATE C10_CUDA_NO_CMAKE_CONFIGURE_FILE
                                               _GLIBCXX_USE_CXX11_ABI=${STRUCTKD_LIBTORCH_CXX11_ABI})
  target_compile_options(${target} PRIVATE ${torch_cuda_options})
  target_link_libraries(${target} PRIVATE ${STRUCTKD_LIBTORCH}/lib/libc10.so)
endfunction()

set(c10_cuda ${STRUCTKD_LIBTORCH}/lib/libc10_cuda.so)
if(NOT EXISTS ${c10_cuda})
  # Not in lib/, where it could be taken for the real one.
  add_library(c10_cuda SHARED torch_cuda/c10_cuda_stub.cpp)
  set_target_properties(c10_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/stub)
  structkd_uses_libtorch_cuda(c10_cuda)
  target_compile_options(c10_cuda PRIVATE -fvisibility=default)
  set(c10_cuda c10_cuda)
endif()

add_library(structkd_torch_cuda SHARED torch_cuda/stream.cpp)
structkd_uses_libtorch_cuda(structkd_torch_cuda)
target_include_directories(structkd_torch_cuda PRIVATE include)
target_link_libraries(structkd_torch_cuda PRIVATE ${c10_cuda})
