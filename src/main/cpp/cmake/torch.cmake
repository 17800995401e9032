# libstructkd_torch.so: LibTorch operators on top of the C API.
file(GLOB torch_sources CONFIGURE_DEPENDS torch/*.cpp torch/ops/*.cpp)

add_library(structkd_torch SHARED ${torch_sources})
target_include_directories(structkd_torch PRIVATE .)
target_include_directories(
  structkd_torch SYSTEM PRIVATE ${STRUCTKD_LIBTORCH}/include
                                ${STRUCTKD_LIBTORCH}/include/torch/csrc/api/include)
# LibTorch's headers put __FILE__ into error texts. The include folder may be a link, and g++ names a
# system header by the link's target where that path is the shorter one: both names are mapped.
file(REAL_PATH ${STRUCTKD_LIBTORCH}/include libtorch_include)
target_compile_options(
  structkd_torch PRIVATE -ffile-prefix-map=${STRUCTKD_LIBTORCH}/=libtorch/
                         -ffile-prefix-map=${libtorch_include}/=libtorch/include/)
target_link_libraries(structkd_torch PRIVATE structkd ${STRUCTKD_LIBTORCH}/lib/libtorch_cpu.so
                                             ${STRUCTKD_LIBTORCH}/lib/libc10.so ${CMAKE_DL_LIBS})

# Newer versions than the presets' are written in C++20, and their headers refuse less.
file(STRINGS ${STRUCTKD_LIBTORCH}/include/ATen/ATen.h asks_for_cxx20 REGEX "__cplusplus < 202002L" LIMIT_COUNT 1)
if(asks_for_cxx20)
  set_target_properties(structkd_torch PROPERTIES CXX_STANDARD 20)
endif()

# LibTorch says in its own build flags which of libstdc++'s two ABIs it was built for.
set(STRUCTKD_LIBTORCH_CXX11_ABI 1 CACHE STRING "LibTorch's _GLIBCXX_USE_CXX11_ABI: 1, or 0")
target_compile_definitions(structkd_torch
                           PRIVATE _GLIBCXX_USE_CXX11_ABI=${STRUCTKD_LIBTORCH_CXX11_ABI})
