# libstructkd.so: core, reference and cpu. It needs OpenMP and what any C++ library needs. libstdc++ is
# not linked statically: that of Debian 12 would raise the needed GLIBC to 2.36.
find_package(OpenMP REQUIRED COMPONENTS CXX)

# structkd_camel_case(ID OUT): pairwise is Pairwise, inter_class_similarity is InterClassSimilarity.
function(structkd_camel_case id out)
  string(REPLACE "_" ";" words ${id})
  set(name "")
  foreach(word ${words})
    string(SUBSTRING ${word} 0 1 initial)
    string(SUBSTRING ${word} 1 -1 rest)
    string(TOUPPER ${initial} initial)
    string(APPEND name ${initial}${rest})
  endforeach()
  set(${out} ${name} PARENT_SCOPE)
endfunction()

# core/kernel_list.h, which is made here: X(kernel, type of its checked arguments) of every kernel, each of
# which has its checks in core/<kernel>_args.cpp, and of those that have a header and so are losses.
file(GLOB kernel_checks CONFIGURE_DEPENDS core/*_args.cpp)
set(structkd_losses "")
set(kernel_rows "")
set(loss_rows "")
foreach(file ${kernel_checks})
  string(REGEX REPLACE ".*/(.*)_args.cpp" "\\1" kernel ${file})
  structkd_camel_case(${kernel} name)
  string(APPEND kernel_rows " X(${kernel}, ${name}Args)")
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/include/structkd/${kernel}.h)
    list(APPEND structkd_losses ${kernel})
    string(APPEND loss_rows " X(${kernel}, ${name}Args)")
  endif()
endforeach()
set(generated ${CMAKE_BINARY_DIR}/generated)
file(CONFIGURE OUTPUT ${generated}/core/kernel_list.h
     CONTENT "#define STRUCTKD_KERNELS(X)${kernel_rows}\n#define STRUCTKD_KERNEL_LOSSES(X)${loss_rows}\n"
     @ONLY)
include_directories(${generated})

file(GLOB core_sources CONFIGURE_DEPENDS core/*.cpp)
file(GLOB reference_sources CONFIGURE_DEPENDS reference/*.cpp)
file(GLOB isa_sources CONFIGURE_DEPENDS cpu/*/*.cpp)

# The reference is the definition: each operation rounds once, whatever the machine has.
set_source_files_properties(${reference_sources} PROPERTIES COMPILE_OPTIONS "-ffp-contract=off")

add_library(structkd SHARED ${core_sources} ${reference_sources} cpu/dispatch.cpp)
target_include_directories(structkd PUBLIC include PRIVATE .)
target_link_libraries(structkd PRIVATE OpenMP::OpenMP_CXX)

set(exports ${CMAKE_CURRENT_SOURCE_DIR}/cmake/structkd.map)
target_link_options(structkd PRIVATE -Wl,--version-script=${exports})
set_target_properties(structkd PROPERTIES LINK_DEPENDS ${exports})

# The files in the folders of cpu/ are compiled once per instruction set level. STRUCTKD_ISA names the
# level and is the namespace of its code; dispatch.cpp, compiled once, chooses at run time.
function(structkd_add_isa name)
  if(NOT isa_sources)
    return()
  endif()
  add_library(structkd_cpu_${name} OBJECT ${isa_sources})
  target_include_directories(structkd_cpu_${name} PRIVATE include .)
  target_compile_definitions(structkd_cpu_${name} PRIVATE STRUCTKD_ISA=${name})
  # Never -ffast-math: NaN and infinity must come through, and sums keep their order.
  # No exceptions: kernels throw none, and g++ thinks that vector intrinsics in an OpenMP region might,
  # which would bring a weak symbol, the reference to the handler.
  target_compile_options(structkd_cpu_${name} PRIVATE -O3 -ffp-contract=fast -fno-math-errno
                                                      -fno-trapping-math -fno-exceptions ${ARGN})
  target_link_libraries(structkd_cpu_${name} PRIVATE OpenMP::OpenMP_CXX)
  target_sources(structkd PRIVATE $<TARGET_OBJECTS:structkd_cpu_${name}>)
  set(structkd_isa_levels ${structkd_isa_levels} ${name} PARENT_SCOPE)
endfunction()

structkd_add_isa(baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  structkd_add_isa(avx2 -mavx2 -mfma -mf16c)
  structkd_add_isa(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c)
  target_compile_definitions(structkd PRIVATE STRUCTKD_CPU_AVX2 STRUCTKD_CPU_AVX512)
endif()
