# The tests go through the C API, as any other caller: internal symbols are not visible to them.
find_package(GTest REQUIRED)

set(test_dir ${root}/src/test/cpp)
file(GLOB test_sources CONFIGURE_DEPENDS ${test_dir}/*.cpp)

add_executable(structkd_tests ${test_sources})
target_include_directories(structkd_tests PRIVATE ${test_dir} .) # . for core/half.h, all inline
target_link_libraries(structkd_tests PRIVATE structkd GTest::gtest_main)

# Once per instruction set level; one that the machine lacks falls back to the best that it has. Passive:
# tests start more threads than there are cores, and waiting ones should not spin.
foreach(level ${structkd_isa_levels})
  add_test(NAME structkd_tests_${level} COMMAND structkd_tests --gtest_brief=1)
  set_tests_properties(structkd_tests_${level} PROPERTIES ENVIRONMENT
                       "STRUCTKD_ISA=${level};OMP_WAIT_POLICY=passive")
endforeach()

add_executable(structkd_c_api ${test_dir}/c_api.c)
target_compile_options(structkd_c_api PRIVATE -std=c99 -pedantic)
target_link_libraries(structkd_c_api PRIVATE structkd m)
add_test(NAME structkd_c_api COMMAND structkd_c_api)

# The same tests on the CUDA kernels: each is run for every backend there is.
if(TARGET structkd_cuda_emulated)
  add_executable(structkd_emulated_tests ${test_sources})
  target_include_directories(structkd_emulated_tests PRIVATE ${test_dir} .)
  # Nothing of the library is named: opening it registers the backend.
  target_link_libraries(structkd_emulated_tests PRIVATE structkd GTest::gtest_main -Wl,--no-as-needed
                                                        structkd_cuda_emulated)
  add_test(NAME structkd_emulated_tests COMMAND structkd_emulated_tests --gtest_brief=1
                                                --gtest_filter=*/cuda_emulated)
endif()
