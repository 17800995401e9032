# Tests of the emulator, and of the kernels by what only the emulator can see.
set(cuda_test_dir ${root}/src/test/cuda)
file(GLOB simt_test_sources CONFIGURE_DEPENDS ${cuda_test_dir}/simt_test/*.cpp)
file(GLOB kernel_smoke_sources CONFIGURE_DEPENDS ${cuda_test_dir}/kernel_smoke/*.cpp)
file(GLOB large_map_sources CONFIGURE_DEPENDS ${cuda_test_dir}/large_map/*.cpp)
file(GLOB memory_count_sources CONFIGURE_DEPENDS ${cuda_test_dir}/memory_count/*.cpp)

# Objects of the given sources that may use kernels' headers.
function(structkd_add_cuda_test_objects name)
  add_library(${name} OBJECT ${ARGN})
  target_include_directories(${name} PRIVATE ${cuda_includes} ${test_dir})
  target_link_libraries(${name} PRIVATE GTest::gtest)
endfunction()

# The emulator itself. Each planted bug is found by the means meant for it: sanitizers, where the build
# has them.
structkd_add_cuda_test_objects(structkd_simt_test_objects ${simt_test_sources})
if(STRUCTKD_SANITIZE MATCHES undefined)
  target_compile_definitions(structkd_simt_test_objects PRIVATE STRUCTKD_TEST_UNDEFINED)
endif()

# Once more with the fibers of machines that are no x86-64.
add_library(structkd_simt_ucontext OBJECT ${simt_sources})
target_include_directories(structkd_simt_ucontext PRIVATE ${cuda_includes})
target_compile_options(structkd_simt_ucontext PRIVATE -fno-sanitize=all)
target_compile_definitions(structkd_simt_ucontext PRIVATE STRUCTKD_SIMT_UCONTEXT)

foreach(runtime simt simt_ucontext)
  add_executable(structkd_${runtime}_tests $<TARGET_OBJECTS:structkd_simt_test_objects>
                                           $<TARGET_OBJECTS:structkd_${runtime}>)
  target_link_libraries(structkd_${runtime}_tests PRIVATE GTest::gtest_main)
  add_test(NAME structkd_${runtime}_tests COMMAND structkd_${runtime}_tests --gtest_brief=1)
  set_tests_properties(structkd_${runtime}_tests PROPERTIES LABELS emulator)
endforeach()

# Every loss on small odd shapes, in three orders of threads.
structkd_add_cuda_test_objects(
  structkd_kernel_smoke_objects ${kernel_smoke_sources} ${test_dir}/tensors.cpp
  ${test_dir}/loss_run.cpp ${test_dir}/memory.cpp)
add_executable(structkd_kernel_smoke_tests $<TARGET_OBJECTS:structkd_kernel_smoke_objects>)
target_link_libraries(structkd_kernel_smoke_tests PRIVATE structkd GTest::gtest_main
                                                          -Wl,--no-as-needed structkd_cuda_emulated)

# Adds that program as two tests of about equal length, f32 and other types, and once more with the
# kernels of GPUs whose f64 is slow. What follows the environment is put before the command.
structkd_slow_f64_filter(slow_f64_filter f32 f64 bf16)
function(structkd_add_kernel_smoke_tests program label environment)
  set(command ${ARGN} $<TARGET_FILE:${program}> --gtest_brief=1)
  add_test(NAME ${program}_f32 COMMAND ${command} --gtest_filter=*/f32)
  add_test(NAME ${program}_f64_f16_bf16 COMMAND ${command} --gtest_filter=-*/f32)
  add_test(NAME ${program}_slow_f64 COMMAND ${command} --gtest_filter=${slow_f64_filter})
  set_tests_properties(${program}_f32 ${program}_f64_f16_bf16 ${program}_slow_f64
                       PROPERTIES LABELS ${label} ENVIRONMENT "${environment}")
  set_property(TEST ${program}_slow_f64 APPEND PROPERTY ENVIRONMENT STRUCTKD_CUDA_F64=slow)
endfunction()
structkd_add_kernel_smoke_tests(structkd_kernel_smoke_tests emulator "")

# Which kernels these launch: all.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME structkd_kernel_coverage
         COMMAND Python3::Interpreter ${cuda_test_dir}/kernel_coverage.py
                 $<TARGET_FILE:structkd_kernel_smoke_tests> $<TARGET_FILE:structkd_cuda_emulated>
                 ${slow_f64_filter})
set_tests_properties(structkd_kernel_coverage PROPERTIES LABELS emulator)

# Maps of more than 2^31 elements, and launches that a device refuses.
add_executable(structkd_large_map_tests ${large_map_sources} ${test_dir}/tensors.cpp
                                        ${test_dir}/memory.cpp)
target_include_directories(structkd_large_map_tests PRIVATE ${test_dir} ${cuda_test_dir} .)
target_link_libraries(structkd_large_map_tests PRIVATE structkd GTest::gtest_main
                                                       -Wl,--no-as-needed structkd_cuda_emulated)
add_test(NAME structkd_large_map_tests COMMAND structkd_large_map_tests --gtest_brief=1)
set_tests_properties(structkd_large_map_tests PROPERTIES LABELS emulator)

if(NOT STRUCTKD_CUDA_INSTRUMENTED)
  return()
endif()

# Races within and between blocks. libtsan sees what is instrumented: kernels. That of g++ before 14 does
# not start where Linux shuffles addresses by more than 28 bits, so that is turned off where it may be.
find_program(setarch setarch)
set(fixed_addresses ${setarch} --addr-no-randomize)
execute_process(COMMAND ${fixed_addresses} true RESULT_VARIABLE refused OUTPUT_QUIET ERROR_QUIET)
if(NOT refused EQUAL 0)
  set(fixed_addresses "")
endif()
structkd_add_cuda_test_objects(structkd_simt_race_objects ${simt_test_sources})
target_compile_options(structkd_simt_race_objects PRIVATE ${instrumented})
add_executable(structkd_simt_race_tests $<TARGET_OBJECTS:structkd_simt_race_objects>
                                        $<TARGET_OBJECTS:structkd_simt>)
add_executable(
  structkd_kernel_race_tests $<TARGET_OBJECTS:structkd_kernel_smoke_objects>
                             $<TARGET_OBJECTS:structkd_cuda_instrumented> $<TARGET_OBJECTS:structkd_simt>)
target_link_libraries(structkd_kernel_race_tests PRIVATE structkd)
foreach(program structkd_simt_race_tests structkd_kernel_race_tests)
  target_link_libraries(${program} PRIVATE GTest::gtest_main)
  target_link_options(${program} PRIVATE -fsanitize=thread)
endforeach()
add_test(NAME structkd_simt_race_tests COMMAND ${fixed_addresses} $<TARGET_FILE:structkd_simt_race_tests>
                                               --gtest_brief=1)
set_tests_properties(structkd_simt_race_tests PROPERTIES LABELS races)
# The shortest history, of the access before: else each of two thousand threads keeps a megabyte. Two
# orders: what one hides, since counting arrivals orders blocks, the opposite one shows.
structkd_add_kernel_smoke_tests(
  structkd_kernel_race_tests races "TSAN_OPTIONS=history_size=0;STRUCTKD_SMOKE_ORDERS=forward reverse"
  ${fixed_addresses})

# Counts of memory requests: the tracer in place of libtsan. The counts of example kernels, too.
set(tracer_dir ${cuda_test_dir}/memory_tracer)
structkd_add_cuda_test_objects(
  structkd_memory_tracer ${tracer_dir}/memory_tracer.cpp ${tracer_dir}/callbacks.cpp
  ${tracer_dir}/requests.cpp ${tracer_dir}/print_sites.cpp ${tracer_dir}/memory.cpp)
structkd_add_cuda_test_objects(structkd_memory_tracer_test_objects
                               ${tracer_dir}/memory_tracer_test.cpp)
target_compile_options(structkd_memory_tracer_test_objects PRIVATE ${instrumented})
add_executable(
  structkd_memory_tracer_tests
  $<TARGET_OBJECTS:structkd_memory_tracer_test_objects> $<TARGET_OBJECTS:structkd_memory_tracer>
  $<TARGET_OBJECTS:structkd_simt>)
target_link_libraries(structkd_memory_tracer_tests PRIVATE GTest::gtest_main ${CMAKE_DL_LIBS})

# The counts of the losses' kernels.
structkd_add_cuda_test_objects(
  structkd_memory_count_objects ${memory_count_sources} ${test_dir}/tensors.cpp
  ${test_dir}/loss_run.cpp)
add_executable(
  structkd_memory_count_tests
  $<TARGET_OBJECTS:structkd_memory_count_objects> $<TARGET_OBJECTS:structkd_memory_tracer>
  $<TARGET_OBJECTS:structkd_cuda_instrumented> $<TARGET_OBJECTS:structkd_simt>)
target_link_libraries(structkd_memory_count_tests PRIVATE structkd GTest::gtest_main ${CMAKE_DL_LIBS})

add_test(NAME structkd_memory_tracer_tests COMMAND structkd_memory_tracer_tests --gtest_brief=1)
add_test(NAME structkd_memory_count_tests COMMAND structkd_memory_count_tests --gtest_brief=1
                                                  --gtest_filter=-*SlowF64*)
add_test(NAME structkd_memory_count_tests_slow_f64 COMMAND structkd_memory_count_tests --gtest_brief=1
                                                           --gtest_filter=*SlowF64*)
set_tests_properties(structkd_memory_tracer_tests structkd_memory_count_tests
                     structkd_memory_count_tests_slow_f64 PROPERTIES LABELS memory)
set_tests_properties(structkd_memory_count_tests_slow_f64 PROPERTIES ENVIRONMENT STRUCTKD_CUDA_F64=slow)
