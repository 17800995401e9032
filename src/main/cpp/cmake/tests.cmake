# The tests go through the C API, as any other caller: internal symbols are not visible to them.
#
# Labels choose tests (ctest -L); what they are chosen by inside a program stands here and in
# emulator_tests.cmake alone:
#   cpu       the losses on the reference and on the CPU, at every instruction set level
#   emulated  the same tests on the CUDA kernels, run by the emulator
#   gpu       the same tests on a GPU
#   driver    what is said where no GPU can be used
#   emulator  the emulator itself, and kernels by what it sees of them
#   races, memory   kernels under race detection, and their memory requests counted
#
# GoogleTest is an installed one, or is built from STRUCTKD_GTEST_SOURCE: machines with a GPU often have
# neither it nor a network.
set(STRUCTKD_GTEST_SOURCE "" CACHE PATH "Folder with GoogleTest's sources; empty: an installed one")
if(STRUCTKD_GTEST_SOURCE)
  # Its own CMake files would set options of ours.
  add_library(structkd_gtest STATIC ${STRUCTKD_GTEST_SOURCE}/src/gtest-all.cc)
  target_include_directories(structkd_gtest SYSTEM PUBLIC ${STRUCTKD_GTEST_SOURCE}/include
                             PRIVATE ${STRUCTKD_GTEST_SOURCE})
  target_compile_options(structkd_gtest PRIVATE -w)
  add_library(structkd_gtest_main STATIC ${STRUCTKD_GTEST_SOURCE}/src/gtest_main.cc)
  target_link_libraries(structkd_gtest_main PUBLIC structkd_gtest)
  add_library(GTest::gtest ALIAS structkd_gtest)
  add_library(GTest::gtest_main ALIAS structkd_gtest_main)
else()
  find_package(GTest REQUIRED)
endif()

set(test_dir ${root}/src/test/cpp)
file(GLOB test_sources CONFIGURE_DEPENDS ${test_dir}/*.cpp ${test_dir}/promises/*.cpp)
set(test_case_sources ${test_sources})
list(REMOVE_ITEM test_case_sources ${test_dir}/memory.cpp) # what a GPU reaches is another memory

# Compiled once: each executable below runs the tests for every backend it has.
add_library(structkd_test_cases OBJECT ${test_case_sources})
target_include_directories(structkd_test_cases PUBLIC ${test_dir} PRIVATE .) # core/half.h, all inline
target_link_libraries(structkd_test_cases PUBLIC structkd GTest::gtest)
target_compile_definitions(structkd_test_cases PRIVATE $<TARGET_PROPERTY:structkd,COMPILE_DEFINITIONS>)

# What the tests call of one level directly is compiled as that level's kernels are.
foreach(level ${structkd_isa_levels})
  set(kernels structkd_cpu_${level})
  add_library(structkd_test_${level} OBJECT ${test_dir}/isa/vector_math_rows.cpp)
  target_include_directories(structkd_test_${level} PRIVATE . ${test_dir})
  target_compile_definitions(structkd_test_${level}
                             PRIVATE $<TARGET_PROPERTY:${kernels},COMPILE_DEFINITIONS>)
  target_compile_options(structkd_test_${level} PRIVATE $<TARGET_PROPERTY:${kernels},COMPILE_OPTIONS>)
  target_sources(structkd_test_cases INTERFACE $<TARGET_OBJECTS:structkd_test_${level}>)
endforeach()

add_executable(structkd_tests ${test_dir}/memory.cpp)
target_link_libraries(structkd_tests PRIVATE structkd_test_cases GTest::gtest_main)

# Adds a run of a program's tests that fit a filter (GoogleTest's names end with the backend), under a
# label. What follows are settings of the environment.
function(structkd_add_test_run name label program filter)
  add_test(NAME ${name} COMMAND ${program} --gtest_brief=1 --gtest_filter=${filter})
  # Passive: tests start more threads than there are cores, and waiting ones should not spin.
  set(environment OMP_WAIT_POLICY=passive ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ${label} ENVIRONMENT "${environment}")
endfunction()

# The backend "cpu" once per instruction set level; a level that the machine lacks falls back to the best
# that it has. All else does not depend on the level.
structkd_add_test_run(structkd_tests cpu structkd_tests -*/cpu)
foreach(level ${structkd_isa_levels})
  structkd_add_test_run(structkd_tests_${level} cpu structkd_tests */cpu STRUCTKD_ISA=${level})
endforeach()

file(GLOB c_api_sources CONFIGURE_DEPENDS ${test_dir}/c_api/*.c)
add_executable(structkd_c_api ${c_api_sources})
target_compile_options(structkd_c_api PRIVATE -std=c99 -pedantic)
target_link_libraries(structkd_c_api PRIVATE structkd m)
add_test(NAME structkd_c_api COMMAND structkd_c_api)
set_tests_properties(structkd_c_api PROPERTIES LABELS cpu)

# Losses that have other forms where f64 is slow, for which their CUDA sources ask, are tested with these, too.
set(slow_f64_tests "")
foreach(loss ${structkd_losses})
  execute_process(COMMAND grep -rq fast_f64 ${root}/src/main/cuda/${loss} RESULT_VARIABLE missing)
  if(missing EQUAL 0)
    structkd_camel_case(${loss} name)
    list(APPEND slow_f64_tests *${name}*/ Promises/${loss}.*/)
  endif()
endforeach()

# structkd_slow_f64_filter(OUT PARAMETER...): all their tests with one of these parameters.
function(structkd_slow_f64_filter out)
  set(filter "")
  foreach(parameter ${ARGN})
    list(TRANSFORM slow_f64_tests APPEND ${parameter} OUTPUT_VARIABLE tests)
    list(APPEND filter ${tests})
  endforeach()
  list(JOIN filter ":" filter)
  set(${out} ${filter} PARENT_SCOPE)
endfunction()

function(structkd_add_slow_f64_run name label program backend)
  structkd_slow_f64_filter(filter ${backend})
  structkd_add_test_run(${name} ${label} ${program} ${filter} STRUCTKD_CUDA_F64=slow)
endfunction()

# The same tests on the CUDA kernels. Nothing of the library is named: opening it registers the backend.
if(TARGET structkd_cuda_emulated)
  set(repeats_dir ${root}/src/test/cuda/repeats)
  add_executable(structkd_emulated_tests ${test_dir}/memory.cpp ${repeats_dir}/repeats_test.cpp
                                         ${repeats_dir}/emulated.cpp)
  target_include_directories(structkd_emulated_tests PRIVATE ${root}/src/test/cuda)
  target_link_libraries(structkd_emulated_tests PRIVATE structkd_test_cases GTest::gtest_main
                                                        -Wl,--no-as-needed structkd_cuda_emulated)
  # In two halves, which take a core each.
  foreach(half 0 1)
    structkd_add_test_run(structkd_emulated_tests_${half} emulated structkd_emulated_tests */cuda_emulated
                          GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=${half})
  endforeach()
  # Launches as on a T4, whose f64 is slow and whose blocks have the least shared memory: each loss in all
  # dtypes, and where its tiles are largest.
  structkd_add_test_run(
    structkd_emulated_tests_sm_75 emulated structkd_emulated_tests
    *EveryDtypeAndLayout/cuda_emulated:*ManySamplesAndChannels/cuda_emulated:*ManyChannels/cuda_emulated
    STRUCTKD_SIMT_DEVICE=75)
  structkd_add_slow_f64_run(structkd_emulated_tests_slow_f64 emulated structkd_emulated_tests cuda_emulated)

  # The sentence of a GPU that the kernels were not built for.
  add_executable(structkd_emulated_open_test ${root}/src/test/cuda/driver/open.c)
  target_include_directories(structkd_emulated_open_test PRIVATE ${root}/src/main)
  target_link_libraries(structkd_emulated_open_test PRIVATE structkd structkd_cuda_emulated)
  add_test(
    NAME structkd_cuda_open_other_gpu
    COMMAND
      structkd_emulated_open_test
      "cuda: GPU 0 has compute capability 11.0, for which this library has no code; it was built for 7.5, 8.9, 9.0: choose another GPU by CUDA_VISIBLE_DEVICES, compute on the CPU, or build the library for this GPU as docs/gpu.md shows"
  )
  set_tests_properties(structkd_cuda_open_other_gpu PROPERTIES LABELS emulated ENVIRONMENT
                                                               STRUCTKD_SIMT_DEVICE=110)
endif()

# And on a GPU, where there is one: memory that it reaches, and a main that asks for it.
if(TARGET structkd_cuda)
  set(cuda_test_dir ${root}/src/test/cuda)
  add_executable(structkd_cuda_tests ${cuda_test_dir}/main.cpp ${cuda_test_dir}/memory.cu
                                     ${cuda_test_dir}/repeats/repeats_test.cpp ${cuda_test_dir}/repeats/gpu.cu)
  target_include_directories(structkd_cuda_tests PRIVATE ${root}/src/main ${cuda_test_dir})
  target_link_libraries(structkd_cuda_tests PRIVATE structkd_test_cases structkd_cuda)
  structkd_add_test_run(structkd_cuda_tests gpu structkd_cuda_tests */cuda:-*RepeatedCalls*)
  structkd_add_test_run(structkd_cuda_repeats gpu structkd_cuda_tests *RepeatedCalls*/cuda)
  structkd_add_slow_f64_run(structkd_cuda_tests_slow_f64 gpu structkd_cuda_tests cuda)
  # A kernel that hangs must not hold the machine.
  set_tests_properties(structkd_cuda_tests structkd_cuda_tests_slow_f64 structkd_cuda_repeats
                       PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
endif()

# Sentences of machines that cannot run the kernels: with a stand-in for the driver, so on any machine.
if(TARGET structkd_cuda)
  set(driver_dir ${root}/src/test/cuda/driver)
  add_library(structkd_fake_driver SHARED ${driver_dir}/libcuda.c)
  set_target_properties(
    structkd_fake_driver PROPERTIES OUTPUT_NAME cuda SUFFIX .so.1 C_VISIBILITY_PRESET default
                                    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fake-driver)
  target_link_libraries(structkd_fake_driver PRIVATE ${CMAKE_DL_LIBS})
  add_executable(structkd_cuda_open_test ${driver_dir}/open.c)
  target_include_directories(structkd_cuda_open_test PRIVATE ${root}/src/main)
  target_link_libraries(structkd_cuda_open_test PRIVATE structkd structkd_cuda)
  function(structkd_test_driver name version sentence)
    add_test(NAME structkd_cuda_open_${name} COMMAND structkd_cuda_open_test "cuda: ${sentence}")
    set_tests_properties(
      structkd_cuda_open_${name}
      PROPERTIES LABELS driver
                 ENVIRONMENT
                 "LD_LIBRARY_PATH=${CMAKE_BINARY_DIR}/fake-driver;FAKE_CUDA_VERSION=${version}")
  endfunction()
  structkd_test_driver(
    old_driver 12040 "the NVIDIA driver of this machine is made for CUDA 12.4, needed is CUDA 13: install driver 580 or newer")
  structkd_test_driver(
    no_gpu 13010 "the driver shows no GPU to this process: check nvidia-smi and CUDA_VISIBLE_DEVICES")
  structkd_test_driver(
    no_driver 0 "this machine has no NVIDIA driver, or this process cannot reach it: install driver 580 or newer")
endif()

if(TARGET structkd_simt)
  include(cmake/emulator_tests.cmake)
endif()
