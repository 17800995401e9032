# libstructkd_cuda_emulated.so: the CUDA sources compiled by the C++ compiler and run on the CPU by the
# emulator of src/test/cuda/simt. For tests, in no jar.
file(GLOB cuda_sources CONFIGURE_DEPENDS ${root}/src/main/cuda/*.cu ${root}/src/main/cuda/*/*.cu)
file(GLOB simt_sources CONFIGURE_DEPENDS ${root}/src/test/cuda/simt/*.cpp)
set_source_files_properties(${cuda_sources} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++;-Wno-unknown-pragmas")
set(cuda_includes include . ${root}/src/main ${root}/src/test/cuda)

# The emulator itself. Sanitizers look at kernels alone: it tells them what is a thread.
add_library(structkd_simt OBJECT ${simt_sources})
target_include_directories(structkd_simt PRIVATE ${cuda_includes})
target_compile_options(structkd_simt PRIVATE -fno-sanitize=all)

add_library(structkd_cuda_emulated SHARED ${cuda_sources} $<TARGET_OBJECTS:structkd_simt>)
target_include_directories(structkd_cuda_emulated PRIVATE ${cuda_includes})
target_link_libraries(structkd_cuda_emulated PRIVATE structkd)

# The kernels once more, with a call at each access to memory: of libtsan in race tests, of
# memory_tracer in memory tests. So each access must stay the one that the source names: no two
# merged to a wider one, no vector split into its elements.
set(instrumented -fsanitize=thread -fno-tree-sra -fno-tree-vectorize -fno-store-merging -g1)
if(STRUCTKD_CUDA_INSTRUMENTED)
  add_library(structkd_cuda_instrumented OBJECT ${cuda_sources})
  target_include_directories(structkd_cuda_instrumented PRIVATE ${cuda_includes})
  target_compile_options(structkd_cuda_instrumented PRIVATE ${instrumented})
endif()

# Which kernels the bench's cases launch, for the tables in docs/.
set(bench_dir ${root}/bench/cuda)
include(${bench_dir}/cases.cmake)
file(GLOB bench_losses CONFIGURE_DEPENDS ${bench_dir}/losses/*.cpp)
add_executable(structkd_launch_list EXCLUDE_FROM_ALL ${bench_dir}/launch_list/main.cpp ${bench_losses}
               ${bench_dir}/arrays.cpp ${bench_dir}/cases.cpp ${bench_dir}/losses.cpp)
structkd_bench_cases(structkd_launch_list)
target_include_directories(structkd_launch_list PRIVATE ${bench_dir})
target_link_libraries(structkd_launch_list PRIVATE structkd -Wl,--no-as-needed structkd_cuda_emulated)
